"""The calendar's advice on days that are easy to get wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from vp_assets.research.calendar import closed_session, session, session_of
from vp_engine.specs import load_instrument
from vp_engine.specs.capture import resolve_capture
from vp_engine.units import ET


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def eastern(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ET)


@pytest.mark.parametrize(
    ("tick", "closed"),
    [
        ("2026-02-06 17:45", "2026-02-06"),  # a Friday: its halt began at 17:00
        ("2026-02-06 16:59", "2026-02-05"),
        ("2026-02-07 17:45", "2026-02-06"),  # Saturday
        ("2026-02-08 17:45", "2026-02-06"),  # Sunday: the week opens a quarter of an hour later
        ("2026-02-08 20:15", "2026-02-06"),
        ("2026-02-09 17:45", "2026-02-09"),
        ("2023-12-25 17:45", "2023-12-22"),  # Christmas on a Monday; the evening belongs to the 26th
        ("2023-12-26 17:45", "2023-12-26"),
        ("2024-11-29 13:00", "2024-11-29"),  # the day after Thanksgiving closes early
        ("2024-11-29 12:59", "2024-11-28"),
        ("2025-03-10 17:45", "2025-03-10"),  # clocks went forward the day before
        ("2025-11-03 17:45", "2025-11-03"),  # and back
    ],
)
def test_the_session_that_just_closed(tick: str, closed: str) -> None:
    found = closed_session(eastern(tick))
    assert found is not None
    assert found.day == day(closed)
    assert closed_session(eastern(tick).astimezone(dt.UTC)) == found


def test_nothing_closed_within_a_span() -> None:
    assert closed_session(eastern("2023-12-25 17:45"), within_days=2) is None


@pytest.mark.parametrize(
    ("date", "start", "end", "session_day"),
    [
        ("2026-02-06", "09:30", "10:30", "2026-02-06"),
        ("2026-02-06", "19:00", "20:00", None),  # Friday evening
        ("2026-02-07", "09:30", "10:30", None),  # Saturday
        ("2026-02-08", "09:30", "10:30", None),  # Sunday morning
        ("2026-02-08", "18:00", "19:00", "2026-02-09"),  # Sunday evening opens Monday's session
        ("2026-02-09", "17:10", "17:50", None),  # the halt
        ("2023-12-25", "09:30", "10:30", None),  # a holiday
        ("2023-12-25", "18:00", "19:00", "2023-12-26"),  # whose evening trades
        ("2024-11-29", "12:30", "13:30", "2024-11-29"),  # partly after an early close
        ("2024-11-29", "13:00", "14:00", None),
        ("2024-11-28", "18:00", "19:00", "2024-11-29"),  # the evening of an early close
        ("2025-03-09", "18:00", "19:00", "2025-03-10"),  # hours after the clocks went forward
        ("2025-11-02", "17:30", "17:59", None),  # the opening follows the wall clock
        ("2025-11-02", "17:30", "18:01", "2025-11-03"),
        ("2045-07-04", "09:30", "10:30", "2045-07-04"),  # past the calendar's years any weekday may trade
        ("2045-07-08", "09:30", "10:30", None),
    ],
)
def test_the_session_of_a_capture(date: str, start: str, end: str, session_day: str | None) -> None:
    found = session_of(resolve_capture(load_instrument(), date, start, end))
    assert (found.day.isoformat() if found else None) == session_day


@pytest.mark.parametrize(
    ("date", "hours"),
    [("2025-03-10", 23), ("2025-11-03", 23), ("2026-02-06", 23), ("2024-11-29", 19)],
)
def test_a_session_trades_from_evening_to_halt(date: str, hours: int) -> None:
    found = session(day(date))
    assert found is not None
    assert (found.closes - found.opens) == dt.timedelta(hours=hours)
    assert found.opens.astimezone(ET).hour == 18
