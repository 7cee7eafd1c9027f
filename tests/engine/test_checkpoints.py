"""A book saved, loaded and run on from gives the bits of a replay from the day's start; damaged files are refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import dbn_kit as kit
import numpy as np
import pyarrow as pa
import pytest
import streams
from harness import EngineRun, assert_same_bits, capture_of, copied, engine_config, join
from hypothesis import given, settings
from hypothesis import strategies as st
from twin import make_records

from vp_engine.book.checkpoint import BOOK_CODE_VERSION, BookCheckpoint, reanchor_to_bbo
from vp_engine.book.levels import is_valid, spot_tick
from vp_engine.book.order_book import pass_time_nb
from vp_engine.book.state import ANCHOR, ANCHORED, new_book
from vp_engine.engine import Engine, FileRecords
from vp_engine.errors import DataError, LakeError
from vp_engine.hashing import sha256_file
from vp_engine.lake import book_address
from vp_engine.schema import empty_block
from vp_engine.specs import Capture, VPRuntimeConfig, build_config_with_overrides
from vp_engine.stream import build_checkpoint, stream_events

CONFIG = engine_config(n_absolute_ticks=2048, grid_radius_ticks=10)


def replayed(path: Path, config: VPRuntimeConfig, capture: Capture) -> EngineRun:
    """The day from its first record in one go: no book is ever saved, copied or loaded."""
    engine = Engine(config, capture.start_ns, new_book(config.n_absolute_ticks))
    records = FileRecords([path], capture.symbol)
    engine.consume_until(records, capture.warmup_start_ns)
    pass_time_nb(engine.book.scalars, capture.warmup_start_ns)
    reanchor_to_bbo(engine.book)
    engine.start_flow()
    engine.consume_until(records, capture.start_ns)
    engine.start_bins()
    block = empty_block(capture.n_bins, config.grid_radius_ticks)
    engine.fill(records, 0, block)
    engine.end_snapshot()
    return EngineRun(block, engine.counters)


def from_file(path: Path, config: VPRuntimeConfig, capture: Capture, saved: Path) -> EngineRun:
    """Bins from a checkpoint on disk."""
    build_checkpoint(path, config, capture).save(saved)
    events = stream_events([path], config, capture, BookCheckpoint.load(saved))
    return EngineRun(join([copied(block) for block in events]), dict(events.counters))


@pytest.mark.parametrize(("seed", "prefix_ms"), [(1, 400), (2, 2_500), (3, 6_000)])
def test_same_bits_as_a_replay(tmp_path, seed, prefix_ms):
    """Orders with fills under way, a table that grew, slots that moved: all of it goes through the file."""
    stream = streams.play(streams.random_moves(seed, 900), opening=seed, prefix_ms=prefix_ms, walk=300)
    path = kit.write_file(tmp_path / "day.dbn.zst", kit.header(), stream.records)
    capture = capture_of(stream, CONFIG)
    whole, loaded = replayed(path, CONFIG, capture), from_file(path, CONFIG, capture, tmp_path / "book.arrow")
    assert_same_bits(whole.block, loaded.block)
    assert whole.counters == loaded.counters
    assert whole.block.bins["book_valid"].any()


def test_files_of_equal_books_are_equal(tmp_path):
    """A book loaded and saved again is the same file, and holds no pickle."""
    moves = [
        move for move in streams.random_moves(8, 600) if streams.kind_of(move) not in ("clear", "snapshot", "walk")
    ]
    stream = streams.play(moves, opening=1, prefix_ms=40_000)
    path = kit.write_file(tmp_path / "day.dbn", kit.header(), stream.records)
    book = build_checkpoint(path, CONFIG, capture_of(stream, CONFIG))
    assert book.n_orders > 20
    assert book.orders["pending_fill"].any()
    again = BookCheckpoint.from_bytes(book.to_bytes())
    assert again.to_bytes() == book.to_bytes()
    assert (again.scalars, again.counters) == (book.scalars, book.counters)
    restored = BookCheckpoint.of(again.restore(CONFIG.n_absolute_ticks))
    assert restored.to_bytes() == book.to_bytes()
    assert pa.ipc.open_file(book.to_bytes()).read_all().num_rows == book.n_orders


def test_reanchor_lays_the_slots_around_the_market(tmp_path):
    """The stored anchor may be hours old; a book without a valid mid keeps it."""
    player = streams.Player()
    for _ in range(3):
        player.quotes()
        player.ts += 100_000_000
        player.play((streams.kind_number("walk"), 0, 70, 0))
    start = streams.BASE_NS + 1_000_000_000
    stream = streams.Stream(make_records(player.rows), start, start + 10**9, start)
    path = kit.write_file(tmp_path / "day.dbn", kit.header(), stream.records)
    checkpoint = build_checkpoint(path, CONFIG, capture_of(stream, CONFIG))
    book = checkpoint.restore(CONFIG.n_absolute_ticks)
    assert is_valid(book)
    assert book.scalars[ANCHOR] == checkpoint.scalars["anchor"] != spot_tick(book)
    reanchor_to_bbo(book)
    assert book.scalars[ANCHOR] == spot_tick(book)
    inside = np.abs(checkpoint.orders["tick"] + 0.5 - spot_tick(book)) < CONFIG.n_absolute_ticks / 2
    assert book.depth.sum() == checkpoint.orders["size"][inside].sum()
    depth = book.depth.copy()
    reanchor_to_bbo(book)
    np.testing.assert_array_equal(book.depth, depth)
    empty = new_book(CONFIG.n_absolute_ticks)
    reanchor_to_bbo(empty)
    assert not empty.scalars[ANCHORED]


def test_keyed_by_raw_bytes_symbol_warmup_and_code(tmp_path):
    """Each of these makes another address; the engine's taus and the window's end do not."""
    stream = streams.play(streams.random_moves(5, 30))
    path = kit.write_file(tmp_path / "day.dbn", kit.header(), stream.records)
    raw, capture = sha256_file(path), capture_of(stream, CONFIG)
    first = book_address(CONFIG, capture, raw)
    assert book_address(CONFIG, capture._replace(end_ns=capture.end_ns + capture.bin_ns), raw) == first
    assert book_address(build_config_with_overrides(CONFIG, {"tau_jerk": 11.0}), capture, raw) == first
    stream.records["size"][0] += 1
    others = [
        book_address(CONFIG, capture, sha256_file(kit.write_file(tmp_path / "b.dbn", kit.header(), stream.records))),
        book_address(build_config_with_overrides(CONFIG, {"symbol": "ESM4"}), capture._replace(symbol="ESM4"), raw),
        book_address(CONFIG, capture._replace(warmup_start_ns=capture.warmup_start_ns - 1), raw),
        book_address(CONFIG, capture, raw, code_version=BOOK_CODE_VERSION + "x"),
    ]
    assert len({first, *others}) == 5


def test_a_checkpoint_of_another_day_is_refused(tmp_path):
    """It has seen more records than the file holds."""
    stream = streams.play(streams.random_moves(5, 300), prefix_ms=5_000)
    path = kit.write_file(tmp_path / "day.dbn", kit.header(), stream.records)
    capture = capture_of(stream, CONFIG)
    book = build_checkpoint(path, CONFIG, capture)
    short = kit.write_file(tmp_path / "short.dbn", kit.header(), stream.records[: book.n_records - 3])
    with pytest.raises(DataError, match="raw data ends 3 records before the book cache"):
        next(iter(stream_events([short], CONFIG, capture, book)))


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> bytes:
    """A small checkpoint's bytes."""
    stream = streams.play(streams.random_moves(5, 100), opening=1, prefix_ms=2_000)
    path = kit.write_file(tmp_path_factory.mktemp("book") / "day.dbn", kit.header(), stream.records)
    return build_checkpoint(path, CONFIG, capture_of(stream, CONFIG)).to_bytes()


def test_files_with_parts_missing_are_refused(file):
    for data in (b"", b"ARROW1\0\0", file[:-1], file[: len(file) // 2], b"\0" * len(file)):
        with pytest.raises(LakeError, match="not a book checkpoint"):
            BookCheckpoint.from_bytes(data)
    table = pa.ipc.open_file(file).read_all()
    for column in table.column_names:
        with pytest.raises(LakeError, match="not a book checkpoint"):
            BookCheckpoint.from_bytes(as_file(table.drop([column])))
    meta = json.loads(table.schema.metadata[b"spymaster.book"])
    for part, name in (("scalars", "event_id"), ("counters", "snapshot_extra"), ("counters", "off_grid")):
        less = {**meta, part: {key: value for key, value in meta[part].items() if key != name}}
        with pytest.raises(LakeError, match="not a book checkpoint"):
            BookCheckpoint.from_bytes(as_file(table.replace_schema_metadata({"spymaster.book": json.dumps(less)})))


@settings(max_examples=200, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_read(file, at, bits):
    """Never another error, never another book."""
    data = bytearray(file)
    data[int(at * len(data))] ^= bits
    with contextlib.suppress(LakeError):
        assert BookCheckpoint.from_bytes(bytes(data)).to_bytes() == file


def as_file(table: pa.Table) -> bytes:
    """The table as one IPC file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
