"""A small lake: a synthetic capture with its dataset, one without, a sweep over the first, and a promoted spec."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.evaluation.promotion import promoted_spec
from vp_engine.evaluation.sweep import evaluate
from vp_engine.evaluation.trials import expand, experiment_address
from vp_engine.lake import Dataset, Lake, book_address, dataset_address, import_raw, write_dataset
from vp_engine.lake.promoted import commit_promoted
from vp_engine.lake.results import ResultsDB
from vp_engine.sample import SampleSpec, write_sample
from vp_engine.specs import SpecBook, dump_yaml, load_instrument
from vp_engine.stream import BINS_CODE_VERSION, stream_events
from vp_serving.settings import ServingSettings, load_settings

SPECS = {
    "pipelines/short.yaml": """
name: short
capture: {product_type: future_mbo, symbol: MNQH6, dt: "2026-02-06", start_time: "09:30", end_time: "09:31"}
pipeline: {warmup_hours: 0.01}
""",
    "pipelines/unstored.yaml": """
name: unstored
capture: {product_type: future_mbo, symbol: MNQH6, dt: "2026-02-06", start_time: "09:31", end_time: "09:32"}
pipeline: {warmup_hours: 0.01}
""",
    "pipelines/absent.yaml": """
name: absent
capture: {product_type: future_mbo, symbol: MNQH6, dt: "2026-02-09", start_time: "09:30", end_time: "09:31"}
""",
    "pipelines/foreign.yaml": """
name: foreign
capture: {product_type: future_mbo, symbol: ESH6, dt: "2026-02-06", start_time: "09:30", end_time: "09:31"}
""",
    "serving/short_derivative.yaml": """
name: short_derivative
pipeline: short
scoring: {zscore_min_periods: 30}
state_model: {zscore_min_periods: 30, d2_weight: 0.25}
signal: {name: derivative, params: {zscore_min_periods: 30}, threshold: 0.05, cooldown_bins: 5}
""",
    "serving/short_plain.yaml": "{name: short_plain, pipeline: short}",
    "serving/unstored_derivative.yaml": """
name: unstored_derivative
pipeline: unstored
signal: {name: derivative, threshold: 0.05}
""",
    "serving/absent_plain.yaml": "{name: absent_plain, pipeline: absent}",
    "experiments/short_sweep.yaml": """
name: short_sweep
serving: short_derivative
eval: {tp_ticks: 2, sl_ticks: 2, max_hold_bins: 50, warmup_bins: 60, min_signals: 1}
sweep: {per_signal: {derivative: {d2_weight: [0.0, 0.5]}}}
selection: {sort: n_signals, min_signals: 1}
""",
}


class House(NamedTuple):
    """Paths and names of the small lake."""

    root: Path
    configs: Path
    lake: Lake
    dataset_id: str
    run_ids: list[str]
    promoted: str

    def settings(self, environ: dict[str, str] | None = None, **flags: Any) -> ServingSettings:
        """Settings of a service over it."""
        paths = {"VP_LAKE_ROOT": str(self.root), "VP_CONFIG_DIR": str(self.configs)}
        return load_settings({"log_level": "warning"} | flags, paths | (environ or {}))


def build_house(folder: Path) -> House:
    """The small lake below a folder."""
    lake, configs = Lake(folder / "lake"), folder / "configs"
    for name, text in SPECS.items():
        path = configs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    lock = load_instrument()
    sample = SampleSpec(start=dt.time(9, 28), end=dt.time(9, 33), events_per_s=300.0, resting_orders=1000)
    file = write_sample(folder / "glbx-20260206.mbo.dbn.zst", sample).path
    raw = import_raw(lake, lock, file, source="synthetic")
    specs = SpecBook.load(configs, None, lock)
    dataset = _dataset(lake, specs, raw)
    serving_spec, experiment = specs.serving["short_derivative"], specs.experiments["short_sweep"]
    config = specs.serving_config("short_derivative")
    address = experiment_address(experiment, serving_spec, config, [dataset.address])
    trials = expand(experiment, serving_spec, config)
    result = evaluate(dataset, trials, sweep_address=address, experiment=experiment, serving=serving_spec)
    results = ResultsDB(lake)
    results.write(address, result.runs_meta, result.runs)
    run_ids = result.runs_meta["run_id"].to_pylist()
    promoted = promoted_spec(
        serving_spec, results.detail(run_ids[0]), results.best_row(run_ids[0], "n_signals"), experiment
    )
    commit_promoted(lake, promoted.name, dump_yaml(promoted))
    return House(lake.path(), configs, lake, dataset.dataset_id, run_ids, promoted.name)


def _dataset(lake: Lake, specs: SpecBook, raw: Any) -> Dataset:
    """The bins of `short`, as the research road stores them."""
    pipeline = specs.pipelines["short"]
    config, capture = pipeline.config(specs.lock), pipeline.resolve(specs.lock)
    book = book_address(config, capture, raw.manifest.address, code_version=BOOK_CODE_VERSION)
    address = dataset_address(config, capture, book, [raw.manifest.address], code_version=BINS_CODE_VERSION)
    events = stream_events([raw.path], config, capture)
    info = write_dataset(
        lake, events, config=config, capture=capture, pipeline="short", address=address,
        inputs={"book": book, "raw": [raw.manifest.address]}, counters=lambda: events.counters,
    )  # fmt: skip
    return Dataset(info)
