"""Sweeps: what is tried, what a row says, that workers and repetition change nothing, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from evaluation_lake import CONFIG, SERVING, experiment, make_dataset, make_lake, same_tables
from evaluation_twin import twin_effective, twin_independent, twin_moments, twin_trades

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.evaluation import Trial, evaluate, expand, experiment_address, replay_trades, run_id, trial_id
from vp_engine.evaluation.barriers import market_of_bins
from vp_engine.evaluation.rows import FALLBACK_THRESHOLDS, calibrated_thresholds
from vp_engine.evaluation.statistics import break_even_rate, holm
from vp_engine.evaluation.sweep import signal_values, sweep_input
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA
from vp_engine.specs import ServingSpec


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("lake"))[1]


@pytest.fixture(scope="module")
def trials():
    return expand(experiment(), SERVING, CONFIG)


@pytest.fixture(scope="module")
def result(dataset, trials):
    return evaluate(dataset, trials, sweep_address="cd" * 32, experiment=experiment(), serving=SERVING)


def test_the_product_of_all_axes(trials):
    assert len(trials) == 16
    assert {trial.thresholds for trial in trials} == {(0.05, 0.1, 0.2)}
    axes = {
        (t.params["zscore_window_bins"], t.params["d2_weight"], t.evaluation.tp_ticks, t.evaluation.cooldown_bins)
        for t in trials
    }
    assert axes == {(w, d, tp, c) for w in (60, 120) for d in (0.0, 0.4) for tp in (3.0, 4.0) for c in (5, 20)}


def test_later_sources_of_a_parameter_win():
    base = {"name": "s", "pipeline": "mini", "state_model": {"zscore_min_periods": 11, "tanh_scale": 2.0}}
    plain = experiment(sweep={}, eval={"tp_ticks": 8})

    def params(serving: dict, **sweep) -> dict:
        spec = plain.model_copy(update={"signals": ("derivative",)})
        spec = experiment(sweep=sweep, eval={}, signals=["derivative"]) if sweep else spec
        return expand(spec, ServingSpec.parse(serving), CONFIG)[0].params

    assert params({"name": "s", "pipeline": "mini"})["zscore_min_periods"] == 75
    assert params(base)["zscore_min_periods"] == 11
    own = {**base, "signal": {"name": "derivative", "params": {"zscore_min_periods": 12}}}
    assert params(own)["zscore_min_periods"] == 12
    assert params(own)["tanh_scale"] == 2.0
    like_named = {"zscore_min_periods": [13]}
    assert params(own, scoring=like_named)["zscore_min_periods"] == 13
    both = params(own, scoring=like_named, per_signal={"derivative": {"zscore_min_periods": [14]}})
    assert both["zscore_min_periods"] == 14


def test_axes_that_change_nothing_give_one_run():
    spec = experiment(sweep={"scoring": {"threshold_neutral": [0.1, 0.2]}}, eval={"cooldown_bins": [5, 5]})
    assert len(expand(spec, SERVING, CONFIG)) == 1


def test_run_ids_name_dataset_signal_parameters_and_evaluation(trials):
    ids = {run_id(trial, "ab" * 32) for trial in trials}
    assert len(ids) == len(trials)
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in ids)
    assert ids.isdisjoint(run_id(trial, "ac" * 32) for trial in trials)
    assert len({trial_id(trial) for trial in trials}) == len(trials)
    again = expand(experiment(name="other", selection={"sort": "tp_rate"}), SERVING, CONFIG)
    assert {run_id(trial, "ab" * 32) for trial in again} == ids


def test_a_run_id_stays_what_it_was():
    """Changes only with the code version: stored results are found by it."""
    trial = expand(experiment(), SERVING, CONFIG)[0]
    assert (trial.code_version, run_id(trial, "ab" * 32)) == ("5+derivative.1", "4ec64b15c3988c87")


def test_an_experiments_address_covers_what_its_rows_depend_on():
    def address(spec=None, serving=SERVING, datasets=("ab" * 32,)) -> str:
        return experiment_address(spec or experiment(), serving, CONFIG, datasets)

    assert address() == address(experiment(name="other", parallel={"max_workers": 2}))
    spelled = ServingSpec.parse({**SERVING.model_dump(), "state_model": {"zscore_window_bins": 240}})
    others = {
        address(experiment(eval={"tp_ticks": [9]})),
        address(serving=spelled),
        address(datasets=("ac" * 32,)),
        address(),
    }
    assert len(others) == 4


def test_rows_are_those_of_the_plain_chain(dataset, trials, result):
    runs = {(row["run_id"], row["threshold"]): row for row in result.runs.to_pylist()}
    market = market_of_bins(dataset.bins, dataset.config.tick_int)
    for trial in (trials[0], trials[-1]):
        values = signal_values(sweep_input(dataset, ["derivative"]), trial)
        rules = trial.evaluation.model_dump()
        for threshold in trial.thresholds:
            row = runs[run_id(trial, dataset.address), threshold]
            trades = twin_trades(values.tolist(), market, threshold, rules)
            assert len(trades) > 20
            net = np.array([trade.pnl for trade in trades]) - 2 * 0.1
            kinds = [trade.kind for trade in trades]
            assert row["n_signals"] == len(trades) == row["n_up"] + row["n_down"]
            assert row["n_up"] == sum(trade.direction > 0 for trade in trades)
            for name in ("tp", "sl", "timeout"):
                assert row[f"{name}_rate"] == pytest.approx(kinds.count(name) / len(trades))
                sides = [row[f"n_{side}_{name}"] for side in ("up", "down")]
                assert sides == [
                    sum(trade.kind == name and trade.direction == sign for trade in trades) for sign in (1, -1)
                ]
            hours = (dataset.n_bins - 100) * 0.1 / 3600
            assert row["events_per_hour"] == pytest.approx(len(trades) / hours)
            held = [trade.exit - trade.entry for trade in trades if trade.kind != "timeout"]
            assert row["median_time_to_outcome_ms"] == pytest.approx(100 * np.median(held))
            assert row["mean_pnl_ticks"] == pytest.approx(net.mean() + 0.2)
            assert row["net_mean_pnl_ticks"] == pytest.approx(net.mean())
            assert row["net_total_pnl_ticks"] == pytest.approx(net.sum())
            moments = twin_moments(net)
            assert [row[name] for name in ("net_std_pnl_ticks", "sharpe", "skew", "kurtosis")] == pytest.approx(
                [moments.std, moments.sharpe, moments.skew, moments.kurtosis]
            )
            assert row["break_even_rate"] == pytest.approx(break_even_rate(trial.evaluation.tp_ticks, 2, 0.2))
            assert 0 < row["p_value"] <= 1
            decided = [kind for kind in kinds if kind != "timeout"]
            assert row["barrier_tp_rate"] == pytest.approx(decided.count("tp") / len(decided))
            assert row["barrier_tp_rate_low"] < row["barrier_tp_rate"] < row["barrier_tp_rate_high"]
            assert row["net_mean_low_ticks"] < row["net_mean_pnl_ticks"] < row["net_mean_high_ticks"]
            assert row["p_value"] < 0.05 or row["net_mean_low_ticks"] <= 0
            spans = [(trade.entry, trade.exit) for trade in trades[:12]]
            assert row["n_effective"] == pytest.approx(twin_effective([(t.entry, t.exit) for t in trades]))
            assert twin_independent(spans) <= row["n_independent"] <= len(trades)


def test_tables_have_their_schema_and_join(result, trials, dataset):
    meta, runs = result
    assert meta.schema.equals(RUNS_META_SCHEMA)
    assert runs.schema.equals(RUNS_SCHEMA)
    assert meta["run_id"].to_pylist() == [run_id(trial, dataset.address) for trial in trials]
    assert runs.num_rows == 48
    assert set(meta["n_trials"].to_pylist()) == {48}
    first = meta.to_pylist()[0]
    assert json.loads(first["parameters"]) == trials[0].params
    assert json.loads(first["evaluation"]) == trials[0].evaluation.model_dump(mode="json")
    assert ServingSpec.parse(json.loads(first["serving_spec"])) == SERVING
    assert (first["first_bin"], first["n_bins"], first["dt"], first["symbol"]) == (100, 3000, "2026-02-06", "MNQH6")
    assert math.isnan(first["spa_p_value"])  # fifteen blocks of 200 bins are no sample
    assert runs["p_holm"].to_numpy() == pytest.approx(holm(runs["p_value"].to_numpy()))
    deflated = runs["deflated_sharpe"].to_numpy()
    assert ((deflated >= 0) & (deflated <= 1)).all()


def test_rows_too_few_to_choose_are_no_trials(dataset):
    few = experiment(sweep={"thresholds": {"derivative": [0.1, 0.999]}}, eval={"max_hold_bins": 200})
    meta, runs = evaluate(dataset, expand(few, SERVING, CONFIG), experiment=few)
    low, high = runs.sort_by("threshold").to_pylist()
    assert high["n_signals"] < 5 <= low["n_signals"]
    assert set(meta["n_trials"].to_pylist()) == {1}
    assert math.isnan(high["p_holm"])
    assert math.isnan(high["deflated_sharpe"])
    assert low["p_holm"] == low["p_value"]


def test_a_row_without_trades_has_no_rates(dataset):
    spec = experiment(sweep={"thresholds": {"derivative": [2.0]}})
    row = evaluate(dataset, expand(spec, SERVING, CONFIG)[:1]).runs.to_pylist()[0]
    assert (row["n_signals"], row["events_per_hour"], row["net_total_pnl_ticks"]) == (0, 0.0, 0.0)
    net = ("mean_pnl_ticks", "net_mean_pnl_ticks", "net_mean_low_ticks", "net_mean_high_ticks")
    for name in ("tp_rate", "tp_rate_low", "barrier_tp_rate", *net, "sharpe", "p_value", "p_binomial", "p_holm"):
        assert math.isnan(row[name]), name


def test_processes_and_repetition_change_nothing(dataset, trials, result):
    calls = []
    again = evaluate(
        dataset,
        trials,
        lambda done, total: calls.append((done, total)),
        sweep_address="cd" * 32,
        experiment=experiment(),
        serving=SERVING,
        max_workers=2,
    )
    assert same_tables(again.runs_meta, result.runs_meta)
    assert same_tables(again.runs, result.runs)
    assert calls[0] == (0, 16)
    assert calls[-1] == (16, 16)
    assert calls == sorted(calls)


def test_a_row_can_be_had_again_from_what_the_tables_say(dataset, result):
    meta = result.runs_meta.to_pylist()[3]
    row = next(row for row in result.runs.to_pylist() if row["run_id"] == meta["run_id"])
    parameters, rules = json.loads(meta["parameters"]), json.loads(meta["evaluation"])
    trades, figures = replay_trades(dataset, meta["signal"], parameters, rules, row["threshold"])
    assert trades.kind.size == row["n_signals"]
    assert {name: row[name] for name in figures} == figures


def test_another_days_dataset_gives_other_runs_of_the_same_trials(dataset, trials, tmp_path):
    from vp_engine.lake import Lake

    other = make_dataset(Lake(tmp_path), seed=2, address="ac" * 32)
    here, there = (evaluate(source, trials[:2]).runs_meta for source in (dataset, other))
    assert here["trial_id"].equals(there["trial_id"])
    assert set(here["run_id"].to_pylist()).isdisjoint(there["run_id"].to_pylist())


def test_quantile_thresholds_come_from_the_calibration_part_alone(dataset):
    spec = experiment(
        sweep={"thresholds": {"derivative": "quantiles"}}, eval={"warmup_bins": 100, "max_hold_bins": 200}
    )
    trial = expand(spec, SERVING, CONFIG)[0]
    assert trial.thresholds is None
    assert trial.evaluation.first_bin(3000) == 600
    meta, runs = evaluate(dataset, [trial])
    values = signal_values(sweep_input(dataset, ["derivative"]), trial)
    valid = np.ascontiguousarray(dataset.bins["book_valid"])
    known = np.abs(values[100:600][valid[100:600] != 0])
    expected = sorted({round(float(q), 6) for q in np.quantile(known, [0.5, 0.7, 0.8, 0.9, 0.95, 0.99])} - {0.0})
    assert runs["threshold"].to_pylist() == expected
    assert meta["first_bin"].to_pylist() == [600]
    changed = values.copy()
    changed[600:] = 9.0
    assert calibrated_thresholds(changed, valid, trial.evaluation) == tuple(expected)
    assert calibrated_thresholds(values * 0, valid, trial.evaluation) == FALLBACK_THRESHOLDS


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        ({"signals": ["derivativ"]}, NotFoundError, "did you mean `derivative`"),
        ({"sweep": {"per_signal": {"derivative": {"d4_weight": [1]}}}}, ConfigError, "d4_weight"),
        ({"sweep": {"per_signal": {"ads": {"x": [1]}}}}, ConfigError, "ads"),
        ({"sweep": {"thresholds": {"ads": [1]}}}, ConfigError, "ads"),
        ({"sweep": {"scoring": {"zscore_window_bins": [10]}}}, ConfigError, "zscore_min_periods"),
    ],
)
def test_what_cannot_be_swept_is_named(overrides, error, words):
    with pytest.raises(error, match=words) as caught:
        expand(experiment(**overrides), SERVING, CONFIG)
    assert "\n" not in str(caught.value)


def test_sweeps_that_make_no_sense_are_refused(dataset, trials):
    with pytest.raises(ConfigError, match="at least one trial"):
        evaluate(dataset, [])
    with pytest.raises(ConfigError, match="twice"):
        evaluate(dataset, [trials[0], trials[0]])
    late = trials[0]._replace(evaluation=trials[0].evaluation.model_copy(update={"warmup_bins": 3000}))
    with pytest.raises(ConfigError, match="3000 bins"):
        evaluate(dataset, [late])
    bare = ServingSpec.parse({"name": "bare", "pipeline": "mini"})
    with pytest.raises(ConfigError, match="names no `signals`"):
        expand(experiment(), bare, CONFIG)
    with pytest.raises(ConfigError, match="`threshold`"):
        evaluate(dataset, [Trial("derivative", trials[0].params, {}, (-1.0,), trials[0].evaluation)])
