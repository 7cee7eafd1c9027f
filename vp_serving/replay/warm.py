"""Kernels and models loaded before a stream needs them, so that none stalls in the midst of one.

A kernel that was never compiled on this machine takes seconds, one from the cache on disk a fraction of one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import numpy as np
import structlog

from vp_engine.evaluation.detection import Detector
from vp_engine.lake.lookback import find_samples_nb, gather_nb
from vp_engine.schema import BinBlock, empty_block
from vp_engine.signals.base import FittedModels
from vp_engine.signals.ml import WalkForwardSignal
from vp_engine.signals.registry import get_signal, make_signal
from vp_engine.specs import VPRuntimeConfig
from vp_engine.spectrum.scoring import CHANNEL_NAMES
from vp_serving.replay.scorer import BinScorer
from vp_serving.wire.frames import FrameEncoder

LOADING = "kernels are being loaded"
log = structlog.get_logger("vp_serving")


class Warmth:
    """What of the engine is loaded. `state`: "ok" once every stream without a signal can start, or why it cannot."""

    def __init__(self, config: VPRuntimeConfig) -> None:
        self._config = config
        self._signals: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self.state = LOADING

    def load(self, signals: Iterable[str]) -> None:
        """What every stream runs, then these signals. What fails is logged; a stream that needs it fails in words."""
        began = time.perf_counter()
        try:
            self._core()
            self.state = "ok"
        except Exception as error:
            log.exception("kernels cannot be loaded")
            self.state = f"kernels cannot be loaded: {error}"
        log.info("kernels", state=self.state, seconds=round(time.perf_counter() - began, 2))
        for name in signals:
            try:
                self.signal(name)
            except Exception as error:
                log.warning("signal cannot be loaded", signal=name, error=str(error))

    def signal(self, name: str) -> None:
        """Load a signal's kernels, or wait until another thread has; nothing the second time."""
        with self._lock:
            loaded = self._signals.get(name)
            mine = loaded is None
            if loaded is None:
                loaded = self._signals[name] = threading.Event()
        if not mine:
            loaded.wait()
            return
        began = time.perf_counter()
        try:
            block = _block(self._config)
            values = make_signal(name, {}, self._config).update(block)
            valid, bin_seq = (np.ascontiguousarray(block.bins[field]) for field in ("book_valid", "bin_seq"))
            Detector(0.5, 1, 0, get_signal(name).prediction).update(values, valid, bin_seq)
        finally:
            loaded.set()
        log.info("signal loaded", signal=name, seconds=round(time.perf_counter() - began, 2))

    def models(self, name: str, models: FittedModels) -> None:
        """Read the first of a signal's fitted models and let it speak once: its libraries are loaded then."""
        kind = get_signal(name)
        if len(models.since_ns) and issubclass(kind, WalkForwardSignal):
            first = models.model(0)
            first.predict(np.zeros((1, first.n_features), np.float32))

    def _core(self) -> None:
        config = self._config
        block = _block(config)
        FrameEncoder(config.grid_radius_ticks, config.projection_horizons_ms).encode(BinScorer(config).score(block))
        spot = (block.bins["spot_ref_price_int"] // config.tick_int).astype(np.int32)
        radius, channels = config.grid_radius_ticks, np.zeros((len(CHANNEL_NAMES), *block.state5.shape), np.float32)
        bins, counts = np.zeros((1, 2), np.int32), np.zeros(1, np.int64)
        find_samples_nb(spot, spot.size, radius, int(spot[0]), bins, counts)
        samples = np.zeros((1, len(CHANNEL_NAMES), 2), np.float32)
        gather_nb(channels, 0, spot, radius, int(spot[0]), bins, counts, samples)


def _block(config: VPRuntimeConfig) -> BinBlock:
    """Two bins with a book of one tick's spread."""
    block = empty_block(2, config.grid_radius_ticks)
    block.bins["bin_seq"] = 0, 1
    block.bins["book_valid"] = 1
    for name, tick in (("spot_ref_price_int", 1000), ("best_bid_price_int", 999), ("best_ask_price_int", 1000)):
        block.bins[name] = tick * config.tick_int
    return block
