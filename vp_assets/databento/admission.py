"""What becomes of a day, from the vendor's condition, its record count and what is published already.

The calendar advises, data decides: a day counts as closed because nothing was recorded, not because of a holiday list.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from vp_assets.databento.vendor import Condition

ADMIT, QUARANTINE, NO_SESSION, PENDING, MISSING = "admit", "quarantine", "no session", "pending", "missing"
SATURDAY = 5


class Admission(NamedTuple):
    """`act` is one of the words above; reason: a sentence for people; condition: the vendor's word, if any."""

    act: str
    reason: str
    condition: str | None


def judge(
    day: dt.date, condition: Condition | None, records: int, published_until: dt.datetime, symbol: str
) -> Admission:
    """Verdict on one UTC day. Only `available` (or no word at all) lets records in without a look by hand."""
    word = condition.word if condition is not None else None
    if word == "pending" or ends(day) > published_until:
        return Admission(PENDING, f"Databento has published until {published_until:%Y-%m-%d %H:%M} UTC", word)
    if records == 0:
        if word == "missing" and day.weekday() != SATURDAY:
            said = f"Databento has no data; `vp admit {day} --closed` if there was no session"
            return Admission(MISSING, said, word)
        said = "no word" if word is None else word
        return Admission(NO_SESSION, f"Databento has no record of {symbol} (condition: {said})", word)
    if word in (None, "available"):
        return Admission(ADMIT, "", word)
    changed = f", last changed {condition.changed}" if condition is not None and condition.changed else ""
    return Admission(QUARANTINE, f"Databento calls the day {word}{changed}", word)


def ends(day: dt.date) -> dt.datetime:
    """End of a UTC day."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


def may_trade(day: dt.date) -> bool:
    """Whether a UTC day can hold part of a CME session. Saturday alone never does: Sunday opens at 18:00 ET."""
    return day.weekday() != SATURDAY
