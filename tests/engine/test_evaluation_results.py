"""The results in a lake, and the way from a row to a promoted spec and back to the same figures."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from evaluation_lake import CONFIG, SERVING, experiment, make_lake, same_tables

from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.evaluation import evaluate, expand, promoted_name, promoted_spec, replay_trades, select_row
from vp_engine.lake import paths
from vp_engine.lake.catalog import Catalog
from vp_engine.lake.results import LESS_IS_BETTER, SORTABLE, ResultsDB, own_selection, rank
from vp_engine.specs import ServingSpec, dump_yaml, load_yaml_spec

SWEEP, SMALLER = "cd" * 32, "ce" * 32


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Lake, dataset, results of the sweep and of a smaller one that shares two runs with it."""
    lake, dataset = make_lake(tmp_path_factory.mktemp("lake"))
    trials = expand(experiment(), SERVING, CONFIG)
    whole = evaluate(dataset, trials, sweep_address=SWEEP, experiment=experiment(), serving=SERVING)
    part = evaluate(dataset, trials[:2], sweep_address=SMALLER, experiment=experiment(), serving=SERVING)
    db = ResultsDB(lake)
    db.write(SMALLER, *part)
    db.write(SWEEP, *whole)
    return lake, dataset, db, whole


def test_a_sweep_reads_back_as_it_was_written(world):
    _, _, db, whole = world
    assert db.sweeps() == [SWEEP, SMALLER]
    meta, runs = db.read(SWEEP)
    assert same_tables(meta, whole.runs_meta)
    assert same_tables(runs, whole.runs)


def test_results_that_an_older_version_wrote_have_every_column_with_nothing_in_the_new_ones(world, tmp_path):
    """Also beside a sweep of today, and row by row."""
    from vp_engine.lake import Lake, results

    db = ResultsDB(Lake(tmp_path))
    new = ["net_mean_low_ticks", "net_mean_high_ticks", "barrier_tp_rate"]
    kept = pa.schema([field for field in results.RUNS_SCHEMA if field.name not in new])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "RUNS_SCHEMA", kept)
        db.write(SMALLER, world[3].runs_meta, world[3].runs.drop_columns(new))
    meta, runs = db.read(SMALLER)
    assert set(runs.column_names) == {field.name for field in results.RUNS_SCHEMA}
    assert all(math.isnan(value) for name in new for value in runs[name].to_pylist())
    assert db.query_runs(min_signals=0)["net_mean_low_ticks"].null_count == 0
    detail = db.detail(meta["run_id"][0].as_py())
    assert detail["rows"][0]["net_mean_low_ticks"] is None
    assert db.best_row(detail["run_id"], min_signals=0)["net_mean_high_ticks"] is None
    with Catalog(db.lake) as catalog:
        counts = "SELECT count(*) AS n, count(net_mean_low_ticks) AS with_interval FROM runs"
        assert catalog.sql(counts).to_pylist() == [{"n": runs.num_rows, "with_interval": 0}]
        db.write(SWEEP, *world[3])
        catalog.refresh()
        assert catalog.sql(counts).to_pylist() == [{"n": 2 * runs.num_rows, "with_interval": runs.num_rows}]


def test_a_committed_sweep_is_never_rewritten(world):
    lake, _, db, whole = world
    files = [lake.path(part) for part in paths.results_paths(SWEEP)]
    before = [path.stat().st_mtime_ns for path in files]
    db.write(SWEEP, whole.runs_meta, whole.runs.slice(0, 3))
    assert [path.stat().st_mtime_ns for path in files] == before
    assert not [path for path in lake.root.rglob(".tmp-*")]


def test_a_sweep_without_its_manifest_does_not_exist(world, tmp_path):
    from vp_engine.lake import Lake

    db = ResultsDB(Lake(tmp_path))
    db.write(SWEEP, *world[3])
    db.lake.path(paths.results_manifest(SWEEP)).unlink()
    assert not db.exists(SWEEP)
    assert db.sweeps() == []
    assert db.query_runs().num_rows == 0
    with pytest.raises(NotFoundError, match="run the experiment"):
        db.read(SWEEP)


def test_a_damaged_file_is_named(world, tmp_path):
    from vp_engine.lake import Lake

    db = ResultsDB(Lake(tmp_path))
    db.write(SWEEP, *world[3])
    path = db.lake.path(paths.results_paths(SWEEP)[1])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LakeError, match=SWEEP[:12]):
        db.read(SWEEP)


def test_tables_that_do_not_belong_together_are_refused(world, tmp_path):
    from vp_engine.lake import Lake

    db = ResultsDB(Lake(tmp_path))
    meta, runs = world[3]
    for bad in ((meta.slice(1), runs), (pa.concat_tables([meta, meta]), runs), (meta.drop_columns(["dt"]), runs)):
        with pytest.raises(LakeError):
            db.write(SWEEP, *bad)
    assert db.sweeps() == []


def test_queries_sort_filter_and_give_each_row_once(world):
    _, dataset, db, _ = world
    table = db.query_runs(sort="net_mean_pnl_ticks", min_signals=5, top_n=None)
    assert table.num_rows == 48
    figures = table["net_mean_pnl_ticks"].to_pylist()
    assert figures == sorted(figures, reverse=True)
    assert set(table["sweep_address"].to_pylist()) == {SWEEP}  # corrected for the most trials
    assert db.query_runs(top_n=7).num_rows == 7
    assert db.query_runs(signal="ads").num_rows == 0
    assert db.query_runs(dataset_id=dataset.dataset_id, top_n=None).num_rows == 48
    assert db.query_runs(min_signals=10**6).num_rows == 0
    assert db.query_runs(sweep_address=SMALLER, top_n=None).num_rows == 6
    lowest = db.query_runs(sort="p_value", top_n=None)["p_value"].to_pylist()
    assert lowest == sorted(lowest)
    with pytest.raises(ConfigError, match="`sort`"):
        db.query_runs(sort="luck")


def test_the_best_threshold_of_each_run(world):
    best = world[2].query_best(top_n=None)
    assert best.num_rows == 16
    assert len(set(best["run_id"].to_pylist())) == 16
    for row in best.to_pylist():
        rows = world[2].detail(row["run_id"])["rows"]
        assert row["net_mean_pnl_ticks"] == max(other["net_mean_pnl_ticks"] for other in rows)


def test_ranking_puts_the_undefined_last_and_breaks_ties_by_trades():
    nan = float("nan")
    table = pa.table(
        {
            "run_id": ["a", "b", "c", "d"],
            "threshold": [0.1, 0.1, 0.1, 0.1],
            "n_signals": [5, 9, 7, 9],
            "tp_rate": [0.5, nan, 0.5, 0.2],
            "p_value": [0.5, nan, 0.5, 0.2],
        }
    )
    assert rank(table, "tp_rate")["run_id"].to_pylist() == ["c", "a", "d", "b"]
    assert rank(table, "p_value")["run_id"].to_pylist() == ["d", "c", "a", "b"]
    assert rank(table, "p_value", min_signals=8)["run_id"].to_pylist() == ["d", "b"]
    assert set(SORTABLE) >= LESS_IS_BETTER - {"spa_p_value"}


def test_details_are_plain_and_complete(world):
    _, _, db, whole = world
    meta = whole.runs_meta.to_pylist()[5]
    detail = db.detail(meta["run_id"])
    assert detail["sweep_address"] == SWEEP
    assert [row["threshold"] for row in detail["rows"]] == [0.05, 0.1, 0.2]
    assert detail["parameters"]["zscore_min_periods"] == 20
    assert detail["evaluation"]["tp_ticks"] == meta["tp_ticks"]
    assert ServingSpec.parse(detail["serving_spec"]) == SERVING
    assert detail["spa_p_value"] is None
    assert db.best_row(meta["run_id"], "n_signals")["n_signals"] == max(row["n_signals"] for row in detail["rows"])
    with pytest.raises(NotFoundError, match="vp compare"):
        db.detail("0" * 16)
    with pytest.raises(NotFoundError, match="signals"):
        db.best_row(meta["run_id"], min_signals=10**6)


def test_best_row_when_the_sweep_chose_by_another_column_then_follows_what_it_was_made_with(world, tmp_path):
    dataset = world[1]
    chosen = experiment(selection={"sort": "n_signals", "min_signals": 0})
    result = evaluate(dataset, expand(chosen, SERVING, dataset.config), sweep_address=SMALLER, experiment=chosen)
    db = ResultsDB(type(world[0])(tmp_path))
    db.write(SMALLER, result.runs_meta, result.runs)
    run = result.runs_meta["run_id"][0].as_py()
    rows = db.detail(run)["rows"]
    assert db.best_row(run)["n_signals"] == max(row["n_signals"] for row in rows)
    table = db.query_runs(top_n=None)  # least trades 0 is 0, and no word of an older version
    assert table.num_rows == result.runs.num_rows
    assert own_selection({"selection_sort": "", "min_signals": 0}) == ("net_mean_pnl_ticks", 5)  # of an older version


def test_promotion_round_trip(world, tmp_path):
    _, dataset, db, whole = world
    spec = experiment()
    meta, run = select_row(*whole, spec)
    assert run["net_mean_pnl_ticks"] == max(whole.runs["net_mean_pnl_ticks"].to_pylist())
    promoted = promoted_spec(SERVING, meta, run, spec)
    path = tmp_path / f"{promoted.name}.yaml"
    path.write_text(dump_yaml(promoted))
    again = load_yaml_spec(path, ServingSpec)
    assert again == promoted

    assert again.name == promoted_name("mini_sweep", meta["run_id"], run["threshold"])
    assert again.name.startswith("mini_sweep_promoted_")
    assert (again.pipeline, again.projection) == (SERVING.pipeline, SERVING.projection)
    assert again.signal.threshold == again.promoted.threshold == run["threshold"]
    assert again.signal.cooldown_bins == meta["cooldown_bins"]
    assert (again.promoted.run_id, again.promoted.dataset_address) == (meta["run_id"], dataset.address)
    trades, figures = replay_trades(
        dataset, again.signal.name, again.signal.params, again.promoted.eval, again.signal.threshold
    )
    assert trades.kind.size == again.promoted.figures["n_signals"]
    for name, value in figures.items():
        if name != "threshold":
            assert again.promoted.figures[name] == value
    detail = db.detail(meta["run_id"])
    row = next(row for row in detail["rows"] if row["threshold"] == run["threshold"])
    assert promoted_spec(SERVING, detail, row, spec) == promoted


def test_a_named_row_is_taken_whatever_it_did(world):
    meta = world[3].runs_meta.to_pylist()[2]
    strict = experiment(selection={"min_signals": 10**6})
    _, run = select_row(*world[3], strict, meta["run_id"], 0.1)
    assert (run["run_id"], run["threshold"]) == (meta["run_id"], 0.1)
    _, best = select_row(*world[3], experiment(), meta["run_id"])
    assert best["run_id"] == meta["run_id"]


def test_selection_that_finds_nothing_says_why(world):
    whole = world[3]
    with pytest.raises(ConfigError, match=r"no row has the 1000000 signals.*the most is \d+"):
        select_row(*whole, experiment(selection={"min_signals": 10**6}))
    with pytest.raises(NotFoundError, match="no run `ffff"):
        select_row(*whole, experiment(), "f" * 16)
    with pytest.raises(NotFoundError, match=r"no row with threshold 0\.3; there are 0\.05, 0\.1, 0\.2"):
        select_row(*whole, experiment(), threshold=0.3)
    with pytest.raises(ConfigError, match="`sort`"):
        select_row(*whole, experiment(selection={"sort": "luck"}))
    meta, run = select_row(*whole, experiment())
    with pytest.raises(ConfigError, match="does not belong"):
        promoted_spec(SERVING, meta, {**run, "run_id": "0" * 16}, experiment())


def test_figures_that_are_not_defined_are_left_out(world):
    meta, run = select_row(*world[3], experiment())
    promoted = promoted_spec(SERVING, meta, {**run, "sharpe": math.nan, "p_holm": None}, experiment())
    assert not {"sharpe", "p_holm"} & set(promoted.promoted.figures)
