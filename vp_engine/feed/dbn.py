"""DBN files, plain or zstd, versions 1 to 3, to batches of MBO records in the file's order.

A batch is a structured array view over decompressed bytes: no copy while the file holds MBO records alone.
Every fault of the bytes is a `DataError` that names the file and the record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import zstandard
from databento_dbn import Metadata

from vp_engine.errors import DataError
from vp_engine.feed.records import MBO_BYTES, MBO_DTYPE, MBO_RTYPE, MBO_WORDS, WALK_OK, walk_records_nb

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_READ_BYTES = 1 << 16  # compressed bytes a step: bounds what one step can expand to
_BATCH_BYTES = 1 << 20
PRELUDE_BYTES = 8  # "DBN", version, uint32 length of the metadata
_MAX_METADATA = 64 << 20


def _decompressed(source: BinaryIO, path: Path) -> Iterator[bytes]:
    """Pieces of all zstd frames in a row; a frame without its end is an error (the library would pass it over)."""
    decompressor = zstandard.ZstdDecompressor()
    frame = None
    try:
        while piece := source.read(_READ_BYTES):
            while piece:
                frame = frame or decompressor.decompressobj()
                yield frame.decompress(piece)
                piece = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    except zstandard.ZstdError as error:
        raise DataError(f"{path.name}: corrupt zstd data ({error}); fetch the file again") from error
    if frame is not None:
        raise DataError(f"{path.name}: zstd data ends in the middle of a frame; fetch the file again")


def _pieces(path: Path) -> Iterator[bytes]:
    """Uncompressed pieces of the file, none empty."""
    try:
        with path.open("rb") as source:
            compressed = source.read(4) == _ZSTD_MAGIC
            source.seek(0)
            if compressed:
                yield from (piece for piece in _decompressed(source, path) if piece)
            else:
                while piece := source.read(_BATCH_BYTES):
                    yield piece
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; give the path of a .dbn or .dbn.zst file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about a megabyte, so that a batch is worth a kernel call."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BATCH_BYTES:
            yield held[0] if len(held) == 1 else b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


class DbnFile:
    """One DBN file. Opening reads the metadata alone; `batches` reads the records.

    version: as written in the file. dataset: publisher code ("GLBX.MDP3"). start_ns, end_ns: of the request, UTC.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        pieces = _pieces(self.path)
        head = self._take(pieces, b"", PRELUDE_BYTES)
        if head[:3] != b"DBN":
            raise DataError(f"{self.path.name}: not a DBN file; give a .dbn or .dbn.zst file from Databento")
        self.version = head[3]
        size = int.from_bytes(head[4:8], "little")
        if self.version not in (1, 2, 3) or size > _MAX_METADATA:
            raise DataError(f"{self.path.name}: DBN version {self.version} is not one of 1, 2, 3")
        head = self._take(pieces, head, PRELUDE_BYTES + size)
        try:
            self.metadata = Metadata.decode(head[: PRELUDE_BYTES + size])
        except Exception as error:  # the decoder has its own exception types
            raise DataError(f"{self.path.name}: DBN metadata cannot be read ({error})") from error
        schema = self.metadata.schema
        if schema is not None and str(schema) not in ("mbo",):
            raise DataError(f"{self.path.name}: holds schema {schema}, needed is mbo")
        self.dataset: str = self.metadata.dataset
        self.start_ns: int = self.metadata.start
        self.end_ns: int | None = self.metadata.end
        self._data_offset = PRELUDE_BYTES + size

    def _take(self, pieces: Iterator[bytes], held: bytes, n_bytes: int) -> bytes:
        """`held` and further pieces until there are `n_bytes`."""
        while len(held) < n_bytes:
            piece = next(pieces, b"")
            if not piece:
                raise DataError(f"{self.path.name}: ends inside the DBN metadata; fetch the file again")
            held += piece
        return held

    def symbol_intervals(self) -> list[tuple[str, int, dt.date, dt.date]]:
        """(raw symbol, instrument id, first day, day after the last), whichever way round the file maps them."""
        found = []
        for name, intervals in self.metadata.mappings.items():
            for interval in intervals:
                left, right = str(name), str(interval["symbol"])
                symbol, number = (left, right) if _is_id(right) else (right, left)
                if _is_id(number):
                    found.append(
                        (symbol, int(number), _as_date(interval["start_date"]), _as_date(interval["end_date"]))
                    )
        return found

    def instrument_ids(self, symbol: str, day: dt.date | None = None) -> frozenset[int]:
        """Ids that mean `symbol` (on `day`, if given). DataError when the file maps other symbols only.

        A file without any mapping is accepted if it holds one instrument id, which takes a read of the whole file.
        """
        intervals = self.symbol_intervals()
        if not intervals:
            seen: set[int] = set()
            for batch in self.batches():
                seen.update(np.unique(batch["instrument_id"]).tolist())
            if len(seen) != 1:
                raise DataError(
                    f"{self.path.name}: maps no symbols and holds {len(seen)} instruments, so {symbol} cannot be told"
                )
            return frozenset(seen)
        ids = {
            number
            for name, number, first, after in intervals
            if name == symbol and (day is None or first <= day < after or first == after)
        }
        if not ids:
            there = ", ".join(sorted({name for name, *_ in intervals})[:8])
            raise DataError(f"{self.path.name}: holds {there}, not {symbol}")
        return frozenset(ids)

    def batches(self, ids: frozenset[int] | None = None) -> Iterator[np.ndarray]:
        """MBO records (n,) MBO_DTYPE, n > 0, read-only, of the given instrument ids (None: all)."""
        wanted = None if ids is None else np.array(sorted(ids), np.uint32)
        for batch in self._mbo_batches():
            kept = batch
            if wanted is not None:
                mask = (
                    np.isin(batch["instrument_id"], wanted) if wanted.size != 1 else batch["instrument_id"] == wanted[0]
                )
                kept = batch if mask.all() else batch[mask]
            if kept.size:
                yield kept

    def _mbo_batches(self) -> Iterator[np.ndarray]:
        """Batches of whole MBO records of every instrument."""
        skip = self._data_offset
        held = b""
        index = 0
        for piece in _gathered(_pieces(self.path)):
            if skip:
                skipped = min(skip, len(piece))
                skip -= skipped
                piece = piece[skipped:]
            data = held + piece if held else piece
            records, consumed, seen = self._split(data, index)
            held = data[consumed:]
            index += seen
            if records.size:
                yield records
        _, consumed, seen = self._split(held, index)  # the last records may be shorter than ours
        if consumed < len(held):
            raise DataError(f"{self.path.name}: ends inside record {index + seen}; fetch the file again")

    def _split(self, data: bytes, index: int) -> tuple[np.ndarray, int, int]:
        """Whole MBO records in `data`, bytes consumed, records seen."""
        n_whole = len(data) // MBO_BYTES
        records = np.frombuffer(data, MBO_DTYPE, n_whole)
        if n_whole and ((records["length"] == MBO_WORDS) & (records["rtype"] == MBO_RTYPE)).all():
            return records, n_whole * MBO_BYTES, n_whole
        out = np.empty((n_whole + 1, MBO_BYTES), np.uint8)
        status, consumed, seen, kept = walk_records_nb(np.frombuffer(data, np.uint8), out)
        if status != WALK_OK:
            raise DataError(f"{self.path.name}: record {index + seen} has an impossible length; the file is corrupt")
        return out[:kept].reshape(-1).view(MBO_DTYPE), consumed, seen


def _is_id(text: str) -> bool:
    """Whether a mapping's side is an instrument id: an unsigned 32-bit number in digits."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 1 << 32


def _as_date(value: Any) -> dt.date:
    """A mapping's day, which the decoder gives as a date or as text."""
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
