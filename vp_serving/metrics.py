"""Prometheus figures of one service: bins sent and dropped, open streams, lag."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LAG_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Own registry, so that two services in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.bins_sent = Counter("vp_bins_sent", "Bins written to clients", registry=self.registry)
        self.bins_dropped = Counter("vp_bins_dropped", "Bins skipped for slow clients", registry=self.registry)
        self.streams = Gauge("vp_streams", "Open streams", registry=self.registry)
        self.streams_refused = Counter("vp_streams_refused", "Streams refused", ["code"], registry=self.registry)
        self.lag_seconds = Histogram(
            "vp_lag_seconds", "From a bin's deadline to its write", registry=self.registry, buckets=_LAG_BUCKETS_S
        )

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
