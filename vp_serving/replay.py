"""One replay: the bins of a capture, scored and encoded. The source of bins is a dataset or the engine; what follows
is the same for both, so they send the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.evaluation.detection import Detector
from vp_engine.evaluation.trials import Evaluation
from vp_engine.schema import BinBlock
from vp_engine.signals.base import FittedModels
from vp_engine.signals.registry import get_signal, make_signal
from vp_engine.specs import Capture, ServingSpec, VPRuntimeConfig
from vp_engine.specs.experiment import EvalSpec
from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams
from vp_engine.units import NS_PER_S, ns_to_et
from vp_serving.frames import STATE_MODEL_NAME, Frame, FrameEncoder, ScoredBlock
from vp_serving.protocol import (
    ActiveServing,
    Addresses,
    CaptureWindow,
    Needed,
    ProjectionModel,
    RuntimeConfig,
    ServingSignal,
    StateModel,
    Warmup,
    Wire,
)

BLOCK_BINS = 50  # bins computed at a time: small enough to answer soon, large enough to cost little


class Plan(NamedTuple):
    """What a request came down to. `blocks` opens the bins of the capture from its first one."""

    config: VPRuntimeConfig
    capture: Capture
    serving: ServingSpec | None
    run_id: str | None
    source: Literal["dataset", "engine"]
    dataset_id: str | None
    addresses: Addresses
    blocks: Callable[[], Iterable[BinBlock]]
    models: FittedModels | None = None  # of a promoted signal that learns; without them it trains along the stream


class Chain:
    """Scorer, state model and signal over consecutive blocks; state is carried from block to block."""

    def __init__(
        self,
        config: VPRuntimeConfig,
        serving: ServingSpec | None = None,
        first_bin: int = 0,
        models: FittedModels | None = None,
    ) -> None:
        """`first_bin`: the first one in which the signal may fire; `models`: what a learning signal speaks by."""
        self._scorer = SpectrumScorer(config)
        params = StateModelParams(**config.state_model)
        self._state = DerivativeRuntime(params, config.dt_s, config.grid_radius_ticks)
        self._signal = self._detector = None
        if serving is not None and serving.signal is not None:
            spec = serving.signal
            self._signal = make_signal(spec.name, dict(spec.params), config, models)
            if spec.threshold is not None:
                prediction = get_signal(spec.name).prediction
                self._detector = Detector(spec.threshold, spec.cooldown_bins, first_bin, prediction)

    @property
    def signal_needs(self) -> int | None:
        """Valid bins before the first that the signal can speak of; None without a signal."""
        return None if self._signal is None else self._signal.needed_bins - 1

    def score(self, block: BinBlock) -> ScoredBlock:
        """The next n bins with everything the wire says of them."""
        valid = np.ascontiguousarray(block.bins["book_valid"])
        scores = self._scorer.update(block)
        values = fired = None
        if self._signal is not None:
            values = self._signal.update(block, scores)
            if self._detector is not None:
                fired = self._detector.update(values, valid, np.ascontiguousarray(block.bins["bin_seq"]))
        return ScoredBlock(
            block,
            scores.flow_score,
            scores.flow_state_code,
            scores.projections,
            self._state.update(block.state5, valid),
            values,
            np.zeros(valid.size, np.int8) if fired is None else fired,
        )


def first_firing_bin(plan: Plan) -> int:
    """First bin in which the plan's signal may fire: as in the run it was promoted from; thresholds that came from a
    calibration part of that very dataset fire after it."""
    promoted = plan.serving.promoted if plan.serving is not None else None
    if promoted is None:
        return EvalSpec().warmup_bins
    judged = Evaluation.parse(promoted.eval, f"serving spec `{plan.serving.name}`: promoted.eval")
    if plan.addresses.dataset.startswith(promoted.dataset_address):
        return judged.first_bin(plan.capture.n_bins)
    return judged.warmup_bins


class Replay:
    """A plan, ready to be streamed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.name = plan.dataset_id or f"{plan.capture.symbol}_{plan.capture.label()}"
        self.bin_s = plan.capture.bin_ns / NS_PER_S
        self.n_bins = plan.capture.n_bins
        # What is wrong with a signal's parameters is said before the first bin.
        self._signal_needs = self._chain().signal_needs

    def frames(self, from_bin: int) -> Iterator[list[Frame]]:
        """Frames from a bin on, in batches. Earlier bins are scored, not encoded: every history is as if from bin 0."""
        plan = self.plan
        chain = self._chain()
        encoder = self._encoder()
        for block in plan.blocks():
            scored = chain.score(block)
            first = from_bin - int(block.bins["bin_seq"][0])
            if first < block.bins.size:
                yield encoder.encode(scored.since(max(first, 0)))

    def bin_at(self, ts_ns: int) -> int:
        """The bin that holds a time; ConfigError outside the capture."""
        capture = self.plan.capture
        if not capture.start_ns <= ts_ns < capture.end_ns:
            raise ConfigError(
                f"`ts_ns` {ts_ns} lies outside the capture, {capture.start_ns} to {capture.end_ns} (end excluded)"
            )
        return (ts_ns - capture.start_ns) // capture.bin_ns

    def runtime_config(self, speed: float, from_bin: int) -> Wire:
        """The first message."""
        plan, config = self.plan, self.plan.config
        return RuntimeConfig(
            **config.model_dump(mode="json"),
            price_decimals=config.price_decimals,
            tick_int=str(config.tick_int),
            capture=_window(plan.capture),
            speed=speed,
            from_bin=from_bin,
            source=plan.source,
            dataset_id=plan.dataset_id,
            addresses=plan.addresses,
            grid_schema_fields=[field.name for field in self._encoder().grid.fields],
            grid_rows=config.rows,
            state_model=StateModel(name=STATE_MODEL_NAME, **config.state_model),
            projection_model=_projection(config),
            serving=_serving(plan),
            warmup=_warmup(plan, self._signal_needs),
        )

    def _chain(self) -> Chain:
        return Chain(self.plan.config, self.plan.serving, first_firing_bin(self.plan), self.plan.models)

    def _encoder(self) -> FrameEncoder:
        config, serving = self.plan.config, self.plan.serving
        signal = serving.signal if serving is not None else None
        name, threshold = (signal.name, signal.threshold) if signal is not None else (None, None)
        return FrameEncoder(config.grid_radius_ticks, config.projection_horizons_ms, name, threshold)


def _window(capture: Capture) -> CaptureWindow:
    start, end = ns_to_et(capture.start_ns), ns_to_et(capture.end_ns)
    return CaptureWindow(
        dt=capture.dt.isoformat(),
        start_time=f"{start:%H:%M:%S}".removesuffix(":00"),
        end_time=f"{end:%H:%M:%S}".removesuffix(":00"),
        start_ns=str(capture.start_ns),
        end_ns=str(capture.end_ns),
        n_bins=capture.n_bins,
    )


def _projection(config: VPRuntimeConfig) -> ProjectionModel:
    return ProjectionModel(
        source="backend",
        horizons_bins=list(config.projection_horizons_bins),
        horizons_ms=list(config.projection_horizons_ms),
        use_cubic=config.projection_use_cubic,
        cubic_scale=config.projection_cubic_scale,
        damping_lambda=config.projection_damping_lambda,
    )


def _serving(plan: Plan) -> ActiveServing | None:
    spec = plan.serving
    if spec is None:
        return None
    signal: dict[str, Any] | None = spec.signal.model_dump(mode="json") if spec.signal is not None else None
    return ActiveServing(
        name=spec.name,
        description=spec.description,
        pipeline=spec.pipeline,
        signal=ServingSignal(**signal) if signal is not None else None,
        run_id=plan.run_id or (spec.promoted.run_id if spec.promoted is not None else None),
        promoted=spec.promoted.model_dump(mode="json") if spec.promoted is not None else None,
    )


def _warmup(plan: Plan, signal_needs: int | None) -> Warmup:
    config = plan.config
    fires = None if signal_needs is None else max(first_firing_bin(plan), signal_needs)
    return Warmup(
        state_model=Needed(needed=config.state_model_zscore_min_periods),
        flow_score=Needed(needed=config.zscore_min_periods),
        signal=None if fires is None else Needed(needed=fires),
    )
