"""Tests that need a program beside Python are skipped with the reason where it is absent, and fail in CI."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

from tests.support.programs import PROGRAMS


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture: every program that the test's `needs` markers name is there, or the test does not run."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            program = PROGRAMS[name]
            if program.find() is not None:
                continue
            if os.environ.get("CI"):
                pytest.fail(f"{program.reason()}; CI must have it", pytrace=False)
            pytest.skip(program.reason())


def skipped_line(reasons: Counter[str]) -> str:
    """The closing line: how many tests were skipped, and how many of them for each reason."""
    parts = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
    return f"Skipped {sum(reasons.values())} tests: {parts}."


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line that says what was skipped and how to get it."""
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ")
                      for report in terminalreporter.stats.get("skipped", [])
                      if isinstance(report.longrepr, tuple))  # fmt: skip
    if reasons:
        terminalreporter.write_line(skipped_line(reasons))
