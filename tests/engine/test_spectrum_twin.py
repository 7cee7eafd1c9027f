"""Composite and its differences against the twin, for windows and weights other than the default too."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from harness import assert_close, engine_config, run_engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twin import twin_run

COLUMNS = ("composite", "composite_d1", "composite_d2", "composite_d3")


def compare(tmp_path, stream, config):
    engine = run_engine(tmp_path, stream, config)
    twin = twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns)
    for name in COLUMNS:
        assert_close(engine.block.field(name), twin.field(name), name)
    return twin


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=streams.moves(100), windows=st.sampled_from([(5, 10, 20, 40), (1,), (3, 2), (17, 64)]))
def test_random_streams(tmp_path, moves, windows):
    weights = tuple(1.0 + i for i in range(len(windows)))
    config = engine_config(spectrum_windows=windows, spectrum_weights=weights, grid_radius_ticks=20)
    compare(tmp_path, streams.play(moves), config)


@pytest.mark.parametrize(("seed", "walk"), [(1, 12), (3, 400)])
def test_long_streams(tmp_path, seed, walk):
    """Invalid bins and re-anchorings in between: neither may leave a trace in a tick's history."""
    stream = streams.play(streams.random_moves(seed, 1500), walk=walk)
    twin = compare(tmp_path, stream, engine_config(n_absolute_ticks=2048))
    assert not twin.bins["book_valid"].all()
    assert (walk == 400) == (twin.counters.get("reanchors", 0) > 0)


def test_first_valid_bin_has_no_differences(tmp_path):
    stream = streams.play(streams.random_moves(3, 200))
    run = run_engine(tmp_path, stream, engine_config())
    first = int(np.argmax(run.block.bins["book_valid"]))
    assert run.block.field("composite")[first].any()
    for name in COLUMNS[1:]:
        assert not run.block.field(name)[first].any()
        assert run.block.field(name)[first + 1].any()
