"""Selections that the UI launches, as one run each: the chain of a day, a day without a session, a day with a fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.assets.conftest import DAILY, say
from vp_assets.defs.assets.books import book_key
from vp_assets.defs.assets.datasets import bins_key
from vp_assets.defs.assets.promoted import promoted_key
from vp_assets.defs.assets.raw import KEY as RAW_KEY
from vp_assets.defs.assets.sweeps import sweep_key
from vp_assets.defs.definitions import build_definitions
from vp_assets.research.requests import Chain
from vp_assets.runs.in_process import open_instance
from vp_assets.settings import load_settings

SERVING = """
name: daily_signal
pipeline: every_day
signal: {name: derivative, params: {zscore_window_bins: 60, zscore_min_periods: 20}, threshold: null, cooldown_bins: 5}
"""
EXPERIMENT = """
name: daily_sweep
serving: daily_signal
eval: {tp_ticks: [2], sl_ticks: [2], max_hold_bins: 50, warmup_bins: 40, cooldown_bins: [5], min_signals: 1}
selection: {sort: net_mean_pnl_ticks, min_signals: 1}
tracking: {backend: none}
"""
FRIDAY, SATURDAY, SUNDAY, MONDAY = "2026-02-06", "2026-02-07", "2026-02-08", "2026-02-09"
CHAIN = [
    RAW_KEY, book_key("every_day"), bins_key("every_day"), sweep_key("daily_sweep"), promoted_key("daily_sweep"),
]  # fmt: skip


class Runs:
    """The code location over one lake, and its runs."""

    def __init__(self, lake: Path, configs: Path) -> None:
        self.settings = load_settings(lake, configs, environ={})
        self.instance = open_instance(self.settings)
        definitions = build_definitions(self.settings, Chain(self.settings))
        self.job = definitions.resolve_implicit_global_asset_job_def()

    def launch(self, keys: list[dg.AssetKey], day: str) -> dg.ExecuteInProcessResult:
        """One run, as the UI's button makes it."""
        return self.job.execute_in_process(
            asset_selection=keys, partition_key=day, instance=self.instance, raise_on_error=False
        )

    def made(self, result: dg.ExecuteInProcessResult) -> set[str]:
        """Assets that a run has materialised."""
        return {
            event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key
        }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Friday and Monday of sample data, with a weekend between."""
    root = tmp_path_factory.mktemp("chain")
    for kind, name, text in (
        ("pipelines", "every_day", DAILY),
        ("serving", "daily_signal", SERVING),
        ("experiments", "daily_sweep", EXPERIMENT),
    ):
        (root / "configs" / kind).mkdir(parents=True, exist_ok=True)
        (root / "configs" / kind / f"{name}.yaml").write_text(text)

    class _Nothing:
        def readouterr(self) -> tuple[str, str]:
            return "", ""

    said: Any = say(
        _Nothing(), "sample", "--from", FRIDAY, "--to", MONDAY, "--start", "09:28:30", "--end", "09:30:30",
        "--events-per-s", "200", "--lake-root", root / "lake", "--config-dir", root / "configs",
    )  # fmt: skip
    assert said.code == 0
    made = Runs(root / "lake", root / "configs")
    yield made
    made.instance.dispose()


def test_chain_of_one_day_when_selected_whole_then_ends_with_its_promoted_spec(runs: Runs) -> None:
    result = runs.launch(CHAIN, FRIDAY)
    assert result.success
    assert runs.made(result) == {key.to_user_string() for key in CHAIN}


def test_promoted_when_another_day_runs_with_it_then_reads_every_day(runs: Runs) -> None:
    result = runs.launch(CHAIN, MONDAY)
    assert result.success
    assert runs.launch(CHAIN[-1:], MONDAY).success


@pytest.mark.parametrize("day", [SATURDAY, SUNDAY])
def test_chain_of_a_day_without_a_session_when_run_then_is_done_as_no_session(runs: Runs, day: str) -> None:
    result = runs.launch(CHAIN[:-1], day)
    assert result.success
    events = [event.materialization for event in result.get_asset_materialization_events()]
    assert {event.asset_key for event in events} == set(CHAIN[:-1])
    for event in events:
        assert str(event.metadata["day"].value).startswith("no session"), event.metadata


def test_one_asset_of_a_day_when_its_upstream_is_there_then_runs_alone(runs: Runs) -> None:
    for key in CHAIN[1:-1]:
        result = runs.launch([key], FRIDAY)
        assert result.success, key
        assert runs.made(result) == {key.to_user_string()}


def test_chain_of_a_day_when_its_raw_data_is_missing_then_fails_and_says_what_to_do(runs: Runs) -> None:
    result = runs.launch(CHAIN, "2026-02-05")
    assert not result.success
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert any("no raw day 2026-02-05" in (error.to_string() if error else "") for error in errors)


def test_chain_of_a_day_when_its_raw_data_comes_later_then_makes_all(runs: Runs, capsys: pytest.CaptureFixture) -> None:
    assert not runs.launch(CHAIN, "2026-02-05").success
    said = say(
        capsys, "sample", "--day", "2026-02-05", "--start", "09:28:30", "--end", "09:30:30", "--events-per-s", "200",
        "--lake-root", runs.settings.lake_root, "--config-dir", runs.settings.config_dir,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert runs.launch(CHAIN, "2026-02-05").success
