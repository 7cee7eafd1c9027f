"""The engine fed piece by piece gives the bits of a replay, however the pieces are cut and whoever closes the bins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import SMALL, capture_of, engine_config, join
from live_kit import Gathered, in_chunks, same_bits
from streams import play, random_moves, write_dbn

from vp_engine.feed.made import time_record
from vp_engine.live import CLOSE_AFTER_NS, LiveEngine, Watermark
from vp_engine.schema import BinBlock
from vp_engine.stream import stream_events

CONFIG = engine_config(**SMALL)


def replayed(path: Path, capture: object) -> tuple[BinBlock, dict[str, int]]:
    stream = stream_events([path], CONFIG, capture)
    blocks = list(stream)
    return join(blocks), stream.counters


@pytest.mark.parametrize("seed", range(4))
def test_pieces_make_the_bits_of_a_replay(tmp_path: Path, seed: int) -> None:
    stream = play(random_moves(seed, 500), opening=seed)
    capture = capture_of(stream, CONFIG)
    bins = Gathered()
    engine = LiveEngine(CONFIG, capture, bins)
    for piece in in_chunks(stream.records, np.random.default_rng(seed)):
        engine.feed(piece)
    engine.finish()
    block, counters = replayed(write_dbn(tmp_path / "day.dbn", stream.records), capture)
    same_bits(join(bins.blocks), block)
    assert engine.counters == counters
    assert engine.bins == capture.n_bins


@pytest.mark.parametrize("seed", range(4))
def test_time_may_close_what_no_record_has(tmp_path: Path, seed: int) -> None:
    """Between pieces time passes at random, so that some records come late: they stand behind a time record."""
    rng = np.random.default_rng(seed)
    stream = play(random_moves(seed, 400), opening=1)
    capture = capture_of(stream, CONFIG)
    bins = Gathered()
    engine = LiveEngine(CONFIG, capture, bins)
    told, late = [], 0
    for piece in in_chunks(stream.records, rng):
        if engine.clock_ns < engine.closed_ns and int(piece["ts_event"][0]) < engine.closed_ns:
            now = time_record(engine.closed_ns, int(piece["ts_recv"][0]), int(piece["instrument_id"][0]), 1)
            piece = np.concatenate([now, piece])
            late += 1
        told.append(piece)
        engine.feed(piece)
        if rng.random() < 0.3:
            engine.pass_time(engine.clock_ns + int(rng.integers(0, 300_000_000)))
    engine.finish()
    assert late > 0
    longer = capture._replace(end_ns=max(capture.end_ns, engine.clock_ns // capture.bin_ns * capture.bin_ns + 10**9))
    path = write_dbn(tmp_path / "day.dbn", np.concatenate(told))
    block, counters = replayed(path, capture)[0], replayed(path, longer)[1]
    same_bits(join(bins.blocks), block)
    assert engine.counters == counters


def test_a_bin_is_handed_over_as_soon_as_it_is_closed() -> None:
    stream = play(random_moves(5, 300), opening=1)
    capture = capture_of(stream, CONFIG)
    bins = Gathered()
    engine = LiveEngine(CONFIG, capture, bins)
    for record in stream.records[:, None]:
        engine.feed(record)
        passed = (engine.clock_ns - capture.start_ns) // capture.bin_ns
        assert engine.bins == min(max(passed, 0), capture.n_bins)
    assert engine.bins == sum(block.bins.size for block in bins.blocks)


def test_after_the_capture_the_book_goes_on() -> None:
    stream = play(random_moves(6, 200), opening=1)
    capture = capture_of(stream, CONFIG)
    short = capture._replace(end_ns=capture.start_ns + 2 * capture.bin_ns)
    bins = Gathered()
    engine, whole = LiveEngine(CONFIG, short, bins), LiveEngine(CONFIG, capture, Gathered())
    for one in (engine, whole):
        one.feed(stream.records)
    assert engine.bins == 2
    assert np.array_equal(engine.orders(), whole.orders())


def test_the_watermark_goes_on_with_this_machines_clock() -> None:
    mark = Watermark()
    assert mark.now_ns(10**18) == 0
    mark.seen(1_000, 5_000)  # 4 us apart
    assert mark.now_ns(5_000) == 1_000
    assert mark.now_ns(7_500) == 3_500
    mark.seen(4_000, 7_000)  # only 3 us: the first one was late itself
    assert mark.now_ns(7_000) == 4_000
    mark.seen(4_500, 20_000)  # a late one changes nothing
    assert mark.now_ns(20_000) == 17_000
    assert mark.closed_ns(20_000) == 17_000 - CLOSE_AFTER_NS
    assert mark.closed_ns(None) == 4_500 - CLOSE_AFTER_NS  # more is coming: this machine's clock says nothing
    assert mark.lag_ns(20_000) == 12_500
