"""A promoted learning signal streams from its models: the values and firings that it was judged by, bit for bit."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_house import House
from wire_client import serving

from tests.support.model_damage import DAMAGES, SIGNALS, forge
from vp_engine.evaluation import (
    Detector,
    Evaluation,
    evaluate,
    expand,
    keep_models,
    promoted_spec,
    select_row,
)
from vp_engine.evaluation.sweep import replay_trades, signal_values, sweep_input
from vp_engine.lake import Lake, open_dataset
from vp_engine.lake.models import models_dir
from vp_engine.lake.promoted import commit_promoted
from vp_engine.signals import get_signal
from vp_engine.specs import ExperimentSpec, SpecBook, dump_yaml, load_instrument

EXPERIMENT = {
    "name": "short_ml",
    "serving": "short_derivative",
    "eval": {"tp_ticks": 2, "sl_ticks": 2, "max_hold_bins": 60, "warmup_bins": 60, "min_signals": 1},
    "selection": {"sort": "n_signals", "min_signals": 1},
}
QUICK = {
    "gbm_mf": {"first_bins": [200], "refit_bins": [200], "rounds": [5], "min_labels": [20]},
    "knn_cl": {"first_bins": [150], "refit_bins": [100], "min_labels": [10]},
    "lsvm_der": {"first_bins": [150], "refit_bins": [150], "min_labels": [10]},
    "pca_ad": {"first_bins": [150], "refit_bins": [100], "z_window_bins": [60]},
    "svm_sp": {"first_bins": [150], "refit_bins": [100]},
    "xgb_snap": {"first_bins": [200], "refit_bins": [200], "rounds": [5], "min_labels": [20]},
}


@pytest.mark.parametrize("name", sorted(QUICK))
def test_the_stream_says_what_the_sweep_judged(
    house: House, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(house.root, tmp_path / "lake")
    lake = Lake(tmp_path / "lake")
    dataset = open_dataset(lake, house.dataset_id)
    specs = SpecBook.load(house.configs, None, load_instrument())
    base = specs.serving["short_derivative"]
    experiment = ExperimentSpec.parse({**EXPERIMENT, "signals": [name], "sweep": {"per_signal": {name: QUICK[name]}}})
    trials = expand(experiment, base, specs.serving_config("short_derivative"))
    result = evaluate(dataset, trials, experiment=experiment, serving=base)
    meta, run = select_row(result.runs_meta, result.runs, experiment)
    spec = promoted_spec(base, meta, run, experiment)
    assert spec.promoted is not None
    assert keep_models(lake, dataset, name, trials[0].parameters) == spec.promoted.models
    commit_promoted(lake, spec.name, dump_yaml(spec))
    values = signal_values(sweep_input(dataset, [name]), trials[0])
    trades, _ = replay_trades(dataset, name, trials[0].parameters, spec.promoted.eval, run["threshold"])
    assert trades.fire_bin.size
    judged = Evaluation.parse(spec.promoted.eval, "eval")
    valid = np.ascontiguousarray(dataset.bins["book_valid"])
    detector = Detector(
        run["threshold"], judged.cooldown_bins, judged.first_bin(dataset.n_bins), get_signal(name).prediction
    )
    fired = detector.update(values, valid, np.arange(dataset.n_bins))
    # A firing is judged where its trade can be entered: one bin later, if that bin is there and has a book.
    enters = np.append(valid, np.zeros(judged.entry_delay_bins, np.int8))[judged.entry_delay_bins :] != 0
    assert trades.fire_bin.tolist() == np.flatnonzero((fired != 0) & enters).tolist()
    assert trades.direction.tolist() == fired[trades.fire_bin].tolist()
    assert trades.n_dropped == np.count_nonzero((fired != 0) & ~enters)

    def no_training(*_: object) -> None:
        raise AssertionError("a promoted signal must not train")

    monkeypatch.setattr(get_signal(name), "fit", no_training)
    with serving(house.settings({"VP_LAKE_ROOT": str(lake.root)})) as running:
        got = running.stream(f"serving={spec.name}&speed=0")
        assert got.code == 1000
        said = [update["signal"] for update in got.updates]
        assert {entry["name"] for entry in said} == {name}
        streamed = np.array([math.nan if entry["value"] is None else entry["value"] for entry in said])
        assert streamed.tobytes() == np.where(np.isnan(values), math.nan, values).tobytes()
        assert {entry["behind"] for entry in said} == {0}
        assert [entry["fired"] for entry in said] == fired.tolist()
        late = running.stream(f"serving={spec.name}&speed=0&from_bin=373")
        assert late.bins == got.bins[373:]

        if name in SIGNALS.values():
            kind = get_signal(name).model_type.__name__
            forge(lake, spec.promoted.models or "", 0, DAMAGES[kind]["a child out of the tree"])
            harmed = running.stream(f"serving={spec.name}&speed=0")
            assert harmed.code == 1008
            assert "its reader crashes (SIG" in str(harmed.last)
            assert running.stream("serving=short_derivative&speed=0").code == 1000  # the service outlives it

        shutil.rmtree(lake.path(models_dir(spec.promoted.models or "")))
        refused = running.stream(f"serving={spec.name}&speed=0")
        assert refused.code == 1008
        assert "promote the run again" in str(refused.last)
