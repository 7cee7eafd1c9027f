"""One replay: the bins of a capture, scored and encoded. The source of bins is a dataset or the engine; what follows
is the same for both, so they send the same bytes.

Over a dataset a replay may begin anywhere and shares its work with others (`hub`). Through the engine every connection
computes its own bins, from the nearest keyframe that one before it has left (`engine_feed`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, NamedTuple

from vp_engine.engine import Keyframe
from vp_engine.errors import ConfigError
from vp_engine.hashing import canonical_json
from vp_engine.lake import Dataset
from vp_engine.signals.base import FittedModels
from vp_engine.specs import Capture, ServingSpec, VPRuntimeConfig
from vp_engine.stream import EventStream
from vp_engine.units import NS_PER_S, ns_to_et
from vp_serving.replay.engine_feed import EnginePlay, EngineReader
from vp_serving.replay.hub import DatasetFeed, FeedReader, FeedRequest, Hub
from vp_serving.replay.readers import FrameReader
from vp_serving.replay.scorer import BinScorer, SignalRunner, first_firing_bin
from vp_serving.replay.warm import Warmth
from vp_serving.wire.frames import STATE_MODEL_NAME, FrameEncoder
from vp_serving.wire.messages import (
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


class ReplayPlan(NamedTuple):
    """What a request came down to: a dataset, or what opens the capture's bins from its first one or a keyframe."""

    config: VPRuntimeConfig
    capture: Capture
    serving: ServingSpec | None
    run_id: str | None
    addresses: Addresses
    dataset: Dataset | None = None
    events: Callable[[Keyframe | None], EventStream] | None = None
    models: FittedModels | None = None  # of a promoted signal that learns; without them it trains along the stream

    @property
    def source(self) -> Literal["dataset", "engine"]:
        """Where the bins come from."""
        return "engine" if self.dataset is None else "dataset"

    @property
    def dataset_id(self) -> str | None:
        """The dataset's, if there is one."""
        return None if self.dataset is None else self.dataset.dataset_id


class Replay:
    """A plan, ready to be streamed."""

    def __init__(self, plan: ReplayPlan, hub: Hub, warmth: Warmth) -> None:
        """ConfigError or NotFoundError for what is wrong with a signal's parameters."""
        self.plan = plan
        self._warmth = warmth
        self.name = plan.dataset_id or f"{plan.capture.symbol}_{plan.capture.label()}"
        self.bin_s = plan.capture.bin_ns / NS_PER_S
        self.n_bins = plan.capture.n_bins
        self._first_firing = first_firing_bin(plan.serving, plan.capture, plan.addresses.dataset)
        self._encoder = _encoder(plan)
        self._runner = _runner(plan, self._first_firing)
        # Valid bins before the first that the signal can speak of.
        self._signal_needs = None if self._runner is None else self._runner().signal.needed_bins - 1
        self._signal_key = _signal_key(plan, self._first_firing)
        self._keyframes = hub.keyframes
        self._feed: DatasetFeed | None = None
        if plan.dataset is not None:
            self._feed = hub.feed(FeedRequest(plan.dataset, plan.config, self._encoder, self._runner, self._signal_key))

    def prepare(self) -> None:
        """Load the signal's kernels and models; LakeError for models that cannot be read."""
        serving = self.plan.serving
        if serving is not None and serving.signal is not None:
            self._warmth.signal(serving.signal.name)
            if self.plan.models is not None:
                self._warmth.models(serving.signal.name, self.plan.models)

    @property
    def needs(self) -> str:
        """What `prepare` loads."""
        signal = self.plan.serving.signal if self.plan.serving is not None else None
        return "kernels" if signal is None else f"kernels and models of signal `{signal.name}`"

    def reader(self, pool: ThreadPoolExecutor, from_bin: int, patient: Callable[[], bool]) -> FrameReader:
        """Frames from a bin on, with the same bytes wherever it begins, but for a signal that is behind."""
        if self._feed is not None:
            return FeedReader(self._feed, from_bin, patient)
        assert self.plan.events is not None
        key = (self.plan.addresses.dataset, self.plan.config.config_version, canonical_json(self._signal_key))
        play = EnginePlay(key, self.plan.events, self._scorer, self._encoder)
        return EngineReader(play, self._keyframes, pool, from_bin)

    def _scorer(self) -> BinScorer:
        return BinScorer(self.plan.config, self._runner() if self._runner is not None else None)

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
            grid_schema_fields=[field.name for field in self._encoder.grid.fields],
            grid_rows=config.rows,
            state_model=StateModel(name=STATE_MODEL_NAME, **config.state_model),
            projection_model=_projection(config),
            serving=_serving(plan),
            warmup=self._warmup(),
        )

    def _warmup(self) -> Warmup:
        config = self.plan.config
        fires = None if self._signal_needs is None else max(self._first_firing, self._signal_needs)
        return Warmup(
            state_model=Needed(needed=config.state_model_zscore_min_periods),
            flow_score=Needed(needed=config.zscore_min_periods),
            signal=None if fires is None else Needed(needed=fires),
        )


def _runner(plan: ReplayPlan, first_firing: int) -> Callable[[], SignalRunner] | None:
    """Makes a fresh one of the plan's signal."""
    if plan.serving is None or plan.serving.signal is None:
        return None
    return partial(SignalRunner, plan.serving, plan.config, first_firing, plan.models)


def _signal_key(plan: ReplayPlan, first_firing: int) -> dict[str, Any] | None:
    """What tells the plan's signal from others over the same bins."""
    serving = plan.serving
    if serving is None or serving.signal is None:
        return None
    models = serving.promoted.models if serving.promoted is not None else None
    return {**serving.signal.model_dump(mode="json"), "first_bin": first_firing, "models": models}


def _encoder(plan: ReplayPlan) -> FrameEncoder:
    signal = plan.serving.signal if plan.serving is not None else None
    name, threshold = (signal.name, signal.threshold) if signal is not None else (None, None)
    return FrameEncoder(plan.config.grid_radius_ticks, plan.config.projection_horizons_ms, name, threshold)


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


def _serving(plan: ReplayPlan) -> ActiveServing | None:
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
