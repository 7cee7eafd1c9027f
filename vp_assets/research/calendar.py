"""What the exchange's calendar says of a day: advice for the schedule, for which days samples are made of, and for the
word on a day without raw data in a backfill. Where there are records, nobody asks it.

The calendar (CMES of exchange_calendars) runs a session from 18:00 Eastern to 18:00 of its date, or to 13:00 where it
closes early. Trading halts at 17:00, so that is where a session ends here. A holiday has no session of its own, yet
its evening belongs to the next one: whether a capture trades is asked of its window, not of its date.
"""

from __future__ import annotations

import datetime as dt
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from vp_engine.specs import Capture
from vp_engine.units import ET, NS_PER_DAY, UTC, datetime_to_ns, utc_midnight_ns

if TYPE_CHECKING:
    import pandas as pd
    from exchange_calendars import ExchangeCalendar

CALENDAR = "CMES"
HALT = dt.time(17, 0)  # Eastern, every day
OPEN = dt.time(18, 0)  # of the evening before
_SATURDAY = 5


class Session(NamedTuple):
    """One session by its date; it trades in [opens, closes)."""

    day: dt.date
    opens: dt.datetime
    closes: dt.datetime


@lru_cache(maxsize=1)
def _calendar() -> ExchangeCalendar:
    from exchange_calendars import get_calendar

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas tells the calendar's authors of its next version
        return get_calendar(CALENDAR)


def _at(moment: pd.Timestamp) -> dt.datetime:
    return dt.datetime.fromtimestamp(moment.timestamp(), tz=UTC)


def session(day: dt.date) -> Session | None:
    """The session of a date, or None. Beyond the calendar's years every weekday is taken for one."""
    halt = dt.datetime.combine(day, HALT, tzinfo=ET)
    calendar = _calendar()
    if not calendar.first_session.date() <= day <= calendar.last_session.date():
        if day.weekday() >= _SATURDAY:
            return None
        return Session(day, dt.datetime.combine(day - dt.timedelta(days=1), OPEN, tzinfo=ET), halt)
    if not calendar.is_session(day.isoformat()):
        return None
    opens, closes = (_at(of(day.isoformat())) for of in (calendar.session_open, calendar.session_close))
    return Session(day, opens, min(closes, halt))


def closed_session(now: dt.datetime, within_days: int = 10) -> Session | None:
    """The latest session that is over at an aware time, or None if none of the last days was one."""
    today = now.astimezone(ET).date()
    for back in range(within_days + 1):
        found = session(today - dt.timedelta(days=back))
        if found is not None and found.closes <= now:
            return found
    return None


def session_of(capture: Capture) -> Session | None:
    """The session whose trading a capture's window [start, end) touches, the first if it touches two."""
    for day in (capture.dt, capture.dt + dt.timedelta(days=1)):
        found = session(day)
        if found is not None and _overlap(capture, found):
            return found
    return None


def session_in_utc_day(day: dt.date) -> Session | None:
    """The first session that trades within a UTC day; None for one without trading, such as a Saturday."""
    start_ns = utc_midnight_ns(day)
    for date in (day, day + dt.timedelta(days=1)):
        found = session(date)
        if found is not None and _trades_within(found, start_ns, start_ns + NS_PER_DAY):
            return found
    return None


def _overlap(capture: Capture, held: Session) -> bool:
    return _trades_within(held, capture.start_ns, capture.end_ns)


def _trades_within(held: Session, start_ns: int, end_ns: int) -> bool:
    return datetime_to_ns(held.opens) < end_ns and start_ns < datetime_to_ns(held.closes)
