"""Outputs that changed without a changed code version are caught here, with what to do about it."""

from __future__ import annotations

import copy

import golden_values as golden
import pytest
from harness import REAL_FILE, real_file


@pytest.fixture(scope="module", params=["synthetic", "real"])
def capture(request: pytest.FixtureRequest) -> tuple[golden.Golden, golden.Golden]:
    """What the stages say now, and what is on record."""
    if request.param == "real" and not real_file().is_file():
        pytest.skip(f"{REAL_FILE} is not in {real_file().parent}")
    return getattr(golden, request.param)(), golden.load(request.param)


@pytest.mark.parametrize("stage", golden.stages())
def test_golden(capture: tuple[golden.Golden, golden.Golden], stage: str) -> None:
    now, then = capture
    if stage != "raw" and golden.differences(now["raw"], then["raw"]):
        pytest.skip("the raw records themselves are others: nothing can be said of what is made of them")
    problem = golden.verdict(stage, now[stage], then[stage], golden.stages()[stage], then["versions"][stage])
    assert problem is None, problem


def test_small_changes_are_found_and_rounding_is_not() -> None:
    """The sixth digit counts; a part in 1e-9 does not."""
    then = golden.load("synthetic")["bins"]
    for factor, found in ((1 + 1e-9, False), (1 + 1e-5, True)):
        now = copy.deepcopy(then)
        for name in now["floats"]:
            now["floats"][name] = [[golden.rounded(x * factor) for x in pair] for pair in now["floats"][name]]
        assert bool(golden.differences(now, then)) is found
    now = copy.deepcopy(then)
    now["counters"]["off_grid"] += 1
    now["integers"]["bin_event_count"] = "0" * 16
    assert golden.differences(now, then) == [
        f"off_grid: {then['counters']['off_grid'] + 1}, was {then['counters']['off_grid']}",
        "bin_event_count differs (whole numbers, compared exactly)",
    ]


def test_the_verdict_says_what_to_do() -> None:
    then = golden.load("synthetic")["bins"]
    now = copy.deepcopy(then)
    now["counters"]["off_grid"] += 1
    held = golden.Stage("BINS_CODE_VERSION (vp_engine/stream.py)", "7")
    assert golden.verdict("bins", then, then, held, "7") is None
    changed = golden.verdict("bins", now, then, held, "7")
    assert changed is not None
    assert "BINS_CODE_VERSION (vp_engine/stream.py) is still '7'" in changed
    assert "raise the version and run `python -m tests.engine.golden_values`" in changed
    assert "off_grid" in changed
    raised = golden.verdict("bins", now, then, held, "6")
    assert raised is not None
    assert "if that is meant, record it" in raised
    idle = golden.verdict("bins", then, then, held, "6")
    assert idle is not None
    assert "nothing changed: record it" in idle
