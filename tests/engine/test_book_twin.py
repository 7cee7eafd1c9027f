"""The book against its twin: quotes, depth, counters and events, under everything a file can hold."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from harness import (
    EVERYDAY,
    SMALL,
    assert_bins_equal,
    assert_close,
    assert_counters_equal,
    assert_grids_agree,
    assert_same_bits,
    capture_of,
    copied,
    engine_config,
    join,
    run_engine,
)
from hypothesis import given
from hypothesis import strategies as st
from twin import make_records, twin_run
from twin.records import F_LAST, F_SNAPSHOT

from vp_engine.stream import stream_events


def compare(tmp_path, stream, config):
    """Engine and twin over one stream; what each says of the book must be the same, exactly."""
    engine = run_engine(tmp_path, stream, config)
    twin = twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns)
    assert_counters_equal(engine.counters, twin.counters)
    assert_bins_equal(engine.block.bins, twin.bins)
    for name in ("bid_depth", "ask_depth", "rest_depth", "fill_size"):
        np.testing.assert_array_equal(engine.block.field(name), twin.field(name), err_msg=name)
    for name in ("add_mass", "pull_mass", "fill_mass"):  # what is a pull and what an execution is the book's business
        assert_close(engine.block.field(name), twin.field(name), name)
    np.testing.assert_array_equal(engine.block.last_event_id, twin.last_event_id)
    np.testing.assert_array_equal(engine.block.state5, twin.state5)
    return engine, twin


@EVERYDAY
@given(moves=streams.moves(120), opening=st.integers(0, 3), walk=st.sampled_from([5, 40, 400]))
def test_random_streams(tmp_path, moves, opening, walk):
    compare(tmp_path, streams.play(moves, opening=opening, walk=walk, faults=True), engine_config(**SMALL))


@pytest.mark.parametrize("seed", range(6))
def test_long_streams(tmp_path, seed):
    """A thousand moves with walks that push the market through the edge of its slots."""
    stream = streams.play(streams.random_moves(seed, 1000), opening=seed % 4, walk=(40, 400)[seed % 2], faults=True)
    _, twin = compare(tmp_path, stream, engine_config(**SMALL))
    assert twin.bins["book_valid"].any()
    assert seed % 2 == 0 or twin.counters["reanchors"] > 0


def test_every_kind_of_record_occurs():
    """The generator reaches every counter, so that agreement on them means something."""
    seen: dict[str, int] = {}
    for seed in range(4):
        stream = streams.play(streams.random_moves(seed, 1000), opening=seed, walk=400, faults=True)
        twin = twin_run(
            stream.records, engine_config(**SMALL), stream.start_ns, stream.end_ns, stream.warmup_start_ns, emit=()
        )
        for name, count in twin.counters.items():
            seen[name] = seen.get(name, 0) + count
    assert all(seen.get(name, 0) > 0 for name in (
        "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
        "aggressor_fills", "zero_size_add", "clock_regressions", "sequence_regressions", "maybe_bad_book",
        "crossed_events", "reanchors", "filled_sided",
        "filled_unsided", "traded_sided", "traded_unsided", "overfilled", "unattributed",
        "snapshot_missing", "snapshot_extra", "snapshot_changed",
    )), seen  # fmt: skip


def order(ms, action, side, order_id, tick, size, flags=F_LAST):
    """One record `ms` after the base time."""
    ts, price = streams.BASE_NS + ms * 1_000_000, tick * streams.TICK_INT
    return {
        "ts": ts,
        "action": action,
        "side": side,
        "order_id": order_id,
        "price": price,
        "size": size,
        "flags": flags,
    }


def window(rows):
    """A stream of these records: warm-up at 0, bins from 1,000 ms to 3,000 ms."""
    start = streams.BASE_NS + 1_000_000_000
    return streams.Stream(make_records(rows), start, start + 2_000_000_000, streams.BASE_NS)


@pytest.mark.parametrize("closing", [F_SNAPSHOT, F_SNAPSHOT | F_LAST])
@pytest.mark.parametrize("leading_clear", [False, True])
def test_snapshot_replaces_the_book(tmp_path, leading_clear, closing):
    """A snapshot in mid-stream, far away: the old orders go, no flow, and the slots follow the market at once."""
    far = 19_200 + 5_000
    rows = [order(0, "A", "B", 1, 19_199, 5), order(0, "A", "A", 2, 19_201, 5)]
    rows += [order(1500, "R", "N", 0, 0, 0, F_SNAPSHOT)] if leading_clear else []
    rows += [order(1500, "A", "B", 3, far - 1, 7, F_SNAPSHOT), order(1500, "A", "A", 4, far + 1, 8, closing)]
    rows += [order(2150, "A", "B", 5, far - 1, 2)]
    engine, _ = compare(tmp_path, window(rows), engine_config())
    bins, add = engine.block.bins, engine.block.field("add_mass")
    assert bins["book_valid"].all()
    assert bins["spot_ref_price_int"][4] == 19_200 * streams.TICK_INT
    assert (bins["spot_ref_price_int"][5:] == far * streams.TICK_INT).all()
    assert not add[5:11].any()
    assert add[11, 49] == pytest.approx(2 * np.exp(-0.05 / 30), rel=1e-6)


@pytest.mark.parametrize("later_ns", [0, 1])
def test_slots_follow_a_snapshot_before_the_next_record(tmp_path, later_ns):
    """A snapshot without F_LAST ends before the record behind it, whose flow is tracked where the market now is."""
    far = 19_200 + 5_000
    rows = [order(0, "A", "B", 1, 19_199, 5), order(0, "A", "A", 2, 19_201, 5)]
    rows += [order(1520, "A", side, 3, far + k, 7, F_SNAPSHOT) for side, k in (("B", -1), ("A", 1))]
    rows[-1]["order_id"] = 4
    rows += [order(1520, "A", "B", 5, far - 1, 2) | {"ts": streams.BASE_NS + 1_520_000_000 + later_ns}]
    engine, _ = compare(tmp_path, window(rows), engine_config())
    assert engine.block.field("add_mass")[5, 49] == pytest.approx(2 * np.exp(-0.08 / 30), rel=1e-6)
    assert engine.block.last_event_id[5, 49] == 5


@pytest.mark.parametrize(("spot", "moved"), [(18_688, 0), (18_687, 1), (19_711, 0), (19_712, 1)])
def test_slots_move_at_512_from_their_end(tmp_path, spot, moved):
    """Of 2,048 slots around 19,200 the market may stand in slots 512 to 1,535."""
    rows = [order(0, "A", "B", 1, 19_199, 5), order(0, "A", "A", 2, 19_201, 5)]
    rows += [order(1510, "M", side, i, spot + k, 5, 0) for side, i, k in (("B", 1, -1), ("A", 2, 1))]
    engine, _ = compare(tmp_path, window(rows if spot < 19_200 else [*rows[:2], *rows[:1:-1]]), engine_config(**SMALL))
    assert engine.counters["reanchors"] == moved
    assert engine.block.bins["spot_ref_price_int"][-1] == spot * streams.TICK_INT


def test_executions_are_not_pulls(tmp_path):
    """F then C, F then a smaller M, and an iceberg's refresh: fills fill, pulls stay at zero, refreshes add."""
    rows = [order(0, "A", "B", 1, 19_199, 9), order(0, "A", "A", 2, 19_201, 9), order(0, "A", "A", 3, 19_202, 4)]
    rows += [order(1100, "F", "A", 2, 19_201, 4, 0), order(1100, "M", "A", 2, 19_201, 5)]
    rows += [order(1200, "F", "A", 3, 19_202, 4, 0), order(1200, "C", "A", 3, 19_202, 4)]
    rows += [order(1300, "F", "B", 1, 19_199, 3, 0), order(1300, "M", "B", 1, 19_199, 8)]
    engine, _ = compare(tmp_path, window(rows), engine_config())
    block, spot = engine.block, 50
    assert not block.field("pull_mass").any()
    assert block.field("fill_size")[1, spot + 1] == 4
    assert block.field("fill_size")[2, spot + 2] == 4
    assert block.field("fill_size")[3, spot - 1] == 3
    assert block.field("ask_depth")[-1, spot + 1] == 5
    assert block.field("bid_depth")[-1, spot - 1] == 8
    before, after = block.field("add_mass")[2, spot - 1], block.field("add_mass")[3, spot - 1]
    assert after - before * np.exp(-0.1 / 30) == pytest.approx(2 * np.exp(-0.1 / 30), rel=1e-5)


def test_more_orders_than_the_table_first_holds(tmp_path):
    """Six thousand resting orders, most of them gone again in another order, ids far apart and close together."""
    rng = np.random.default_rng(8)
    ids = np.unique(np.concatenate([np.arange(1, 3001), rng.integers(1, 2**63, 3000)]))
    ticks = 19_200 + np.where(ids % 2, -1, 1) * rng.integers(1, 60, ids.size)
    rows = [
        order(int(ms), "A", "B" if tick < 19_200 else "A", int(i), int(tick), int(1 + i % 7))
        for ms, i, tick in zip(np.linspace(0, 2000, ids.size), ids, ticks, strict=True)
    ]
    gone = rng.permutation(ids.size)[:5000]
    rows += [
        order(int(ms), "C", "B", int(ids[n]), int(ticks[n]), 9) for ms, n in zip(range(2000, 2900), gone, strict=False)
    ]
    rows += [order(2900, "C", "B", int(ids[n]), int(ticks[n]), 9) for n in gone[900:]]
    engine, _ = compare(tmp_path, window(rows), engine_config())
    left = set(range(ids.size)) - set(gone.tolist())
    depth = engine.block.field("rest_depth")[-1]
    spot = int(engine.block.bins["spot_ref_price_int"][-1]) // streams.TICK_INT
    near = [n for n in left if abs(ticks[n] - spot) <= 50]
    assert depth.sum() == sum(1 + int(ids[n]) % 7 for n in near)


def test_one_capture_over_two_files(tmp_path):
    """The next day's file opens with a snapshot: the book begins anew, the flow behind it goes on decaying."""
    player = streams.Player()
    player.quotes()
    for move in streams.random_moves(21, 400):
        player.play(move)
    first_day = len(player.rows)
    player.snapshot(0, 2)
    for move in streams.random_moves(22, 300):
        player.play(move)
    start = streams.BASE_NS + 1_000_000_000
    whole = streams.Stream(make_records(player.rows), start, start + 30_000_000_000, streams.BASE_NS)
    config = engine_config(**SMALL)
    days = [whole.records[:first_day], whole.records[first_day:]]
    paths = [streams.write_dbn(tmp_path / f"day{n}.dbn", records) for n, records in enumerate(days)]
    _, twin = compare(tmp_path, whole, config)
    events = stream_events(paths, config, capture_of(whole, config))
    block = join([copied(part) for part in events])
    assert_grids_agree(block, twin)
    assert_bins_equal(block.bins, twin.bins)
    assert_counters_equal(events.counters, twin.counters)


def test_silence_is_bins_too(tmp_path):
    """No record in the whole window: every bin is there, the book stands, the flow is zero."""
    rows = [order(0, "A", "B", 1, 19_199, 5) | {"ts": streams.BASE_NS - 10**9}]
    rows += [order(0, "A", "A", 2, 19_202, 6) | {"ts": streams.BASE_NS - 10**9}]
    engine, _ = compare(tmp_path, window(rows), engine_config())
    bins = engine.block.bins
    assert len(bins) == 20
    assert bins["book_valid"].all()
    assert not bins["bin_event_count"].any()
    assert (bins["spot_ref_price_int"] == 19_201 * streams.TICK_INT).all()
    assert (engine.block.field("rest_depth").sum(axis=1) == 11).all()
    assert not engine.block.field("pressure_variant").any()


def test_block_size_changes_nothing(tmp_path):
    """Blocks of 7 bins join to the same bits as one block of all."""
    stream = streams.play(streams.random_moves(11, 300))
    config = engine_config(**SMALL)
    whole, parts = run_engine(tmp_path, stream, config), run_engine(tmp_path, stream, config, block_bins=7)
    assert_same_bits(whole.block, parts.block)
    assert whole.counters == parts.counters
