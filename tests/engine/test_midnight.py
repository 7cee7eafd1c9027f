"""A capture that runs over UTC midnight: two files, one book, and a snapshot that says what the first file missed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dbn_kit as kit
import numpy as np
import pytest
import streams
from harness import (
    EngineRun,
    assert_bins_equal,
    assert_counters_equal,
    assert_grids_agree,
    assert_same_bits,
    copied,
    engine_config,
    join,
)
from streams import INSTRUMENT_ID, SYMBOL, TICK_INT
from twin import make_records, twin_run
from twin.records import F_LAST, F_SNAPSHOT

from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.book.order_table import ASK, BID, ORDER_DTYPE
from vp_engine.book.snapshots import snapshot_differences
from vp_engine.lake import Lake
from vp_engine.lake.datasets import write_dataset
from vp_engine.specs import Capture, resolve_capture
from vp_engine.stream import EventStream, build_checkpoint, stream_events

# 0.01 h = 36 s: a window from 19:00 Eastern, which is midnight UTC in winter, warms up in the day before.
CONFIG = engine_config(n_absolute_ticks=2048, grid_radius_ticks=10, warmup_hours=0.01)
MIDNIGHT = int(dt.datetime(2023, 12, 26, tzinfo=dt.UTC).timestamp()) * 10**9
DAYS = [dt.date(2023, 12, 25), dt.date(2023, 12, 26)]


def window(start: str, end: str) -> Capture:
    """A window of the Eastern date."""
    return resolve_capture(CONFIG, "2023-12-25", start, end)


def order(ms: int, action: str, side: str, order_id: int, tick: int, size: int, flags: int = F_LAST) -> dict:
    """One record `ms` after midnight."""
    ts, price = MIDNIGHT + ms * 1_000_000, tick * TICK_INT
    row = {"ts": ts, "action": action, "side": side, "order_id": order_id, "price": price, "size": size}
    return row | {"flags": flags}


EVENING = [
    order(-40_000, "A", "B", 1, 19_199, 5, F_SNAPSHOT),
    order(-40_000, "A", "A", 2, 19_201, 6, F_SNAPSHOT | F_LAST),
    order(-39_000, "A", "B", 3, 19_198, 4),
    order(-20_000, "A", "A", 4, 19_202, 7),
    order(-10_000, "A", "A", 5, 19_204, 3),
    order(-9_000, "A", "B", 6, 19_197, 2),
    order(-1_000, "A", "B", 7, 19_196, 1),
]
RESTATED = [
    order(0, "R", "N", 0, 0, 0, F_SNAPSHOT),
    order(0, "A", "B", 1, 19_199, 5, F_SNAPSHOT),  # as carried
    order(0, "A", "A", 2, 19_201, 9, F_SNAPSHOT),  # other size
    order(0, "A", "B", 3, 19_195, 4, F_SNAPSHOT),  # other tick
    order(0, "A", "B", 5, 19_190, 3, F_SNAPSHOT),  # other side and tick
    order(0, "A", "A", 8, 19_203, 2, F_SNAPSHOT),  # never heard of; 4, 6 and 7 are gone
]
MORNING = [order(2_000, "A", "B", 9, 19_199, 1), order(2_500, "C", "A", 8, 19_203, 2)]
DIFFERENCES = {"snapshot_missing": 3, "snapshot_extra": 1, "snapshot_changed": 3}


def write_days(folder: Path, evening: np.ndarray, morning: np.ndarray) -> list[Path]:
    """Two files; the instrument has another id on the second day."""
    first = kit.write_file(folder / "1.dbn.zst", kit.header(day_ns=MIDNIGHT - 1), evening)
    head = kit.header(day_ns=MIDNIGHT, mappings={SYMBOL: 42, "ESM4": INSTRUMENT_ID})
    foreign = kit.of_instrument(evening, INSTRUMENT_ID)
    return [first, kit.write_file(folder / "2.dbn.zst", head, kit.of_instrument(morning, 42), foreign)]


def run(paths: list[Path], capture: Capture, book: BookCheckpoint | None = None) -> EngineRun:
    """All bins of a capture."""
    events = stream_events(paths, CONFIG, capture, book, block_bins=7)
    return EngineRun(join([copied(block) for block in events]), dict(events.counters))


def test_which_days_a_window_reads():
    assert window("18:59:30", "19:00:10").utc_days() == DAYS
    assert window("19:00", "19:00:10").utc_days() == DAYS  # for its warm-up
    assert window("18:30", "19:00").utc_days() == DAYS[:1]
    assert window("19:01", "19:02").utc_days() == DAYS[1:]
    assert window("19:00", "19:00:10").book_day() == DAYS[0]


@pytest.mark.parametrize("times", [("18:59:30", "19:00:10"), ("19:00", "19:00:10")])
@pytest.mark.parametrize("closing", [0, F_LAST])
def test_two_days_are_one_stream(tmp_path, times, closing):
    """Bins, fields and counters are the twin's; what the second snapshot differs in is counted by order."""
    capture = window(*times)
    restated = [*RESTATED[:-1], RESTATED[-1] | {"flags": F_SNAPSHOT | closing}]
    evening, morning = make_records(EVENING), make_records([*restated, *MORNING])
    paths = write_days(tmp_path, evening, morning)
    engine = run(paths, capture)
    both = np.concatenate([evening, morning])
    twin = twin_run(both, CONFIG, capture.start_ns, capture.end_ns, capture.warmup_start_ns)
    assert_bins_equal(engine.block.bins, twin.bins)
    assert_grids_agree(engine.block, twin)
    assert_counters_equal(engine.counters, twin.counters)
    assert {name: engine.counters[name] for name in DIFFERENCES} == DIFFERENCES
    assert engine.counters["snapshots"] == 2
    assert engine.counters["events_kept"] == both.size
    assert engine.block.bins["book_valid"].all()
    saved = tmp_path / "book.arrow"
    build_checkpoint(paths[0], CONFIG, capture).save(saved)
    again = run(paths, capture, BookCheckpoint.load(saved))
    assert_same_bits(engine.block, again.block)
    assert engine.counters == again.counters


def test_flow_of_the_evening_goes_on_decaying(tmp_path):
    """The snapshot replaces the book and adds no flow: masses of before midnight fall by exp(-dt/30) over it."""
    capture = window("18:59:55", "19:00:05")
    paths = write_days(tmp_path, make_records(EVENING), make_records(RESTATED))
    block = run(paths, capture).block
    mass = block.field("add_mass").sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(mass[41:] / mass[40:-1], np.exp(-0.1 / 30), rtol=1e-6)  # nothing came after bin 40
    assert block.field("rest_depth")[49].sum() == 5 + 6 + 4 + 7 + 3 + 2 + 1
    assert block.field("rest_depth")[50].sum() == 5 + 9 + 4 + 3 + 2
    assert not block.field("pull_mass").any()


@pytest.mark.parametrize("seed", [5, 6])
def test_random_days(tmp_path, seed):
    """Everything that can happen, cut at a snapshot."""
    player = streams.Player(walk=300)
    player.ts = MIDNIGHT - 30_000_000_000
    player.snapshot(1, 1)
    for move in streams.random_moves(seed, 400):
        player.play(move)
        if player.ts > MIDNIGHT - 3_000_000_000:
            break
    first_day = len(player.rows)
    player.ts = MIDNIGHT
    player.snapshot(1, 1)
    for move in streams.random_moves(seed + 50, 60):
        player.play(move)
    records = make_records(player.rows)
    capture = window("18:59:50", "19:00:10")
    engine = run(write_days(tmp_path, records[:first_day], records[first_day:]), capture)
    twin = twin_run(records, CONFIG, capture.start_ns, capture.end_ns, capture.warmup_start_ns)
    assert_bins_equal(engine.block.bins, twin.bins)
    assert_grids_agree(engine.block, twin)
    assert_counters_equal(engine.counters, twin.counters)
    assert engine.counters["snapshot_extra"] > 0


def test_a_second_day_that_never_comes(tmp_path):
    """The first file alone: the book stands still over midnight, every bin is there."""
    capture = window("18:59:55", "19:00:05")
    paths = write_days(tmp_path, make_records(EVENING), make_records([])[:0])
    got = run(paths[:1], capture)
    assert got.block.bins.size == 100
    assert got.block.bins["book_valid"].all()
    assert got.counters["snapshot_missing"] == 0


def test_counters_stand_in_the_manifest(tmp_path):
    """The dataset says what the snapshot found, beside every other counter."""
    capture = window("18:59:55", "19:00:05")
    paths = write_days(tmp_path, make_records(EVENING), make_records([*RESTATED, *MORNING]))
    events: EventStream = stream_events(paths, CONFIG, capture)
    info = write_dataset(
        Lake(tmp_path / "lake"), events, config=CONFIG, capture=capture, pipeline="midnight", address="0" * 64,
        inputs={}, counters=lambda: events.counters,
    )  # fmt: skip
    assert info.manifest["counters"].items() >= DIFFERENCES.items()


def test_differences_by_order():
    carried = np.zeros(4, ORDER_DTYPE)
    carried["order_id"], carried["side"], carried["tick"], carried["size"] = [9, 2, 7, 4], BID, 100, 3
    carried["pending_fill"][0] = 2  # an execution half reported is no difference
    restated = carried[[2, 0, 1]].copy()
    restated["pending_fill"] = 0
    assert snapshot_differences(carried, restated) == (1, 0, 0)
    restated["order_id"][2] = 5
    assert snapshot_differences(carried, restated) == (2, 1, 0)
    for name, value in (("side", ASK), ("tick", 101), ("size", 4)):
        other = carried.copy()
        other[name][1] = value
        assert snapshot_differences(carried, other) == (0, 0, 1)
    assert snapshot_differences(carried, carried[:0]) == (4, 0, 0)
