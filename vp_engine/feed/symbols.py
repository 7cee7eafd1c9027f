"""Which instrument ids a raw symbol has in a DBN file: by the mappings of its metadata, and by the messages of a live
recording, each of which holds from its place on.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from databento_dbn import Metadata

SymbolSource = Literal["metadata", "stream", "assumed"]
_HEADER_BYTES = 16
_ID_AT = 4  # of a record's header
# By version of DBN, told apart by the message's length: (bytes, places of the symbol asked for and of its translation,
# bytes of a symbol).
_LAYOUTS = {80: (16, 38, 22), 176: (17, 89, 71)}


def path_name(symbol: str) -> str:
    """A raw symbol as part of a file's name, of a dataset id or of a URL: capital letters, digits and dots stay, any
    other byte is "-" and two hex digits. Two symbols never share a name, on a disk that ignores case neither."""
    return "".join(
        letter if letter.isascii() and (letter.isupper() or letter.isdigit() or letter == ".")
        else "".join(f"-{byte:02x}" for byte in letter.encode())
        for letter in symbol
    )  # fmt: skip


class Interval(NamedTuple):
    """A raw symbol has an instrument id from `first` to the day before `after`."""

    symbol: str
    instrument_id: int
    first: dt.date
    after: dt.date

    def covers(self, day: dt.date | None) -> bool:
        """Whether it holds on a day (None: on any)."""
        return day is None or self.first <= day < self.after or self.first == self.after


class Mapping(NamedTuple):
    """A message of the stream: from the MBO record `before` of its batch on, the id means the symbol."""

    before: int
    instrument_id: int
    symbol: str


def is_instrument_id(text: str) -> bool:
    """Whether a mapping's side is an instrument id: an unsigned 32-bit number in digits."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 1 << 32


def intervals_of(metadata: Metadata) -> list[Interval]:
    """The mappings of a file's metadata, whichever way round it has them."""
    return [
        Interval(symbol, int(number), first, after)
        for left, right, first, after in _pairs(metadata)
        for symbol, number in [(left, right) if is_instrument_id(right) else (right, left)]
        if is_instrument_id(number)
    ]


def aliases_of(metadata: Metadata) -> list[tuple[str, str]]:
    """(symbol asked for, raw symbol) where the metadata translates names into names, as from continuous symbols."""
    if str(metadata.stype_out) != "raw_symbol":
        return []
    return [
        (left, right)
        for left, right, _, _ in _pairs(metadata)
        if not is_instrument_id(left) and not is_instrument_id(right) and right
    ]


def _pairs(metadata: Metadata) -> Iterable[tuple[str, str, dt.date, dt.date]]:
    for name, intervals in metadata.mappings.items():
        for interval in intervals:
            yield str(name), str(interval["symbol"]), _date(interval["start_date"]), _date(interval["end_date"])


def _date(value: Any) -> dt.date:
    """A mapping's day, which the decoder gives as a date or as text."""
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))


def mapping_of(message: bytes, before: int) -> Mapping | None:
    """A SymbolMappingMsg of DBN version 1 to 3; None for another length. The raw symbol is the translation, or the
    symbol asked for where the translation is an id."""
    layout = _LAYOUTS.get(len(message))
    if layout is None:
        return None
    asked_at, raw_at, n_bytes = layout
    asked, raw = (message[at : at + n_bytes].split(b"\0", 1)[0].decode("latin-1") for at in (asked_at, raw_at))
    (instrument_id,) = struct.unpack_from("<I", message, _ID_AT)
    return Mapping(before, instrument_id, asked if is_instrument_id(raw) or not raw else raw)
