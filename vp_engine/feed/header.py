"""The metadata in front of a DBN file of one contract's UTC day, as a download of that day has it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from databento_dbn import Metadata, Schema, SType

from vp_engine.units import NS_PER_DAY, utc_midnight_ns

DBN_VERSION = 3


@dataclass
class _Interval:
    """Days on which a symbol has its number, the last one excluded."""

    start_date: dt.date
    end_date: dt.date
    symbol: str


@dataclass
class _Mapping:
    """A raw symbol's numbers."""

    raw_symbol: str
    intervals: Sequence[Any]


def day_header(
    dataset: str,
    symbol: str,
    day: dt.date,
    *instrument_ids: int,
    start_ns: int | None = None,
    end_ns: int | None = None,
    open_end: bool = False,
) -> bytes:
    """DBN header of a UTC day, raw symbol mapped to instrument ids. dataset: publisher code, "GLBX.MDP3". start_ns,
    end_ns: of a part of the day, ns UTC; open_end: how far it goes only its records say. All have the same length."""
    midnight = utc_midnight_ns(day)
    days = [_Interval(day, day + dt.timedelta(days=1), str(number)) for number in instrument_ids]
    end = None if open_end else (midnight + NS_PER_DAY if end_ns is None else end_ns)
    metadata = Metadata(
        version=DBN_VERSION, dataset=dataset, schema=Schema("mbo"), start=midnight if start_ns is None else start_ns,
        end=end, stype_in=SType("raw_symbol"), stype_out=SType("instrument_id"), symbols=[symbol], partial=[],
        not_found=[], mappings=[_Mapping(symbol, days)],
    )  # fmt: skip
    return bytes(metadata.encode())
