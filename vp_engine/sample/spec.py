"""What a synthetic day is: instrument, day, active window, seed, activity. Records per second by Eastern wall time."""

from __future__ import annotations

import datetime as dt
import math
import re
import zlib
from dataclasses import dataclass

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.units import ET, NS_PER_S, UTC, et_to_ns, tick_int, utc_midnight_ns

DATASET = "GLBX.MDP3"
DEFAULT_SYMBOL = "MNQH6"
DEFAULT_DAY = dt.date(2026, 2, 6)
DEFAULT_START = dt.time(8, 50)
DEFAULT_END = dt.time(10, 30)
DEFAULT_RESTING_ORDERS = 5_000
DAY_SECONDS = 86_400

# (Eastern hour, records/s), straight lines between: quiet night, Europe, the cash open, midday, the cash close, halt.
_PROFILE = (
    (0.0, 8.0), (3.0, 30.0), (8.0, 60.0), (8.5, 300.0), (8.75, 140.0), (9.25, 120.0), (9.49, 170.0), (9.5, 1_100.0),
    (9.6, 700.0), (10.0, 460.0), (10.01, 650.0), (10.1, 480.0), (10.5, 400.0), (12.0, 260.0), (13.5, 220.0),
    (15.0, 330.0), (15.8, 500.0), (15.99, 700.0), (16.0, 200.0), (16.25, 80.0), (16.99, 40.0), (17.0, 0.0),
    (18.0, 0.0), (18.01, 60.0), (18.2, 25.0), (24.0, 8.0),
)  # fmt: skip
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


@dataclass(frozen=True)
class SampleSpec:
    """One UTC day of one contract. `start` and `end` are Eastern wall times of the active window, on the Eastern
    date `day`; outside it the market ticks over at `quiet_events_per_s`. Both None: the whole day by its profile.

    events_per_s: records per second inside the window instead of the profile. pace: factor on the profile.
    resting_orders: in the opening book, about. price: dollars at midnight UTC.
    """

    symbol: str = DEFAULT_SYMBOL
    day: dt.date = DEFAULT_DAY
    start: dt.time | None = DEFAULT_START
    end: dt.time | None = DEFAULT_END
    seed: int = 1
    events_per_s: float | None = None
    pace: float = 1.0
    quiet_events_per_s: float = 0.2
    price: float = 21_500.0
    tick_size: float = 0.25
    resting_orders: int = DEFAULT_RESTING_ORDERS

    def __post_init__(self) -> None:
        if re.fullmatch(r"[A-Z0-9]{2,20}", self.symbol) is None:
            raise ConfigError(f"`symbol` must be one raw contract such as MNQH6, was {self.symbol!r}")
        if (self.start is None) != (self.end is None):
            raise ConfigError("`start` and `end` go together: give both, or neither for the whole day")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ConfigError(f"`end` must be after `start`, was {self.end} after {self.start}")
        if not 0 <= self.seed < 1 << 63:
            raise ConfigError(f"`seed` must be from 0 to 2**63 - 1, was {self.seed}")
        for name in ("pace", "price", "quiet_events_per_s", "events_per_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"`{name}` must be a positive number, was {value}")
        if self.events_per_s is not None and self.events_per_s > 100_000:
            raise ConfigError(f"`events_per_s` must be 100,000 at most, was {self.events_per_s:g}")
        if not 1_000 <= self.resting_orders <= 20_000_000:
            raise ConfigError(f"`resting_orders` must be from 1,000 to 20,000,000, was {self.resting_orders}")
        mid_tick = self.price_int // self.tick_int
        if not 10_000 <= mid_tick <= 120_000:
            raise ConfigError(f"`price` must be from 10,000 to 120,000 ticks, was {mid_tick} of {self.tick_size}")
        if self.day.weekday() == _SATURDAY:
            raise ConfigError(f"{self.day} is a Saturday: the exchange is closed, choose another day")
        if self.window_ns is not None and not (
            self.day_start_ns <= self.window_ns[0] < self.window_ns[1] <= self.day_end_ns
        ):
            raise ConfigError(f"{self.start} to {self.end} Eastern is not inside the UTC day {self.day}")

    @property
    def tick_int(self) -> int:
        """Tick in 1e-9 dollars."""
        return tick_int(self.tick_size)

    @property
    def price_int(self) -> int:
        """Opening price in 1e-9 dollars."""
        return round(self.price * 1e9)

    @property
    def instrument_id(self) -> int:
        """A number of the symbol, as stable as the exchange's."""
        return 40_000_000 + zlib.crc32(self.symbol.encode()) % 1_000_000

    @property
    def day_start_ns(self) -> int:
        """First nanosecond of the file's UTC day."""
        return utc_midnight_ns(self.day)

    @property
    def day_end_ns(self) -> int:
        """First nanosecond after it."""
        return utc_midnight_ns(self.day + dt.timedelta(days=1))

    @property
    def window_ns(self) -> tuple[int, int] | None:
        """Active window in UTC ns; None for the whole day."""
        if self.start is None or self.end is None:
            return None
        return et_to_ns(self.day, self.start), et_to_ns(self.day, self.end)

    @property
    def last_ns(self) -> int:
        """Records end before this time: the window's end, or the day's."""
        return self.window_ns[1] if self.window_ns is not None else self.day_end_ns

    def rates(self) -> np.ndarray:
        """Target records/s, float64 (86400,), for each second of the UTC day."""
        seconds = np.arange(DAY_SECONDS)
        hours = np.empty(DAY_SECONDS)
        weekday = np.empty(DAY_SECONDS, np.int64)
        for hour in range(24):  # an Eastern offset changes only on whole UTC hours
            local = dt.datetime.combine(self.day, dt.time(hour), tzinfo=UTC).astimezone(ET)
            span = slice(hour * 3_600, (hour + 1) * 3_600)
            hours[span] = local.hour + (seconds[span] - hour * 3_600) / 3_600
            weekday[span] = local.weekday()
        knots = np.array(_PROFILE)
        by_profile = self.pace * np.interp(hours, knots[:, 0], knots[:, 1])
        closed = ((hours >= 17.0) & (hours < 18.0)) | ((weekday == _FRIDAY) & (hours >= 17.0))
        closed |= (weekday == _SATURDAY) | ((weekday == _SUNDAY) & (hours < 18.0))
        by_profile[closed] = 0.0
        if self.window_ns is None:
            return by_profile if self.events_per_s is None else np.where(closed, 0.0, self.events_per_s)
        first, last = ((edge - self.day_start_ns) // NS_PER_S for edge in self.window_ns)
        rates = np.where(closed, 0.0, self.quiet_events_per_s)
        inside = slice(first, last)
        rates[inside] = by_profile[inside] if self.events_per_s is None else self.events_per_s
        return rates
