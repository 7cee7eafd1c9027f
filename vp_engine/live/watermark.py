"""How late it is at the gateway, so that bins close although nothing happens. Times in ns UTC.

The gateway's clock is the latest ts_recv it has sent, carried on by this machine's: the least difference ever seen
between the two is taken for what clocks and line always add. A record that took longer than that comes late.
"""

from __future__ import annotations

CLOSE_AFTER_NS = 50_000_000  # a bin closes this long after its end: most of what is on its way is in by then


class Watermark:
    """One session's clock; a new session starts a new one."""

    def __init__(self) -> None:
        self._latest_ns = 0
        self._apart_ns: int | None = None

    def seen(self, gateway_ns: int, here_ns: int) -> None:
        """The gateway showed this time; it arrived now."""
        apart = here_ns - gateway_ns
        self._apart_ns = apart if self._apart_ns is None else min(self._apart_ns, apart)
        self._latest_ns = max(self._latest_ns, gateway_ns)

    def now_ns(self, here_ns: int) -> int:
        """Time at the gateway, 0 before it has shown any."""
        return 0 if self._apart_ns is None else max(self._latest_ns, here_ns - self._apart_ns)

    def closed_ns(self, quiet_ns: int | None) -> int:
        """Everything that ended at or before this may be closed. quiet_ns: a time here by which all that had arrived
        is taken, or None while more is coming: then the records' own times alone count."""
        now = self._latest_ns if quiet_ns is None else self.now_ns(quiet_ns)
        return now - CLOSE_AFTER_NS

    def lag_ns(self, here_ns: int) -> int:
        """How far behind the newest record is."""
        return self.now_ns(here_ns) - self._latest_ns
