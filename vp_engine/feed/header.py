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


def day_header(dataset: str, symbol: str, day: dt.date, instrument_id: int) -> bytes:
    """DBN header of the whole UTC day, raw symbol mapped to instrument id. dataset: publisher code, "GLBX.MDP3"."""
    start_ns = utc_midnight_ns(day)
    interval = _Interval(day, day + dt.timedelta(days=1), str(instrument_id))
    metadata = Metadata(
        version=DBN_VERSION, dataset=dataset, schema=Schema("mbo"), start=start_ns, end=start_ns + NS_PER_DAY,
        stype_in=SType("raw_symbol"), stype_out=SType("instrument_id"), symbols=[symbol], partial=[], not_found=[],
        mappings=[_Mapping(symbol, [interval])],
    )  # fmt: skip
    return bytes(metadata.encode())
