"""Slots follow the market: a price that runs thousands of ticks away and back changes nothing around spot."""

from __future__ import annotations

import numpy as np
import pytest
from harness import (
    assert_bins_equal,
    assert_counters_equal,
    assert_grids_agree,
    assert_same_bits,
    engine_config,
    run_engine,
)
from streams import BASE_NS, CENTRE, TICK_INT, Stream
from twin import make_records, twin_run
from twin.records import F_LAST, F_SNAPSHOT

N_SLOTS, MANY_SLOTS = 8_192, 65_536
STEP_NS = 10_000_000
RUN = 6_000  # ticks


def path_of_spot(per_step: int) -> list[int]:
    """Ticks from the centre: up, down through it to the other side, and back past where it began."""
    up, down = list(range(0, RUN, per_step)), list(range(RUN, -RUN, -per_step))
    return up + [RUN] * 40 + down + [-RUN] * 40 + list(range(-RUN, 400, per_step)) + [400] * 60


def running_market(per_step: int, far_flow: bool = False) -> Stream:
    """Three quotes a side that are moved along, sizes that change, trades; walls wait all along the way.

    far_flow: now and then an order comes to where no slot may be.
    """
    rows = []
    rng = np.random.default_rng(per_step)

    def put(ts: int, action: str, side: str, order_id: int, tick: int, size: int, flags: int = F_LAST) -> None:
        row = {"ts": ts, "action": action, "side": side, "order_id": order_id, "price": tick * TICK_INT, "size": size}
        rows.append(row | {"flags": flags})

    for n, off in enumerate(range(-30_000, 30_001, 250)):  # below every spot they are bids, above every spot asks
        if abs(off) > RUN + 500:
            put(BASE_NS, "A", "B" if off < 0 else "A", 1_000 + n, CENTRE + off, 1 + n % 7, F_SNAPSHOT)
    for level in range(3):
        put(BASE_NS, "A", "B", 1 + level, CENTRE - 1 - level, 2 + level, F_SNAPSHOT)
        put(BASE_NS, "A", "A", 11 + level, CENTRE + 1 + level, 3 + level, F_SNAPSHOT)
    rows[-1]["flags"] |= F_LAST
    ts, before, next_id = BASE_NS + 600_000_000, 0, 5_000
    for at in path_of_spot(per_step):
        spot = CENTRE + at
        first, second = ("A", "B") if at >= before else ("B", "A")  # whoever is in the way goes first
        for side in (first, second):
            away = -1 if side == "B" else 1
            for level in (2, 1, 0):
                order_id = (1 if side == "B" else 11) + level
                put(ts, "M", side, order_id, spot + away * (1 + level), int(rng.integers(1, 30)), 0)
        put(ts, "A", "B", next_id, spot - 4, 3)
        put(ts + 1_000, "T", "A", 0, spot - 1, 1, 0)
        put(ts + 1_000, "F", "B", 1, spot - 1, 1, 0)
        put(ts + 1_000, "C", "B", 1, spot - 1, 1)
        put(ts + 2_000, "A", "B", 1, spot - 1, 5)  # replaces what is left, or comes anew
        put(ts + 3_000, "C", "B", next_id, spot - 4, 3)
        if far_flow and next_id % 7 == 0:
            put(ts + 4_000, "A", "B", next_id + 100_000, spot - 7_000 + next_id % 11, 4)
        ts, before, next_id = ts + STEP_NS, at, next_id + 1
    start = BASE_NS + 500_000_000
    seconds = -(-(ts - start) // 1_000_000_000)
    return Stream(make_records(rows), start, start + seconds * 1_000_000_000, BASE_NS + 100_000_000)


@pytest.mark.parametrize("per_step", [7, 60])
def test_fields_around_spot_do_not_depend_on_the_slots(tmp_path, per_step):
    """Every field within R of spot, in every bit, against an engine that never moves its slots."""
    stream = running_market(per_step)
    few = run_engine(tmp_path, stream, engine_config(n_absolute_ticks=N_SLOTS))
    many = run_engine(tmp_path, stream, engine_config(n_absolute_ticks=MANY_SLOTS))
    assert_same_bits(few.block, many.block)
    assert few.counters == many.counters | {"reanchors": few.counters["reanchors"]}
    assert (few.counters["reanchors"], many.counters["reanchors"]) == (4, 0)
    spot = few.block.bins["spot_ref_price_int"] // TICK_INT - CENTRE
    assert (spot.max(), spot.min()) == (RUN, -RUN)
    assert few.block.bins["book_valid"].all()
    assert few.block.field("fill_mass")[-1].sum() > 10


def test_against_the_twin(tmp_path):
    """The twin moves its slots by the same rule, by dropping what falls out of them."""
    config = engine_config(n_absolute_ticks=N_SLOTS, grid_radius_ticks=20)
    stream = running_market(60, far_flow=True)
    engine = run_engine(tmp_path, stream, config)
    twin = twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns)
    assert_bins_equal(engine.block.bins, twin.bins)
    assert_grids_agree(engine.block, twin)
    assert_counters_equal(engine.counters, twin.counters)


def test_no_order_is_lost_outside_the_slots(tmp_path):
    """Orders that came to where no slot was are there when the market gets to them; their flow is not."""
    stream = running_market(60, far_flow=True)
    few, many = (run_engine(tmp_path, stream, engine_config(n_absolute_ticks=n)).block for n in (N_SLOTS, MANY_SLOTS))
    for name in ("bid_depth", "ask_depth", "rest_depth", "fill_size"):
        np.testing.assert_array_equal(few.field(name), many.field(name))
    assert_bins_equal(few.bins, many.bins)
    assert (few.field("add_mass") <= many.field("add_mass")).all()
