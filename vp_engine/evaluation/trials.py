"""What a sweep tries: the product of its axes as plain, hashable trials, and the names of the runs they give.

A trial says nothing of where it came from: the same signal, parameters and evaluation on the same dataset are one run,
whichever experiment asked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vp_engine.errors import ConfigError
from vp_engine.evaluation.barriers import FillModel
from vp_engine.evaluation.statistics import break_even_rate
from vp_engine.hashing import address
from vp_engine.lake.address import sweep_address
from vp_engine.signals import Signal, get_signal, list_signals
from vp_engine.specs.base import SpecModel, check_keys
from vp_engine.specs.experiment import QUANTILES, ExperimentSpec
from vp_engine.specs.runtime import SCORING_FIELDS, VPRuntimeConfig, build_config_with_overrides
from vp_engine.specs.serving import ServingSpec

SWEEP_CODE_VERSION = "5"
RUN_ID_HEX = 16
ALL_SIGNALS = "all"


class Evaluation(SpecModel):
    """How one run is judged. Distances and fees in ticks; calibration_fraction is None for given thresholds."""

    tp_ticks: float
    sl_ticks: float
    max_hold_bins: int
    warmup_bins: int
    cooldown_bins: int
    entry_delay_bins: int
    fill: FillModel
    fee_ticks: float
    calibration_fraction: float | None = None

    @property
    def cost_ticks(self) -> float:
        """Fees of a round trip."""
        return 2 * self.fee_ticks

    @property
    def break_even_rate(self) -> float:
        """Share of take-profits at which nothing is earned."""
        return break_even_rate(self.tp_ticks, self.sl_ticks, self.cost_ticks)

    @property
    def barriers(self) -> tuple[float, float, int, FillModel]:
        """What outcomes depend on."""
        return self.tp_ticks, self.sl_ticks, self.max_hold_bins, self.fill

    @property
    def null_variance(self) -> float:
        """Variance in ticks squared of one trade that always ends at a barrier and has no edge."""
        return self.tp_ticks * self.sl_ticks

    def first_bin(self, n_bins: int) -> int:
        """First evaluated bin: after the warm-up, and after the calibration part if thresholds come from it."""
        calibrated = math.ceil((self.calibration_fraction or 0.0) * n_bins)
        return max(self.warmup_bins, calibrated)


class Trial(NamedTuple):
    """One run to be. params: every parameter of the signal; scoring: every scoring field of the runtime config where
    the signal reads scores, else empty; thresholds None: quantiles of the calibration part."""

    signal: str
    params: dict[str, Any]
    scoring: dict[str, Any]
    thresholds: tuple[float, ...] | None
    evaluation: Evaluation

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters as they enter the run's name and the results."""
        return {**self.params, "scoring": self.scoring} if self.scoring else dict(self.params)

    @property
    def code_version(self) -> str:
        """Versions of evaluation and signal."""
        return code_version([self.signal])

    @property
    def values_key(self) -> str:
        """Equal for trials whose signal has the same values."""
        return address("signal", self.code_version, {"signal": self.signal, "parameters": self.parameters}, [])


def code_version(signals: Sequence[str]) -> str:
    """Version of the evaluation and of these signals."""
    return "+".join([SWEEP_CODE_VERSION, *(f"{name}.{get_signal(name).code_version}" for name in sorted(set(signals)))])


def _identity(trial: Trial, inputs: list[str]) -> str:
    params = {
        "signal": trial.signal,
        "parameters": trial.parameters,
        "evaluation": trial.evaluation.model_dump(mode="json"),
    }
    return address("run", trial.code_version, params, inputs)[:RUN_ID_HEX]


def run_id(trial: Trial, dataset_address: str) -> str:
    """16 hex of (dataset address, signal, parameters, evaluation)."""
    return _identity(trial, [dataset_address])


def trial_id(trial: Trial) -> str:
    """16 hex of (signal, parameters, evaluation): joins the runs of several days."""
    return _identity(trial, [])


def experiment_signals(experiment: ExperimentSpec, serving: ServingSpec) -> list[str]:
    """Signals of an experiment in order; ConfigError if it names none, NotFoundError for an unknown one."""
    if experiment.signals is None:
        if serving.signal is None:
            raise ConfigError(f"experiment `{experiment.name}` names no `signals` and `{serving.name}` has none")
        names = [serving.signal.name]
    elif ALL_SIGNALS in experiment.signals:
        names = [info.name for info in list_signals()]
    else:
        names = list(dict.fromkeys(experiment.signals))
    for name in names:
        get_signal(name)
    return names


def experiment_address(
    experiment: ExperimentSpec,
    serving: ServingSpec,
    config: VPRuntimeConfig,
    dataset_addresses: Sequence[str],
    day: str | None = None,
) -> str:
    """Address of an experiment's results over these datasets, code versions of its signals included. day: the Eastern
    date (ISO) of the datasets, whose role in the experiment belongs to the results; None: of no day in particular."""
    version = code_version(experiment_signals(experiment, serving))
    role = experiment.role_of(day) if day is not None else "whole"
    return sweep_address(experiment, serving, config, dataset_addresses, code_version=version, day_role=role)


def _product(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _evaluations(experiment: ExperimentSpec, calibrated: bool) -> list[Evaluation]:
    """Product of tp, sl and cooldown."""
    spec = experiment.eval
    shared = spec.model_dump(include={"max_hold_bins", "warmup_bins", "entry_delay_bins", "fill", "fee_ticks"})
    axes = {name: getattr(spec, name) for name in ("tp_ticks", "sl_ticks", "cooldown_bins")}
    fraction = spec.calibration_fraction if calibrated else None
    return [Evaluation(**shared, **point, calibration_fraction=fraction) for point in _product(axes)]


def _thresholds(experiment: ExperimentSpec, signal: type[Signal]) -> tuple[float, ...] | None:
    """Thresholds in rising order, each once; None for quantiles."""
    given = experiment.sweep.thresholds.get(signal.name, signal.default_thresholds)
    if given == QUANTILES or not given:
        return None
    return tuple(sorted({float(value) for value in given}))


def _parameter_sets(
    experiment: ExperimentSpec,
    serving: ServingSpec,
    config: VPRuntimeConfig,
    signal: type[Signal],
    learned: Mapping[str, Any],
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(params, scoring) of every point of the axes. Later wins: the signal's defaults, the serving spec's state model
    and signal block, what a learning signal takes from the run's barriers (`learned`), `sweep.scoring` where a
    parameter has its name, `sweep.per_signal`."""
    where = f"experiment `{experiment.name}`, signal `{signal.name}`"
    known = signal.Params.model_fields
    own_axes = experiment.sweep.per_signal.get(signal.name, {})
    check_keys(own_axes, known, f"{where}: sweep.per_signal")
    base = signal.spec_params(serving.state_model)
    if serving.signal is not None and serving.signal.name == signal.name:
        base |= serving.signal.params
    points = []
    for scoring in _product(experiment.sweep.scoring):
        fields: dict[str, Any] = {}
        if signal.reads_scores:
            scored = build_config_with_overrides(config, scoring)
            fields = {name: getattr(scored, name) for name in SCORING_FIELDS}
        for own in _product(own_axes):
            like_named = {name: value for name, value in scoring.items() if name in known}
            params = signal.Params.parse({**base, **learned, **like_named, **own}, where)
            points.append((params.model_dump(mode="json"), fields))
    return points


def expand(experiment: ExperimentSpec, serving: ServingSpec, config: VPRuntimeConfig) -> list[Trial]:
    """Every distinct trial of an experiment: signals x scoring x per-signal parameters x tp x sl x cooldown.

    config is the serving spec's runtime configuration. ConfigError for a parameter that does not exist or a
    combination that cannot be used, NotFoundError for an unknown signal.
    """
    names = experiment_signals(experiment, serving)
    for block in ("per_signal", "thresholds"):
        check_keys(getattr(experiment.sweep, block), names, f"experiment `{experiment.name}`: sweep.{block}")
    trials: dict[str, Trial] = {}
    for name in names:
        signal = get_signal(name)
        thresholds = _thresholds(experiment, signal)
        evaluations = _evaluations(experiment, calibrated=thresholds is None)
        barriers = [(judged.tp_ticks, judged.sl_ticks, judged.max_hold_bins) for judged in evaluations]
        points = {
            key: _parameter_sets(experiment, serving, config, signal, signal.run_params(*key))
            for key in dict.fromkeys(barriers)
        }
        for at in range(len(points[barriers[0]])):
            for key, evaluation in zip(barriers, evaluations, strict=True):
                trial = Trial(name, *points[key][at], thresholds, evaluation)
                trials.setdefault(trial_id(trial), trial)
    return list(trials.values())
