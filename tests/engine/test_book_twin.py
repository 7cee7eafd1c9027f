"""The book against its twin: quotes, depth, counters and events, under everything a file can hold."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from harness import assert_bins_equal, assert_counters_equal, assert_same_bits, engine_config, run_engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twin import make_records, twin_run
from twin.records import F_LAST, F_SNAPSHOT

SMALL = {"grid_radius_ticks": 20, "n_absolute_ticks": 2048}
EVERYDAY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def compare(tmp_path, stream, config):
    """Engine and twin over one stream; what each says of the book must be the same, exactly."""
    engine = run_engine(tmp_path, stream, config)
    twin = twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns)
    assert_counters_equal(engine.counters, twin.counters)
    assert_bins_equal(engine.block.bins, twin.bins)
    for name in ("bid_depth", "ask_depth", "rest_depth", "fill_size"):
        np.testing.assert_array_equal(engine.block.field(name), twin.field(name), err_msg=name)
    np.testing.assert_array_equal(engine.block.last_event_id, twin.last_event_id)
    np.testing.assert_array_equal(engine.block.state5, twin.state5)
    return engine, twin


@EVERYDAY
@given(moves=streams.moves(120), opening=st.integers(0, 3), walk=st.sampled_from([5, 40, 400]))
def test_random_streams(tmp_path, moves, opening, walk):
    compare(tmp_path, streams.play(moves, opening=opening, walk=walk), engine_config(**SMALL))


@pytest.mark.parametrize("seed", range(6))
def test_long_streams(tmp_path, seed):
    """A thousand moves with walks that push the market through the edge of its slots."""
    stream = streams.play(streams.random_moves(seed, 1000), opening=seed % 4, walk=(40, 400)[seed % 2])
    _, twin = compare(tmp_path, stream, engine_config(**SMALL))
    assert twin.bins["book_valid"].any()
    assert seed % 2 == 0 or twin.counters["reanchors"] > 0


def test_every_kind_of_record_occurs():
    """The generator reaches every counter, so that agreement on them means something."""
    seen: dict[str, int] = {}
    for seed in range(4):
        stream = streams.play(streams.random_moves(seed, 1000), opening=seed, walk=400)
        twin = twin_run(
            stream.records, engine_config(**SMALL), stream.start_ns, stream.end_ns, stream.warmup_start_ns, emit=()
        )
        for name, count in twin.counters.items():
            seen[name] = seen.get(name, 0) + count
    assert all(seen.get(name, 0) > 0 for name in (
        "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
        "aggressor_fills", "zero_size_add", "clock_regressions", "crossed_events", "reanchors", "filled_sided",
        "filled_auction", "traded_sided", "traded_auction",
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


def test_block_size_changes_nothing(tmp_path):
    """Blocks of 7 bins join to the same bits as one block of all."""
    stream = streams.play(streams.random_moves(11, 300))
    config = engine_config(**SMALL)
    whole, parts = run_engine(tmp_path, stream, config), run_engine(tmp_path, stream, config, block_bins=7)
    assert_same_bits(whole.block, parts.block)
    assert whole.counters == parts.counters
