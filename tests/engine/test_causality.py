"""Nothing that comes later changes a bin, and neither does when the run began to be cached."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from harness import assert_same_bits, capture_of, copied, engine_config, join, run_engine

from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams
from vp_engine.stream import build_checkpoint, stream_events

CONFIG = {"n_absolute_ticks": 2048, "grid_radius_ticks": 10, "zscore_window_bins": 60, "zscore_min_periods": 20}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("share", [0.3, 0.62, 0.9])
def test_truncating_the_input_changes_no_earlier_bin(tmp_path, seed, share):
    config = engine_config(**CONFIG)
    stream = streams.play(streams.random_moves(seed, 900), walk=300)
    whole = run_engine(tmp_path, stream, config).block
    n_bins = int(share * len(whole.bins))
    cut_ns = stream.start_ns + n_bins * config.bin_ns
    # The clock of a late record is the clock before it: cut by position, at the first record past the time.
    clock = np.maximum.accumulate(
        np.where(stream.records["flags"] & 32, stream.records["ts_recv"], stream.records["ts_event"])
    )
    kept = stream.records[: np.searchsorted(clock, cut_ns)]
    assert 0 < len(kept) < len(stream.records)
    part = run_engine(tmp_path, stream._replace(records=kept), config).block
    assert_same_bits(whole.part(0, n_bins), part.part(0, n_bins))
    shorter = run_engine(tmp_path, stream._replace(end_ns=cut_ns), config).block
    assert_same_bits(whole.part(0, n_bins), shorter)
    one, other = SpectrumScorer(config).update(whole), SpectrumScorer(config).update(shorter)
    np.testing.assert_array_equal(one.flow_score[:n_bins], other.flow_score)
    np.testing.assert_array_equal(one.projections[:, :n_bins], other.projections)
    model = StateModelParams(**config.state_model)
    one, other = (
        DerivativeRuntime(model, config.dt_s, 10).update(block.state5, block.bins["book_valid"])
        for block in (whole, shorter)
    )
    np.testing.assert_array_equal(one[:n_bins], other)


def test_changing_the_future_changes_the_future(tmp_path):
    """The test above could pass on an engine that hears nothing: a later record does show in its own bin."""
    config = engine_config(**CONFIG)
    stream = streams.play(streams.random_moves(1, 900))
    whole = run_engine(tmp_path, stream, config).block
    half = stream.records[: len(stream.records) // 2]
    part = run_engine(tmp_path, stream._replace(records=half), config).block
    assert (whole.bins["event_id"] != part.bins["event_id"]).any()
    assert (whole.grid != part.grid).any()


@pytest.mark.parametrize("prefix_ms", [0, 700, 3_000])
def test_a_cached_book_gives_the_same_bits(tmp_path, prefix_ms):
    """From a saved checkpoint, from a built one, or on the way: one result, counters included."""
    config = engine_config(**CONFIG)
    stream = streams.play(streams.random_moves(4, 900), opening=3, prefix_ms=prefix_ms, walk=300)
    path, capture = streams.write_dbn(tmp_path / "day.dbn", stream.records), capture_of(stream, config)
    checkpoint = build_checkpoint(path, config, capture)
    checkpoint.save(tmp_path / "book.arrow")
    runs = []
    for book in (None, checkpoint, type(checkpoint).load(tmp_path / "book.arrow")):
        events = stream_events([path], config, capture, book)
        runs.append((join([copied(block) for block in events]), events.counters))
    for block, counters in runs[1:]:
        assert_same_bits(runs[0][0], block)
        assert counters == runs[0][1]
