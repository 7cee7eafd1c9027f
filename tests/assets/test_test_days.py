"""Test days report and have no say, wherever the spec lies and whatever became of it; instruments are not mixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.assets.conftest import DAILY, say
from tests.assets.test_whole_chain_runs import SERVING
from vp_engine.lake import Lake
from vp_engine.lake.results import ResultsDB

TRAIN, TEST = "2026-02-05", "2026-02-06"
SPLIT = f"""
name: split_sweep
serving: daily_signal
days: {{train: ["{TRAIN}"], test: ["{TEST}"]}}
eval: {{tp_ticks: [2], sl_ticks: [2], max_hold_bins: 50, warmup_bins: 40, cooldown_bins: [5, 9], min_signals: 1}}
selection: {{sort: net_mean_pnl_ticks, min_signals: 1}}
tracking: {{backend: none}}
"""


class Place:
    """A lake with two days, a config folder without the experiment, and the experiment's file elsewhere."""

    def __init__(self, root: Path) -> None:
        self.lake, self.configs, self.spec = root / "lake", root / "configs", root / "elsewhere" / "split_sweep.yaml"

    def vp(self, capsys: Any, *argv: str | Path) -> Any:
        said = say(capsys, *argv, "--lake-root", self.lake, "--config-dir", self.configs)
        assert said.code == 0, said.err
        return said


class _Unread:
    def readouterr(self) -> tuple[str, str]:
        return "", ""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("split")
    made = Place(root)
    for kind, name, text in (("pipelines", "every_day", DAILY), ("serving", "daily_signal", SERVING)):
        (made.configs / kind).mkdir(parents=True)
        (made.configs / kind / f"{name}.yaml").write_text(text)
    made.spec.parent.mkdir()
    made.spec.write_text(SPLIT)
    made.vp(
        _Unread(), "sample", "--from", TRAIN, "--to", TEST, "--start", "09:28:30", "--end", "09:30:30",
        "--events-per-s", "300",
    )  # fmt: skip
    made.vp(_Unread(), "run", made.spec)
    return made


def test_compare_when_the_spec_lies_outside_the_configs_then_leaves_its_test_day_out(place: Place, capsys: Any) -> None:
    rows = place.vp(capsys, "compare", "--min-signals", "0", "--all-thresholds", "--json").data
    assert {(row["dt"], row["day_role"]) for row in rows} == {(TRAIN, "train")}
    said = place.vp(capsys, "compare", "--min-signals", "0").out
    assert f"Left out above: {TEST}." in said


def test_compare_when_the_spec_is_gone_then_still_knows_the_split(place: Place, capsys: Any) -> None:
    text = place.spec.read_text()
    place.spec.unlink()
    try:
        rows = place.vp(capsys, "compare", "--experiment", "split_sweep", "--min-signals", "0", "--json").data
        assert {row["dt"] for row in rows} == {TRAIN}
    finally:
        place.spec.write_text(text)


def test_query_best_when_test_days_are_there_then_never_chooses_among_them(place: Place) -> None:
    db = ResultsDB(Lake(place.lake))
    assert set(db.query_best(min_signals=0)["dt"].to_pylist()) == {TRAIN}
    assert set(db.query_runs(min_signals=0)["dt"].to_pylist()) == {TRAIN, TEST}


def test_sql_when_best_is_asked_then_leaves_test_days_out_and_tells_every_role(place: Place, capsys: Any) -> None:
    rows = place.vp(capsys, "sql", "select distinct dt, day_role from runs_meta order by dt", "--json").data
    assert [(row["dt"], row["day_role"]) for row in rows] == [(TRAIN, "train"), (TEST, "test")]


def test_promote_when_days_are_split_then_the_spec_says_which_days_chose_and_which_reported(
    place: Place, capsys: Any
) -> None:
    promoted = place.vp(capsys, "promote", place.spec, "--json").data
    record = yaml.safe_load(Path(promoted["path"]).read_text())["promoted"]
    assert (record["train_days"], record["test_days"]) == ([TRAIN], [TEST])
    assert record["test_figures"]["role"] == "test"
    assert record["test_figures"]["n_signals"] > 0


def test_compare_when_the_lake_holds_another_instrument_then_ranks_the_locked_one_and_says_so(
    place: Place, capsys: Any, tmp_path: Path
) -> None:
    lock = (Path(__file__).parents[2] / "vp_engine" / "specs" / "instrument.yaml").read_text()
    (tmp_path / "other.yaml").write_text(lock.replace("symbol: MNQH6", "symbol: MNQM6"))
    said = place.vp(capsys, "compare", "--min-signals", "0", "--instrument", tmp_path / "other.yaml")
    assert "MNQH6" in said.out
    rows = place.vp(capsys, "compare", "--min-signals", "0", "--instrument", tmp_path / "other.yaml", "--json").data
    assert rows == []


def test_run_and_compare_when_asked_of_one_run_then_show_the_same_threshold_and_number(
    place: Place, capsys: Any
) -> None:
    ran = place.vp(capsys, "run", place.spec, "--json").data["best"]
    compared = place.vp(capsys, "compare", "--json").data
    shown = {row["run_id"]: (row["threshold"], row["n_signals"]) for row in compared}
    for row in ran:
        if row["dt"] == TRAIN:
            assert shown[row["run_id"]] == (row["threshold"], row["n_signals"])
    assert compared[0]["net_mean_pnl_dollars"] == pytest.approx(0.5 * compared[0]["net_mean_pnl_ticks"])
