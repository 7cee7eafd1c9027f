"""DBN files, plain or zstd, versions 1 to 3, to batches of MBO records in the file's order.

A batch is a structured array view over decompressed bytes: no copy while the file holds MBO records alone.
Every fault of the bytes is a `DataError` that names the file and the record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import zstandard
from databento_dbn import Metadata

from vp_engine.errors import DataError
from vp_engine.feed.records import (
    MAX_MAPPINGS,
    MBO_BYTES,
    MBO_DTYPE,
    MBO_RTYPE,
    MBO_WORDS,
    WALK_HEADER,
    WALK_OK,
    walk_records_nb,
)
from vp_engine.feed.symbols import Interval, Mapping, SymbolSource, aliases_of, intervals_of, mapping_of

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f: a zstd frame that holds no data
_READ_BYTES = 1 << 16  # compressed bytes a step: bounds what one step can expand to
_BATCH_BYTES = 1 << 20
PRELUDE_BYTES = 8  # "DBN", version, uint32 length of the metadata
_MAX_METADATA = 64 << 20


def is_zstd(head: bytes) -> bool:
    """Whether a file that begins with these four bytes is compressed with zstd."""
    return head == _ZSTD_MAGIC or (head[1:] == _SKIPPABLE_MAGIC and head[0] >> 4 == 5)


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
            compressed = is_zstd(source.read(4))
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


class Identity(NamedTuple):
    """Instrument ids of a contract in a file, and where that is said."""

    ids: frozenset[int]
    source: SymbolSource


class DbnFile:
    """One DBN file. Opening reads the metadata alone; `batches` reads the records.

    version: as written in the file. dataset: publisher code ("GLBX.MDP3"). start_ns, end_ns: of the request, UTC;
    end_ns is None where it was open. limit: records that were asked for at most, None without a limit.
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
        self.limit: int | None = self.metadata.limit or None
        self._data_offset = PRELUDE_BYTES + size

    def _take(self, pieces: Iterator[bytes], held: bytes, n_bytes: int) -> bytes:
        """`held` and further pieces until there are `n_bytes`."""
        while len(held) < n_bytes:
            piece = next(pieces, b"")
            if not piece:
                raise DataError(f"{self.path.name}: ends inside the DBN metadata; fetch the file again")
            held += piece
        return held

    def symbol_intervals(self) -> list[Interval]:
        """Instrument ids by raw symbol and days, as the metadata says."""
        return intervals_of(self.metadata)

    def identify(self, symbol: str, day: dt.date | None = None) -> Identity:
        """Ids that mean `symbol` (on `day`, if given), and how that is known.

        DataError when the file names other contracts only. A file that names none is accepted if it holds one
        instrument id. What the metadata does not say takes a read of the whole file.
        """
        intervals = self.symbol_intervals()
        ids = {part.instrument_id for part in intervals if part.symbol == symbol and part.covers(day)}
        if ids:
            return Identity(frozenset(ids), "metadata")
        seen, mappings = self._survey()
        ids = {mapping.instrument_id for mapping in mappings if mapping.symbol == symbol}
        if ids:
            return Identity(frozenset(ids), "stream")
        aliases = aliases_of(self.metadata)
        if len(seen) == 1 and symbol in {raw for _, raw in aliases} and len({raw for _, raw in aliases}) == 1:
            return Identity(frozenset(seen), "metadata")
        names = sorted(
            {part.symbol for part in intervals} | {part.symbol for part in mappings} | {raw for _, raw in aliases}
        )
        if names:
            raise DataError(f"{self.path.name}: holds {', '.join(names[:8])}, not {symbol}{_continuous_hint(names)}")
        if len(seen) != 1:
            raise DataError(
                f"{self.path.name}: maps no symbols and holds {len(seen)} instruments, so {symbol} cannot be told"
            )
        return Identity(frozenset(seen), "assumed")

    def instrument_ids(self, symbol: str, day: dt.date | None = None) -> frozenset[int]:
        """Ids that mean `symbol` (on `day`, if given). Errors as in `identify`."""
        return self.identify(symbol, day).ids

    def _survey(self) -> tuple[set[int], list[Mapping]]:
        """Every instrument id of an MBO record, and every mapping message, of the whole file."""
        seen: set[int] = set()
        found: list[Mapping] = []
        for records, mappings in self._pieces_of_records():
            seen.update(np.unique(records["instrument_id"]).tolist())
            found += mappings
        return seen, found

    def records_of(self, symbol: str) -> Iterator[np.ndarray]:
        """MBO records (n,) MBO_DTYPE, n > 0, read-only, of one contract. A mapping message holds from its place on:
        an id that comes to mean the contract is taken, one that comes to mean another is not any more."""
        ids = set(self._first_ids(symbol))
        for records, mappings in self._pieces_of_records():
            first = 0
            for mapping in mappings:
                yield from _kept(records[first : mapping.before], ids)
                first = mapping.before
                if mapping.symbol == symbol:
                    ids.add(mapping.instrument_id)
                else:
                    ids.discard(mapping.instrument_id)
            yield from _kept(records[first:], ids)

    def _first_ids(self, symbol: str) -> frozenset[int]:
        """Ids that mean the contract before any message says so."""
        identity = self.identify(symbol)
        return frozenset() if identity.source == "stream" else identity.ids

    def batches(self, ids: frozenset[int] | None = None) -> Iterator[np.ndarray]:
        """MBO records (n,) MBO_DTYPE, n > 0, read-only, of the given instrument ids (None: all)."""
        for records, _ in self._pieces_of_records():
            if ids is None:
                if records.size:
                    yield records
            else:
                yield from _kept(records, ids)

    def _pieces_of_records(self) -> Iterator[tuple[np.ndarray, list[Mapping]]]:
        """Whole MBO records of every instrument, piece by piece, each with the mapping messages among them."""
        skip = self._data_offset
        held = b""
        index = 0
        for piece in _gathered(_pieces(self.path)):
            if skip:
                skipped = min(skip, len(piece))
                skip -= skipped
                piece = piece[skipped:]
            held = held + piece if held else piece
            while True:
                records, mappings, consumed, seen = self._split(held, index)
                held = held[consumed:]
                index += seen
                if records.size or mappings:
                    yield records, mappings
                if len(mappings) < MAX_MAPPINGS:
                    break
        records, mappings, consumed, seen = self._split(held, index)  # the last records may be shorter than ours
        if records.size or mappings:
            yield records, mappings
        if consumed < len(held):
            raise DataError(f"{self.path.name}: ends inside record {index + seen}; fetch the file again")

    def _split(self, data: bytes, index: int) -> tuple[np.ndarray, list[Mapping], int, int]:
        """Whole MBO records in `data`, mapping messages among them, bytes consumed, records seen."""
        n_whole = len(data) // MBO_BYTES
        records = np.frombuffer(data, MBO_DTYPE, n_whole)
        if n_whole and ((records["length"] == MBO_WORDS) & (records["rtype"] == MBO_RTYPE)).all():
            return records, [], n_whole * MBO_BYTES, n_whole
        out = np.empty((n_whole + 1, MBO_BYTES), np.uint8)
        places = np.empty((MAX_MAPPINGS, 2), np.int64)
        status, consumed, seen, kept, n_mappings = walk_records_nb(np.frombuffer(data, np.uint8), out, places)
        if status == WALK_HEADER:
            raise DataError(
                f"{self.path.name}: another DBN file begins at record {index + seen}, so files were glued together; "
                "import them one by one"
            )
        if status != WALK_OK:
            raise DataError(f"{self.path.name}: record {index + seen} has an impossible length; the file is corrupt")
        found = [mapping_of(data[at : at + 4 * data[at]], before) for at, before in places[:n_mappings].tolist()]
        kept_records = out[:kept].reshape(-1).view(MBO_DTYPE)
        return kept_records, [mapping for mapping in found if mapping is not None], consumed, seen


def _kept(records: np.ndarray, ids: Collection[int]) -> Iterator[np.ndarray]:
    """The records of some instrument ids, unless there are none."""
    if not records.size or not ids:
        return
    if len(ids) == 1:
        mask = records["instrument_id"] == next(iter(ids))
    else:
        mask = np.isin(records["instrument_id"], np.array(sorted(ids), np.uint32))
    kept = records if mask.all() else records[mask]
    if kept.size:
        yield kept


def _continuous_hint(names: Sequence[str]) -> str:
    """What to ask for instead of a continuous symbol whose contract the file does not name."""
    if any(name.count(".") == 2 for name in names):
        return "; a continuous symbol names no contract: ask for raw symbols, or for stype_out=raw_symbol"
    return ""
