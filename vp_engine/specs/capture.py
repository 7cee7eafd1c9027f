"""One capture: a contract, an Eastern date and a window of whole bins. Times are UTC ns."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from vp_engine.errors import ConfigError
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import NS_PER_S, et_to_ns, ns_to_et, parse_clock, parse_date, utc_date


class Capture(NamedTuple):
    """[start_ns, end_ns) in bins of bin_ns; book and kinetics move from warmup_start_ns on."""

    symbol: str
    dt: datetime.date
    start_ns: int
    end_ns: int
    warmup_start_ns: int
    bin_ns: int

    @property
    def n_bins(self) -> int:
        """Bins of the window."""
        return (self.end_ns - self.start_ns) // self.bin_ns

    def utc_days(self) -> list[datetime.date]:
        """Every UTC day that [warmup_start_ns, end_ns) touches, in order."""
        first, last = utc_date(self.warmup_start_ns), utc_date(self.end_ns - 1)
        return [first + datetime.timedelta(days=n) for n in range((last - first).days + 1)]

    def book_day(self) -> datetime.date:
        """The UTC day that holds the warm-up's start, whose file the book cache reads."""
        return utc_date(self.warmup_start_ns)

    def label(self) -> str:
        """yyyymmdd_hhmm_hhmm in Eastern time, with seconds where a clock time has them."""
        start, end = ns_to_et(self.start_ns), ns_to_et(self.end_ns)
        clock = "%H%M%S" if start.second or end.second else "%H%M"
        return f"{self.dt:%Y%m%d}_{start.strftime(clock)}_{end.strftime(clock)}"


def resolve_capture(config: VPRuntimeConfig, dt: str | datetime.date, start_time: str, end_time: str) -> Capture:
    """The capture of one Eastern date and clock window.

    ConfigError where a time is malformed or ambiguous, the end is not after the start, or the window is not whole bins.
    """
    day = parse_date(dt) if isinstance(dt, str) else dt
    start_clock, end_clock = parse_clock(start_time, "start_time"), parse_clock(end_time, "end_time")
    if end_clock <= start_clock:
        raise ConfigError(f"`end_time` must be after `start_time` on the same day, was {end_time} against {start_time}")
    start_ns, end_ns = et_to_ns(day, start_clock), et_to_ns(day, end_clock)
    if end_ns <= start_ns:
        raise ConfigError(f"`end_time` {end_time} is not after `start_time` {start_time} on {day} (daylight saving)")
    if (end_ns - start_ns) % config.bin_ns:
        raise ConfigError(
            f"`end_time` must lie a whole number of bins of {config.cell_width_ms} ms after `start_time`: "
            f"{start_time} to {end_time} is {(end_ns - start_ns) // NS_PER_S} s"
        )
    warmup_ns = round(config.warmup_hours * 3600 * NS_PER_S)
    return Capture(config.symbol, day, start_ns, end_ns, start_ns - warmup_ns, config.bin_ns)
