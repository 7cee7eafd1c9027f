"""Files as they really come: other instruments, spreads, other records, every version, days with parts missing.

Whatever surrounds the locked symbol's records, bins and counters are those of the same records alone.
"""

from __future__ import annotations

from pathlib import Path

import dbn_kit as kit
import numpy as np
import pytest
import streams
from harness import EngineRun, assert_same_bits, capture_of, copied, engine_config, join
from streams import BASE_NS, INSTRUMENT_ID, SYMBOL, TICK_INT
from twin.records import F_LAST, F_SNAPSHOT, UNDEF_PRICE, make_records

from vp_engine.errors import DataError
from vp_engine.feed import DbnFile, scan
from vp_engine.stream import stream_events

CONFIG = engine_config(n_absolute_ticks=2048, grid_radius_ticks=10)
FAR = {"ESM4": 7, "ESH4-ESM4": 8, "ESH4-NQH4": INSTRUMENT_ID + 1}


def run(path: Path, stream: streams.Stream) -> EngineRun:
    """Bins of one file."""
    events = stream_events([path], CONFIG, capture_of(stream, CONFIG), block_bins=64)
    return EngineRun(join([copied(block) for block in events]), dict(events.counters))


@pytest.fixture(scope="module")
def stream() -> streams.Stream:
    """Four seconds of everything."""
    return streams.play(streams.random_moves(41, 300), opening=3)


@pytest.fixture(scope="module")
def alone(stream: streams.Stream, tmp_path_factory: pytest.TempPathFactory) -> EngineRun:
    """The stream in a file of its own."""
    return run(kit.write_file(tmp_path_factory.mktemp("alone") / "day.dbn", kit.header(), stream.records), stream)


def assert_like_alone(alone: EngineRun, other: EngineRun) -> None:
    assert_same_bits(alone.block, other.block)
    assert alone.counters == other.counters


@pytest.mark.parametrize("suffix", [".dbn", ".dbn.zst"])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_and_compression_gives_the_same_bins(tmp_path, stream, alone, version, suffix):
    path = kit.write_file(tmp_path / f"day{suffix}", kit.header(version), stream.records)
    assert DbnFile(path).version == version
    assert_like_alone(alone, run(path, stream))


@pytest.mark.parametrize("by_id", [False, True])
def test_other_instruments_and_spreads_move_nothing(tmp_path, stream, alone, by_id):
    """The same order ids, prices and times in three other instruments, record by record between ours."""
    mappings = {**FAR, SYMBOL: INSTRUMENT_ID}
    others = [kit.rows(kit.of_instrument(stream.records, number)) for number in FAR.values()]
    body = kit.interleaved(others[0], kit.rows(stream.records), *others[1:])
    path = kit.write_file(tmp_path / "day.dbn.zst", kit.header(mappings=mappings, by_id=by_id), body)
    assert_like_alone(alone, run(path, stream))
    info = scan(path, SYMBOL)
    assert (info.records, info.kept) == (4 * stream.records.size, stream.records.size)
    assert info.instrument_ids == (INSTRUMENT_ID,)


@pytest.mark.parametrize("kinds", [[kind] for kind in kit.OTHERS] + [list(kit.OTHERS)])
def test_other_records_are_passed_over(tmp_path, stream, alone, kinds):
    """Before, between and behind ours: a file may end in a record shorter than ours."""
    others = [kit.other(kind) for kind in kinds] * (2 * stream.records.size // len(kinds))
    path = kit.write_file(
        tmp_path / "day.dbn", kit.header(schema=None), kit.interleaved(others, kit.rows(stream.records))
    )
    assert_like_alone(alone, run(path, stream))
    short = kit.write_file(tmp_path / "end.dbn", kit.header(), stream.records, *(kit.other(kind) for kind in kinds))
    assert_like_alone(alone, run(short, stream))


def test_longer_records_are_cut_to_ours(tmp_path, stream, alone):
    """Records with the gateway's send time behind them."""
    path = kit.write_file(tmp_path / "day.dbn", kit.header(), kit.with_send_times(stream.records))
    assert_like_alone(alone, run(path, stream))


def test_no_mapping_and_one_instrument(tmp_path, stream, alone):
    path = kit.write_file(tmp_path / "day.dbn", kit.header(mappings={}), stream.records)
    assert_like_alone(alone, run(path, stream))


def test_two_ids_of_one_symbol_are_both_ours(tmp_path, stream, alone):
    """An instrument renumbered within the file: one book."""
    records = stream.records.copy()
    records["instrument_id"][records.size // 2 :] = 99
    head = kit.header(mappings={"99": SYMBOL, str(INSTRUMENT_ID): SYMBOL})
    assert_like_alone(alone, run(kit.write_file(tmp_path / "day.dbn", head, records), stream))


@pytest.mark.parametrize("suffix", [".dbn", ".dbn.zst"])
def test_an_empty_day_is_bins_without_a_book(tmp_path, stream, suffix):
    """No record at all, or none of ours: every bin of the window, none of them valid, and the scan says so."""
    theirs = kit.of_instrument(stream.records, 7)
    for n, parts in enumerate(([], [kit.other("system")], [theirs])):
        path = kit.write_file(tmp_path / f"day{n}{suffix}", kit.header(mappings={**FAR, SYMBOL: INSTRUMENT_ID}), *parts)
        got = run(path, stream)
        assert got.block.bins.size == capture_of(stream, CONFIG).n_bins
        assert not got.block.bins["book_valid"].any()
        assert not got.block.grid.any()
        assert not any(got.counters.values())
        with pytest.raises(DataError, match="holds no MBO record of ESH4"):
            scan(path, SYMBOL)


def test_an_empty_day_without_a_mapping_cannot_be_told(tmp_path, stream):
    path = kit.write_file(tmp_path / "day.dbn", kit.header(mappings={}))
    with pytest.raises(DataError, match="holds 0 instruments"):
        run(path, stream)


def order(
    ms: int, action: str, side: str, order_id: int, tick: int, size: int, flags: int = F_LAST
) -> dict[str, object]:
    """One record `ms` after the base time."""
    price = UNDEF_PRICE if action == "R" else tick * TICK_INT
    return {
        "ts": BASE_NS + ms * 1_000_000, "action": action, "side": side, "order_id": order_id, "price": price,
        "size": size, "flags": flags,
    }  # fmt: skip


def bins_of(tmp_path: Path, day: list[dict[str, object]]) -> EngineRun:
    """Warm-up from 0 s, twenty bins from 1 s to 3 s."""
    start = BASE_NS + 1_000_000_000
    stream = streams.Stream(make_records(day), start, start + 2_000_000_000, BASE_NS)
    return run(kit.write_file(tmp_path / "day.dbn", kit.header(), stream.records), stream)


QUOTES = [order(0, "A", "B", 1, 19_199, 5), order(0, "A", "A", 2, 19_201, 6)]
FLOW = order(1000, "A", "B", 3, 19_198, 4)  # the first record with slots to be tracked in


def test_a_day_without_a_snapshot(tmp_path):
    """The book is what was added since midnight; the scan says that the opening snapshot is missing."""
    got = bins_of(tmp_path, [*QUOTES, order(1500, "A", "B", 3, 19_200, 1)])
    assert got.block.bins["book_valid"].all()
    assert got.block.field("rest_depth").sum(axis=1).tolist() == [11.0] * 5 + [12.0] * 15
    assert got.counters["snapshots"] == 0
    assert not scan(tmp_path / "day.dbn", SYMBOL).complete_start


def test_a_snapshot_in_mid_session(tmp_path):
    """The restated book stands at once and is no flow."""
    snapshot = [
        order(1500, "A", "B", 1, 19_199, 5, F_SNAPSHOT),
        order(1500, "A", "A", 4, 19_202, 8, F_SNAPSHOT | F_LAST),
    ]
    got = bins_of(tmp_path, [*QUOTES, FLOW, *snapshot])
    assert got.block.bins["book_valid"].all()
    assert got.block.field("rest_depth").sum(axis=1).tolist() == [15.0] * 5 + [13.0] * 15
    assert not got.block.field("pull_mass").any()
    add = got.block.field("add_mass").sum(axis=1)
    np.testing.assert_allclose(add, 4 * np.exp(-(0.1 + 0.1 * np.arange(20)) / 30), rtol=1e-6)
    assert got.counters["snapshots"] == 1


def test_a_clear_without_a_snapshot(tmp_path):
    """The book is empty and invalid until both sides quote again; the flow of before goes on decaying."""
    again = [order(2150, "A", "B", 5, 19_190, 3), order(2350, "A", "A", 6, 19_191, 2)]
    got = bins_of(tmp_path, [*QUOTES, FLOW, order(1520, "R", "N", 0, 0, 0), *again])
    valid = got.block.bins["book_valid"]
    assert valid.tolist() == [1] * 5 + [0] * 8 + [1] * 7
    assert not got.block.grid[:, valid == 0].any()
    assert (got.block.bins["mid_price"][valid == 0] == 0).all()
    assert (got.block.field("rest_depth").sum(axis=1)[13:] == 5).all()
    assert not got.block.field("pull_mass").any()
    spot = 19_191  # halfway between the new quotes, rounded up
    assert got.block.field("add_mass")[13, 10 + 19_198 - spot] == pytest.approx(4 * np.exp(-1.4 / 30), rel=1e-6)
    assert got.counters["clears"] == 1
