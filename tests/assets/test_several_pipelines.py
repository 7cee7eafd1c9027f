"""One experiment over several pipelines, run, compared and promoted under its one name; and over several days."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.assets.conftest import EXPERIMENT, PIPELINE, World, say

FAST = PIPELINE.replace("name: minute", "name: fast").replace("0.02}", "0.02, tau_velocity: 1.5}")
BOTH = EXPERIMENT.replace("name: minute_sweep", "name: both\npipelines: [minute, fast]")


@pytest.fixture(scope="module")
def where(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Options that name a copy of the world with one more pipeline, and an experiment over both."""
    root = tmp_path_factory.mktemp("several")
    shutil.copytree(world.lake, root / "lake")
    shutil.copytree(world.configs, root / "configs")
    (root / "configs" / "pipelines" / "fast.yaml").write_text(FAST)
    (root / "configs" / "experiments" / "both.yaml").write_text(BOTH)
    return "--lake-root", str(root / "lake"), "--config-dir", str(root / "configs")


def test_an_experiment_is_tried_on_each_of_its_pipelines(where: tuple[str, ...], world: World, capsys: Any) -> None:
    said = say(capsys, "run", "both", *where, "--json")
    assert said.code == 0, said.err
    states = {step["asset"]: step["store_hit"] for step in said.data["steps"]}
    assert states["minute/bins"] is True
    assert (states["fast/bins"], states["both_on_fast/sweep"]) == (False, False)
    # The same question as the experiment of one pipeline asks, so its results answer.
    assert states["both_on_minute/sweep"] is True
    assert {row["pipeline"] for row in said.data["best"]} == {"minute", "fast"}

    table = say(capsys, "compare", "--experiment", "both", "--min-signals", "2", *where)
    assert table.code == 0, table.err
    assert "trials in 2 sweeps" in " ".join(table.out.split())

    open_ = say(capsys, "promote", "both", *where)
    assert open_.code == 2
    assert "name a run by `--run-id`, or one of: both_on_minute, both_on_fast" in " ".join(open_.err.split())
    run_id = next(row["run_id"] for row in said.data["best"] if row["pipeline"] == "fast")
    promoted = say(capsys, "promote", "both", "--run-id", run_id, *where, "--json")
    assert promoted.code == 0, promoted.err
    assert promoted.data["serving"].startswith("both_on_fast_promoted_")


def test_a_file_outside_the_folder_may_name_pipelines_too(where: tuple[str, ...], tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(BOTH.replace("name: both", "name: mine").replace("minute, fast", "fast, nowhere"))
    said = say(capsys, "run", str(file), *where)
    assert said.code == 2
    assert "`pipelines` names `nowhere`, which is no pipeline" in " ".join(said.err.split())
    file.write_text(BOTH.replace("name: both", "name: mine").replace("minute, fast", "fast"))
    said = say(capsys, "run", str(file), *where, "--json")
    assert said.code == 0, said.err
    assert said.data["steps"][-1]["asset"] == "mine_on_fast/sweep"
    assert said.data["steps"][-1]["store_hit"] is True
    file.write_text(BOTH)
    said = say(capsys, "run", str(file), *where)
    assert said.code == 2
    assert "the name `both` is taken by" in " ".join(said.err.split())


SPLIT = """
name: split
serving: daily
days: {train: ["2026-02-06"], test: ["2026-02-09"]}
eval: {tp_ticks: [1], sl_ticks: [1], max_hold_bins: 40, warmup_bins: 30, cooldown_bins: [2, 3], min_signals: 1}
sweep: {thresholds: {msd: [1.0, 10.0]}}
selection: {sort: net_mean_pnl_ticks, min_signals: 1}
tracking: {backend: none}
"""


def test_days_that_report_do_not_rank(where: tuple[str, ...], capsys: Any) -> None:
    configs = Path(where[-1])
    (configs / "serving" / "daily.yaml").write_text("name: daily\npipeline: every_day\nsignal: {name: msd}\n")
    (configs / "experiments" / "split.yaml").write_text(SPLIT)
    span = ("--from", "2026-02-09", "--to", "2026-02-09", "--start", "09:28", "--end", "09:32")
    made = say(capsys, "sample", *span, "--events-per-s", "300", *where[:2])
    assert made.code == 0, made.err
    ran = say(capsys, "run", "split", *where, "--json")
    assert ran.code == 0, ran.err
    assert [(day["day"], day["role"]) for day in ran.data["days"]] == [("2026-02-06", "train"), ("2026-02-09", "test")]
    options = ("compare", "--experiment", "split", "--min-signals", "1", *where)
    assert {row["dt"] for row in say(capsys, *options, "--json").data} == {"2026-02-06"}
    said = " ".join(say(capsys, *options).out.split())
    assert "Left out above: 2026-02-09." in said
    assert "Test days alone:" in said
