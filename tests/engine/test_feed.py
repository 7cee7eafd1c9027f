"""DBN files in, record batches out: versions, compression, mixed files, symbols, and every fault of the bytes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import databento_dbn
import numpy as np
import pytest
import zstandard

from vp_engine.errors import DataError
from vp_engine.feed import F_LAST, F_SNAPSHOT, MBO_DTYPE, DbnFile, scan

DAY = dt.date(2026, 2, 6)
START_NS = int(dt.datetime(2026, 2, 6, tzinfo=dt.UTC).timestamp()) * 10**9
SYMBOL, ID = "MNQH6", 42


def metadata(version: int = 3, mappings: dict[str, int] | None = None, schema: str = "mbo") -> bytes:
    """DBN metadata that maps raw symbols to instrument ids for the day."""
    after = DAY + dt.timedelta(days=1)
    mapped = [
        SimpleNamespace(
            raw_symbol=name, intervals=[SimpleNamespace(start_date=DAY, end_date=after, symbol=str(number))]
        )
        for name, number in (mappings if mappings is not None else {SYMBOL: ID}).items()
    ]
    return bytes(
        databento_dbn.Metadata(
            dataset="GLBX.MDP3", start=START_NS, end=START_NS + 86_400 * 10**9, stype_in=databento_dbn.SType.RAW_SYMBOL,
            stype_out=databento_dbn.SType.INSTRUMENT_ID, schema=databento_dbn.Schema(schema), symbols=[],
            mappings=mapped, version=version,
        ).encode()
    )  # fmt: skip


def records(n: int, instrument_id: int = ID) -> np.ndarray:
    """n plain Adds, one a microsecond."""
    made = np.zeros(n, MBO_DTYPE)
    made["length"], made["rtype"], made["instrument_id"] = 14, 160, instrument_id
    made["ts_event"] = made["ts_recv"] = START_NS + 1000 * np.arange(n)
    made["order_id"], made["price"], made["size"] = 1 + np.arange(n), 20_000_000_000_000, 1
    made["action"], made["side"], made["flags"] = ord("A"), ord("B"), F_LAST
    return made


def write(path: Path, *parts: bytes, compress: bool = False) -> Path:
    """The parts as one file, in one zstd frame if asked."""
    data = b"".join(parts)
    path.write_bytes(zstandard.ZstdCompressor().compress(data) if compress else data)
    return path


def read(path: Path, ids: frozenset[int] | None = None) -> np.ndarray:
    """All records of a file."""
    batches = list(DbnFile(path).batches(ids))
    return np.concatenate(batches) if batches else np.zeros(0, MBO_DTYPE)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("compress", [False, True])
def test_every_version_plain_and_compressed(tmp_path: Path, version: int, compress: bool) -> None:
    made = records(50_000)
    path = write(tmp_path / "day.dbn", metadata(version), made.tobytes(), compress=compress)
    assert DbnFile(path).version == version
    assert DbnFile(path).instrument_ids(SYMBOL, DAY) == {ID}
    np.testing.assert_array_equal(read(path), made)


def test_frames_in_a_row_are_one_file(tmp_path: Path) -> None:
    made = records(1000)
    data = metadata() + made.tobytes()
    frames = [zstandard.ZstdCompressor().compress(data[at : at + 777]) for at in range(0, len(data), 777)]
    np.testing.assert_array_equal(read(write(tmp_path / "day.dbn.zst", *frames)), made)


def test_other_instruments_and_other_records_are_passed_over(tmp_path: Path) -> None:
    mine, theirs = records(500), records(500, 7)
    trade = np.zeros(48, np.uint8)
    trade[0], trade[1] = 12, 0
    with_ts_out = np.zeros((500, 64), np.uint8)
    with_ts_out[:, :56] = mine.view(np.uint8).reshape(500, 56)
    with_ts_out[:, 0] = 16
    mixed = [part for row, other in zip(with_ts_out, theirs, strict=True)
             for part in (row.tobytes(), trade.tobytes(), other.tobytes())]  # fmt: skip
    path = write(tmp_path / "day.dbn", metadata(mappings={SYMBOL: ID, "MNQM6": 7}), *mixed)
    got = read(path, DbnFile(path).instrument_ids(SYMBOL))
    np.testing.assert_array_equal(got["order_id"], mine["order_id"])
    assert set(got["instrument_id"]) == {ID}
    info = scan(path, SYMBOL)
    assert (info.records, info.kept) == (1000, 500)


def test_spreads_never_match(tmp_path: Path) -> None:
    path = write(tmp_path / "day.dbn", metadata(mappings={"MNQH6-MNQM6": ID}), records(3).tobytes())
    with pytest.raises(DataError, match="holds MNQH6-MNQM6, not MNQH6"):
        DbnFile(path).instrument_ids(SYMBOL)


def test_without_mapping_only_one_instrument_is_accepted(tmp_path: Path) -> None:
    one = write(tmp_path / "one.dbn", metadata(mappings={}), records(3).tobytes())
    assert DbnFile(one).instrument_ids(SYMBOL) == {ID}
    two = write(tmp_path / "two.dbn", metadata(mappings={}), records(3).tobytes(), records(3, 7).tobytes())
    with pytest.raises(DataError, match="2 instruments"):
        DbnFile(two).instrument_ids(SYMBOL)


def test_a_symbol_is_looked_up_on_the_day(tmp_path: Path) -> None:
    path = write(tmp_path / "day.dbn", metadata(), records(3).tobytes())
    with pytest.raises(DataError, match="not MNQH6"):
        DbnFile(path).instrument_ids(SYMBOL, DAY + dt.timedelta(7))


def test_scan_tells_what_is_there(tmp_path: Path) -> None:
    made = records(10)
    made["flags"][:3] = F_SNAPSHOT
    made["ts_recv"][:3] = START_NS - 5
    info = scan(write(tmp_path / "day.dbn", metadata(), made.tobytes()), SYMBOL)
    assert info.complete_start
    assert info.first_ts_ns == START_NS - 5
    assert info.last_ts_ns == START_NS + 9000
    assert info.instrument_ids == (ID,)


@pytest.mark.parametrize("cut", [1, 55, 56 * 7 + 13])
def test_a_cut_file_names_the_record(tmp_path: Path, cut: int) -> None:
    data = records(100).tobytes()
    path = write(tmp_path / "day.dbn", metadata(), data[:-cut])
    with pytest.raises(DataError, match=rf"ends inside record {(len(data) - cut) // 56}"):
        read(path)


def test_a_cut_zstd_frame_is_seen(tmp_path: Path) -> None:
    whole = zstandard.ZstdCompressor().compress(metadata() + records(5000).tobytes())
    path = write(tmp_path / "day.dbn.zst", whole[:-7])
    with pytest.raises(DataError, match="middle of a frame"):
        read(path)


def test_a_flipped_byte_in_a_checksummed_frame_is_seen(tmp_path: Path) -> None:
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(metadata() + records(5000).tobytes()))
    packed[len(packed) // 2] ^= 0x55
    with pytest.raises(DataError):
        read(write(tmp_path / "day.dbn.zst", bytes(packed)))


def test_an_impossible_length_names_the_record(tmp_path: Path) -> None:
    made = records(100)
    made["length"][41] = 0
    with pytest.raises(DataError, match="record 41 has an impossible length"):
        read(write(tmp_path / "day.dbn", metadata(), made.tobytes()))


@pytest.mark.parametrize(
    "content", [b"", b"hello, this is not market data", b"DBN\x09\x00\x00\x00\x00", b"DBN\x03\xff"]
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError):
        DbnFile(write(tmp_path / "day.dbn", content))


def test_other_schemas_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="schema trades"):
        DbnFile(write(tmp_path / "day.dbn", metadata(schema="trades")))
    with pytest.raises(DataError, match="no such file"):
        DbnFile(tmp_path / "none.dbn")


def test_a_file_without_the_symbol_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "day.dbn", metadata(mappings={SYMBOL: ID, "MNQM6": 7}), records(3, 7).tobytes())
    with pytest.raises(DataError, match="no MBO record of MNQH6"):
        scan(path, SYMBOL)
