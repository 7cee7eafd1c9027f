"""A machine without Chromium or PostgreSQL: their tests are skipped and told at the end; in CI they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import skipped_line
from tests.support import programs

ROOT = Path(__file__).parents[1]
# Inside a mount namespace of its own: the programs are hidden from this command alone.
HIDE = 'mount --bind /dev/null {chromium} && mount -t tmpfs none {postgres} && exec "$@"'


def run_pytest(*arguments: str, ci: bool, before: tuple[str, ...] = (), **environ: str) -> subprocess.CompletedProcess:
    """A run of its own, with or without CI set."""
    inherited = {name: value for name, value in os.environ.items() if name != "CI" and "PYTEST" not in name}
    return subprocess.run(
        [*before, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env=inherited | environ | ({"CI": "true"} if ci else {}),
    )  # fmt: skip


@pytest.mark.parametrize("ci", [False, True])
def test_browser_tests_when_chromium_is_absent_then_skip_or_in_ci_fail(ci: bool) -> None:
    done = run_pytest("tests/e2e/test_first_paint.py", ci=ci, CHROMIUM="/absent")
    reason = "Chromium is not installed (Debian: apt install chromium)"
    if ci:
        assert (done.returncode, f"Failed: {reason}; CI must have it" in done.stdout) == (1, True), done.stdout
    else:
        closing_line = done.stdout.splitlines()[-2]
        assert done.returncode == 0, done.stdout
        assert closing_line.startswith("Skipped ")
        assert closing_line.endswith(f" because {reason}.")


@pytest.mark.slow
def test_everything_that_needs_them_when_both_are_hidden_then_skips_with_the_reason() -> None:
    hide = HIDE.format(chromium=programs.find_chromium(), postgres=programs.POSTGRES_FOLDER)
    before = ("unshare", "--mount", "sh", "-c", hide, "sh")
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("hiding programs in a mount namespace is not allowed here")
    done = run_pytest("tests/e2e", "tests/assets/test_postgres.py", "-m", "slow or not slow", ci=False, before=before)
    assert done.returncode == 0, done.stdout
    assert not {"passed", "error", "failed"} & set(done.stdout.split()), done.stdout
    assert "Chromium is not installed (Debian: apt install chromium)" in done.stdout
    assert "PostgreSQL is not installed (Debian: apt install postgresql)" in done.stdout


def test_find_postgres_when_several_versions_are_there_then_takes_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda name: None)
    monkeypatch.setattr(programs, "POSTGRES_FOLDER", tmp_path)
    assert programs.find_postgres() is None
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    assert programs.find_postgres() == tmp_path / "17" / "bin"


def test_skipped_line_when_reasons_differ_then_counts_each() -> None:
    line = skipped_line(Counter({"Chromium is not installed": 3, "the real capture is not here": 1}))
    assert line == ("Skipped 4 tests: 3 because Chromium is not installed; 1 because the real capture is not here.")
