"""Units and clocks. Prices are int64 in 1e-9 dollars, times int64 ns since the epoch (UTC), ticks int64.

Local times in specs are US/Eastern wall time; daylight saving comes from zoneinfo.
"""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from vp_engine.errors import ConfigError

PRICE_SCALE = 1e-9  # dollars per price_int
UNDEF_PRICE = 2**63 - 1  # DBN's "no price"
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_DAY = 86_400 * NS_PER_S
NO_TICK = -1  # absence of a tick in integer columns
ET = ZoneInfo("America/New_York")
UTC = dt.UTC

_YEARS = (1971, 2261)  # the days around them still have times
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def tick_int(tick_size: float) -> int:
    """Tick in price units (1e-9 dollars) from a tick in dollars."""
    ticks = round(tick_size / PRICE_SCALE)
    if ticks <= 0:
        raise ConfigError(f"`tick_size` must be at least 1e-9 dollars, was {tick_size}")
    return ticks


def tick_of_price(price_int: int, tick: int) -> int:
    """Absolute tick floor(price/tick + 1/2), in integers; off-grid prices round to the nearest, halves up."""
    return (2 * price_int + tick) // (2 * tick)


def dollars(price_int: int) -> float:
    """Price in dollars, rounded to 1e-9 once."""
    return price_int / NS_PER_S


def parse_date(text: str, name: str = "dt") -> dt.date:
    """Date from YYYY-MM-DD; ConfigError naming the parameter otherwise, and for years that int64 ns do not reach."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = dt.date.fromisoformat(text)
            if _YEARS[0] <= day.year <= _YEARS[1]:
                return day
            raise ConfigError(f"`{name}` must be a date from {_YEARS[0]} to {_YEARS[1]}, was {text!r}")
    except ValueError:
        pass
    raise ConfigError(f"`{name}` must be a date YYYY-MM-DD, was {text!r}")


def parse_clock(text: str, name: str = "start_time") -> dt.time:
    """Wall time from HH:MM or HH:MM:SS; ConfigError naming the parameter otherwise."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ConfigError(f"`{name}` must be HH:MM or HH:MM:SS in US/Eastern, was {text!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return dt.time(hours, minutes, seconds)


def datetime_to_ns(moment: dt.datetime) -> int:
    """Integer ns since the epoch of an aware datetime."""
    delta = moment - dt.datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * 1_000


def et_to_ns(day: dt.date, clock: dt.time) -> int:
    """UTC ns of an Eastern wall time. A time that daylight saving skips or repeats is refused as ambiguous."""
    local = dt.datetime.combine(day, clock, tzinfo=ET)
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ConfigError(f"{day} {clock} Eastern does not name one instant (daylight saving); choose another time")
    return datetime_to_ns(local)


def ns_to_et(ts_ns: int) -> dt.datetime:
    """Eastern datetime of a UTC ns time, truncated to microseconds."""
    seconds, ns = divmod(ts_ns, NS_PER_S)
    return dt.datetime.fromtimestamp(seconds, tz=ET).replace(microsecond=ns // 1_000)


def utc_date(ts_ns: int) -> dt.date:
    """UTC calendar day of a time."""
    return dt.datetime.fromtimestamp(ts_ns // NS_PER_S, tz=UTC).date()


def utc_midnight_ns(day: dt.date) -> int:
    """First nanosecond of a UTC day."""
    return datetime_to_ns(dt.datetime.combine(day, dt.time(), tzinfo=UTC))


def utc_text(ts_ns: int) -> str:
    """A UTC instant for people: yyyy-mm-dd hh:mm:ss.mmm."""
    moment = dt.datetime.fromtimestamp(ts_ns // NS_PER_S, dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns % NS_PER_S // NS_PER_MS:03d}"
