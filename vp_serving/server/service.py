"""One running service: settings, catalog, worker threads, figures, what connections share, and the streams."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from vp_engine.errors import VPError
from vp_engine.signals import load_signals
from vp_engine.specs import ServingSpec
from vp_serving.metrics import Metrics
from vp_serving.replay.catalog import ReplayCatalog
from vp_serving.replay.hub import Hub
from vp_serving.replay.readers import Replayable
from vp_serving.replay.replay import Replay
from vp_serving.replay.resolve import resolve
from vp_serving.replay.warm import Warmth
from vp_serving.rest.links import Links
from vp_serving.rest.runs import RunShelf
from vp_serving.settings import ServingSettings
from vp_serving.stream.streams import Streams
from vp_serving.wire.query import StreamRequest

log = structlog.get_logger("vp_serving")


class Service:
    """What the routes share. `resolver` turns a request into a replay and may block. Own signals that cannot be loaded
    are logged and left out."""

    def __init__(
        self, settings: ServingSettings, resolver: Callable[[StreamRequest], Replayable] | None = None
    ) -> None:
        self.settings = settings
        load_signals(settings.signals_path, lambda error: log.warning("own signal left out", reason=str(error)))
        self.catalog = ReplayCatalog(settings)
        self.runs = RunShelf(self.catalog, Links(settings))
        self.metrics = Metrics()
        self.pool = ThreadPoolExecutor((os.cpu_count() or 2) + 4, thread_name_prefix="replay")
        self.warmth = Warmth(settings.base)
        self.hub = Hub(self.pool, settings.cache_mb << 20, settings.max_streams + 8)
        self.metrics.kept("vp_cache_bytes", "Decoded bins, frames and keyframes kept", self._cached)
        self.metrics.kept("vp_chains", "Chains that wait for the next batch", lambda: len(self.hub.scorers))
        self.streams = Streams(settings, resolver or self._resolve, self.pool, self.metrics)

    def close(self) -> None:
        """Release threads and the latency log."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.streams.close()

    def _cached(self) -> int:
        return self.hub.groups.used + self.hub.frames.used + self.hub.keyframes.used

    def warm_up(self) -> None:
        """Load or compile the kernels that streams run, those of the signals that serving specs name among them."""
        try:
            named = {spec.signal.name for _, spec in self.catalog.specs().serving.items() if spec.signal is not None}
        except VPError:
            named = set()  # readiness says what is wrong with them
        self.warmth.load(sorted(named))

    def checks(self) -> dict[str, str]:
        """What readiness depends on: "ok", or what is wrong."""
        return {"kernels": self.warmth.state, "specs": self._check_specs(), "lake": self._check_lake()}

    def _check_specs(self) -> str:
        try:
            self.catalog.specs()
        except VPError as error:
            return str(error)
        return "ok"

    def _check_lake(self) -> str:
        return self.catalog.lake.problem() or "ok"

    def why_not(self, **names: Any) -> str | None:
        """Why a stream of this serving spec or run would be refused; None if it would not."""
        try:
            resolve(self.catalog, StreamRequest(**names))
        except VPError as error:
            return str(error)
        return None

    def serving_reason(self, spec: ServingSpec) -> str | None:
        """Why a serving spec cannot be streamed; None if it can."""
        return self.why_not(serving=spec.name)

    def run_reason(self, run_id: str) -> str | None:
        """Why a run cannot be streamed; None if it can."""
        return self.why_not(run_id=run_id)

    def _resolve(self, request: StreamRequest) -> Replayable:
        plan = resolve(self.catalog, request)
        if plan.dataset is not None and plan.dataset.path in self.hub.suspects:
            self.catalog.lake.verify_dir(plan.dataset.path)
            self.hub.suspects.discard(plan.dataset.path)
        return Replay(plan, self.hub, self.warmth)
