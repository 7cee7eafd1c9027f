"""Programs beside Python that some tests need, where they are looked for, and how a machine gets them.

A test says `pytestmark = pytest.mark.needs("chromium")`. Where the program is absent it is skipped with the reason; in
CI, where every program must be there, it fails (see tests/conftest.py).
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

POSTGRES_FOLDER = Path("/usr/lib/postgresql")  # Debian keeps the server's programs here, by version, outside PATH


class Program(NamedTuple):
    """A program: its name for people, the command that installs it, and what finds it (None: not there)."""

    title: str
    install: str
    find: Callable[[], Path | None]

    def reason(self) -> str:
        """Why a test without it is skipped."""
        return f"{self.title} is not installed ({self.install})"


def find_chromium() -> Path | None:
    """The system's Chromium, the one that CHROMIUM names, or Playwright's own."""
    named = os.environ.get("CHROMIUM")
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    for name in ("chromium", "chromium-browser"):
        if path := shutil.which(name):
            return Path(path)
    return _playwright_chromium()


@functools.cache
def _playwright_chromium() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.exists() else None


def find_postgres() -> Path | None:
    """Folder of `initdb` and `postgres`, the newest version where there are several."""
    if path := shutil.which("initdb"):
        return Path(path).resolve().parent
    versions = sorted(POSTGRES_FOLDER.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return versions[-1].parent if versions else None


PROGRAMS = {
    "chromium": Program("Chromium", "Debian: apt install chromium", find_chromium),
    "postgres": Program("PostgreSQL", "Debian: apt install postgresql", find_postgres),
}
