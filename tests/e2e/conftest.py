"""One lake, one service and one browser for all browser tests; every page must end without errors of its own."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from stage import Lake, check_built, chromium, service, small_lake

expect.set_options(timeout=20_000)  # a machine that does other things too


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs Chromium."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.needs("chromium"))


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Lake:
    """The small lake, made by the command line: once, also where several workers share the tests. Nothing is written to
    it afterwards."""
    check_built()
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "tour"
    folder.mkdir(exist_ok=True)
    with (folder / "making").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        whole = folder / "whole"
        made = Lake.under(folder) if whole.exists() else small_lake(folder)
        whole.touch()
    return made


@pytest.fixture(scope="session")
def url(lake: Lake) -> Iterator[str]:
    """A real `vp-serve` over it."""
    with service(lake) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium. It holds an event loop while it lives, which other files' tests on this worker cannot have."""
    with sync_playwright() as playwright:
        running = chromium(playwright)
        yield running
        running.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors that a test's page is allowed to have, by a part of their text; none unless it says so."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A fresh page that must not log errors."""
    errors: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    opened.on("console", listen)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert [text for text in errors if not any(part in text for part in complaints)] == []
