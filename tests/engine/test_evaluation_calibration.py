"""Thresholds from the calibration part, and signals that read scores, through a sweep over a stored dataset."""

from __future__ import annotations

import math

import numpy as np
import pyarrow.compute as pc
import pytest
from signal_market import TickMarket, random_market

from vp_engine.errors import ConfigError
from vp_engine.evaluation import evaluate, expand, replay_trades, run_id
from vp_engine.evaluation.sweep import signal_values, sweep_input
from vp_engine.lake import Lake, open_dataset
from vp_engine.lake.datasets import Dataset, write_dataset
from vp_engine.signals import list_signals, make_signal, run_signal
from vp_engine.specs import ExperimentSpec, PipelineSpec, ServingSpec, build_config_with_overrides, load_instrument

N_BINS = 1200
PIPELINE = PipelineSpec.parse(
    {
        "name": "ticks",
        "capture": {
            "product_type": "future_mbo", "symbol": "MNQH6", "dt": "2026-02-06",
            "start_time": "09:30", "end_time": "09:32",
        },
        "pipeline": {"grid_radius_ticks": 30},
    }
)  # fmt: skip
SERVING = ServingSpec.parse(
    {"name": "ticks_serving", "pipeline": "ticks", "scoring": {"zscore_window_bins": 60, "zscore_min_periods": 20}}
)
CONFIG = SERVING.config(load_instrument(), PIPELINE)
QUANTILES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


def experiment(signals: list[str], **overrides) -> ExperimentSpec:
    evaluation = {"tp_ticks": 3, "sl_ticks": 2, "max_hold_bins": 200, "warmup_bins": 100, "cooldown_bins": 5}
    return ExperimentSpec.parse(
        {"name": "ticks_sweep", "serving": SERVING.name, "signals": signals, "eval": evaluation, **overrides}
    )


def stored(folder, market: TickMarket) -> Dataset:
    lake = Lake(folder)
    capture = PIPELINE.resolve(load_instrument())
    block = market.block(CONFIG)
    block.bins["bin_start_ns"] = capture.start_ns + np.arange(N_BINS) * CONFIG.bin_ns
    block.bins["bin_end_ns"] = block.bins["ts_ns"] = block.bins["bin_start_ns"] + CONFIG.bin_ns
    info = write_dataset(
        lake, iter([block]), config=PIPELINE.config(load_instrument()), capture=capture, pipeline=PIPELINE.name,
        address="ab" * 32, inputs={}, counters=dict,
    )  # fmt: skip
    return open_dataset(lake, info.dataset_id)


@pytest.fixture(scope="module")
def market():
    return random_market(5, N_BINS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, market):
    return stored(tmp_path_factory.mktemp("lake"), market)


def thresholds(dataset: Dataset, spec: ExperimentSpec) -> list[float]:
    runs = evaluate(dataset, expand(spec, SERVING, CONFIG), experiment=spec).runs
    return runs["threshold"].to_pylist()


@pytest.mark.parametrize("name", ["msd", "pfp", "spg"])
def test_thresholds_are_quantiles_of_the_calibration_part(dataset, name):
    spec = experiment([name])
    (trial,) = expand(spec, SERVING, CONFIG)
    assert trial.thresholds is None
    values = signal_values(sweep_input(dataset, [name]), trial)
    first = math.ceil(0.2 * N_BINS)
    part, valid = values[100:first], dataset.bins["book_valid"][100:first] != 0
    assert thresholds(dataset, spec) == sorted({round(q, 6) for q in np.quantile(np.abs(part[valid]), QUANTILES)})
    result = evaluate(dataset, [trial], experiment=spec)
    assert result.runs_meta["first_bin"].to_pylist() == [first]
    row = result.runs.to_pylist()[0]
    trades, _ = replay_trades(dataset, name, trial.params, trial.evaluation.model_dump(), row["threshold"])
    assert len(trades.fire_bin) == row["n_signals"] > 5
    assert trades.fire_bin.min() >= first


def test_thresholds_do_not_know_the_bins_they_are_judged_on(tmp_path, dataset, market):
    first = math.ceil(0.2 * N_BINS)
    later = {name: np.where(np.arange(N_BINS)[:, None] < first, x, 9 * x) for name, x in market.columns.items()}
    other = stored(tmp_path, market._replace(columns=later))
    spec = experiment(["msd"])
    assert thresholds(other, spec) == thresholds(dataset, spec)


def test_lists_in_the_spec_win_and_need_no_calibration(dataset):
    spec = experiment(["msd", "ads_pfp_svac"], sweep={"thresholds": {"msd": [40.0, 20.0], "ads_pfp_svac": "quantiles"}})
    listed, asked = expand(spec, SERVING, CONFIG)
    result = evaluate(dataset, [listed, asked], experiment=spec)
    assert (listed.thresholds, asked.thresholds) == ((20.0, 40.0), None)
    assert result.runs_meta["first_bin"].to_pylist() == [100, math.ceil(0.2 * N_BINS)]
    assert result.runs_meta["n_thresholds"].to_pylist() == [2, 6]


def test_a_calibration_part_must_leave_something_to_judge(dataset):
    spec = experiment(["msd"], eval={"warmup_bins": N_BINS})
    with pytest.raises(ConfigError, match="`calibration_fraction`"):
        evaluate(dataset, expand(spec, SERVING, CONFIG))


def test_scores_are_those_of_each_scoring(dataset):
    spec = experiment(["erd"], sweep={"scoring": {"zscore_window_bins": [40, 60]}})
    trials = expand(spec, SERVING, CONFIG)
    assert [trial.scoring["zscore_window_bins"] for trial in trials] == [40, 60]
    source = sweep_input(dataset, ["erd"])
    assert sorted(source.columns) == ["composite_d1", "composite_d2", "composite_d3"]
    by_scoring = []
    for trial in trials:
        config = build_config_with_overrides(dataset.config, trial.scoring)
        alone = run_signal(make_signal("erd", trial.params, config), dataset.blocks(block_bins=7))
        assert np.count_nonzero(alone) > 100
        assert signal_values(source, trial).tobytes() == alone.tobytes()
        by_scoring.append(alone)
    assert by_scoring[0].tobytes() != by_scoring[1].tobytes()
    result = evaluate(dataset, list(reversed(trials)), experiment=spec)
    ids = {run_id(trial, dataset.address): trial for trial in trials}
    for row in result.runs.filter(pc.equal(result.runs["threshold"], 0.05)).to_pylist():
        trial = ids[row["run_id"]]
        judged = trial.evaluation.model_dump()
        trades, counted = replay_trades(dataset, "erd", trial.parameters, judged, 0.05)
        assert len(trades.fire_bin) == row["n_signals"] > 0
        assert counted["net_total_pnl_ticks"] == row["net_total_pnl_ticks"]


def test_all_statistical_signals_in_one_sweep(dataset):
    names = [info.name for info in list_signals() if info.kind == "statistical"]
    spec = experiment(names)
    result = evaluate(dataset, expand(spec, SERVING, CONFIG), experiment=spec)
    assert sorted(result.runs_meta["signal"].to_pylist()) == names
    counted = dict(zip(result.runs_meta["run_id"].to_pylist(), result.runs_meta["signal"].to_pylist(), strict=True))
    live = {counted[row["run_id"]] for row in result.runs.to_pylist() if row["n_signals"] > 0}
    assert live == set(names)
