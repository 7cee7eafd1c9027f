"""Prometheus figures of one service: bins sent and dropped, open streams, lag, time to answer, what is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_LAG_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
QUANTILES = (0.5, 0.95, 0.99)
RECENT = 10_000  # bins that the lag quantiles are taken over


class Metrics:
    """Own registry, so that two services in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.bins_sent = Counter("vp_bins_sent", "Bins written to clients", registry=self.registry)
        self.bins_dropped = Counter("vp_bins_dropped", "Bins skipped for slow clients", registry=self.registry)
        self.streams = Gauge("vp_streams", "Open streams", registry=self.registry)
        self.streams_refused = Counter("vp_streams_refused", "Streams refused", ["code"], registry=self.registry)
        self.answer_seconds = Histogram(
            "vp_answer_seconds",
            "From opening a stream, or from a seek, to the first bin written",
            registry=self.registry,
            buckets=_LAG_BUCKETS_S,
        )
        self._lag_seconds = Histogram(
            "vp_lag_seconds", "From a bin's deadline to its write", registry=self.registry, buckets=_LAG_BUCKETS_S
        )
        self._recent = _Recent()
        self.registry.register(self._recent)

    def sent(self, lag_s: float) -> None:
        """One bin was written, this long after its deadline."""
        self.bins_sent.inc()
        self._lag_seconds.observe(lag_s)
        self._recent.add(lag_s)

    def kept(self, name: str, words: str, count: Callable[[], float]) -> None:
        """Show a figure that is asked for when it is read."""
        Gauge(name, words, registry=self.registry).set_function(count)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class _Recent(Collector):
    """Quantiles of the latest lags; NaN before the first."""

    def __init__(self) -> None:
        self._lags_s = np.full(RECENT, np.nan)
        self._seen = 0
        self._lock = threading.Lock()

    def add(self, lag_s: float) -> None:
        """Note one lag."""
        with self._lock:
            self._lags_s[self._seen % RECENT] = lag_s
            self._seen += 1

    def collect(self) -> Iterable[Metric]:
        """One gauge with a sample per quantile."""
        with self._lock:
            lags = self._lags_s[: min(self._seen, RECENT)].copy()
        values = np.quantile(lags, QUANTILES) if lags.size else np.full(len(QUANTILES), np.nan)
        words = f"Quantiles of the lag of the last {RECENT} bins"
        family = GaugeMetricFamily("vp_lag_quantile_seconds", words, labels=["quantile"])
        for quantile, value in zip(QUANTILES, values, strict=True):
            family.add_metric([str(quantile)], float(value))
        yield family
