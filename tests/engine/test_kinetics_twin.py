"""Decayed sums and the derivative chain: against their definition, against the twin, and whoever asks when."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from harness import EVERYDAY, SMALL, assert_close, assert_grids_agree, engine_config, run_engine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from twin import twin_run
from twin.kinetics import chain, direct_sums

from vp_engine.field.kinetics import (
    N_CHANNELS,
    acceleration_nb,
    add_impulse_nb,
    advance_nb,
    chain_at_nb,
    jerk_nb,
    mass_nb,
    new_kinetics,
    velocity_nb,
    wake_nb,
)
from vp_engine.schema import GRID_F32_NAMES

TAUS = (2.0, 5.0, 10.0, 30.0)
N_SLOTS = 3
impulses = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1_000, 50_000_000, 700_000_000, 20_000_000_000, 400_000_000_000]),
        st.integers(0, N_SLOTS - 1),
        st.integers(0, N_CHANNELS - 1),
        st.integers(-50, 50),
    ),
    min_size=1,
    max_size=40,
)


def advance(kinetics, ts_ns):
    """Bring the kernel's state to `ts_ns`."""
    state = (kinetics.sums, kinetics.gain, kinetics.rates, kinetics.clock, kinetics.powers)
    advance_nb(ts_ns, *state, kinetics.touched, kinetics.moved)


def feed(moves, taus, pauses=0):
    """Kernel state after the impulses, each reached in pauses + 1 steps; and the impulses with their times."""
    kinetics, ts, seen = new_kinetics(N_SLOTS, taus), streams.BASE_NS, []
    for gap, slot, channel, amount in moves:
        for part in range(1, pauses + 1):
            advance(kinetics, ts + gap * part // (pauses + 1))
        ts += gap
        advance(kinetics, ts)
        wake_nb(kinetics.touched, kinetics.awake, kinetics.moved, slot)
        add_impulse_nb(kinetics.sums, kinetics.gain, slot, channel, float(amount))
        seen.append((ts, slot, channel, amount))
    return kinetics, ts, np.array(seen, np.int64)


def read(kinetics, at_ns):
    """(slot, channel, [mass, v, a, j]) as of at_ns."""
    coefficients = np.zeros(7)
    chain_at_nb(kinetics, at_ns, coefficients)
    kernels = (mass_nb, velocity_nb, acceleration_nb, jerk_nb)
    return np.array([[[kernel(kinetics.sums, coefficients, channel, slot) for kernel in kernels]
                      for channel in range(N_CHANNELS)] for slot in range(N_SLOTS)])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(moves=impulses, taus=st.sampled_from([TAUS, (0.1, 0.2, 7.0, 3.0), (1.0, 1.5, 2.0, 300.0)]))
def test_sums_are_what_they_are_defined_to_be(moves, taus):
    kinetics, ts, seen = feed(moves, taus)
    later = ts + 130_000_000
    values = read(kinetics, later)
    for slot in range(N_SLOTS):
        for channel in range(N_CHANNELS):
            mine = seen[(seen[:, 1] == slot) & (seen[:, 2] == channel)]
            expected = chain(direct_sums(mine[:, 0], mine[:, 3].astype(float), later, taus), taus)
            scale = 1e-12 * max(1, np.abs(mine[:, 3]).sum()) / min(taus) ** 3
            np.testing.assert_allclose(values[slot, channel], expected, rtol=1e-9, atol=scale)


@settings(max_examples=40, deadline=None)
@given(moves=impulses, pauses=st.integers(1, 5))
def test_advancing_in_pieces_is_advancing_at_once(moves, pauses):
    at_once, ts, seen = feed(moves, TAUS)
    in_pieces, _, _ = feed(moves, TAUS, pauses)
    scale = 1e-13 * max(1, np.abs(seen[:, 3]).sum())
    np.testing.assert_allclose(read(in_pieces, ts), read(at_once, ts), rtol=1e-11, atol=scale)


def test_chain_solves_its_equations():
    """The closed form against a numerical solution of τv v' = r - v, τa a' = v' - a, τj j' = a' - j, r one impulse."""
    tau_v, tau_a, tau_j, _ = TAUS

    def slope(_t, y):
        dv = -y[0] / tau_v
        da = (dv - y[1]) / tau_a
        return [dv, da, (da - y[2]) / tau_j]

    # The impulse itself lifts v by 1/τv, hence a by that over τa, and j by that over τj.
    start = [1 / tau_v, 1 / tau_v / tau_a, 1 / tau_v / tau_a / tau_j]
    times = np.array([0.1, 1.0, 3.0, 11.0, 40.0])
    solved = solve_ivp(slope, (0, 40), start, t_eval=times, rtol=1e-11, atol=1e-14).y
    for i, t in enumerate(times):
        closed = chain(np.exp(-t / np.array(TAUS)), TAUS)
        np.testing.assert_allclose([closed.v, closed.a, closed.j], solved[:, i], rtol=1e-8, atol=1e-12)


@EVERYDAY
@given(moves=streams.moves(120), opening=st.integers(0, 3), walk=st.sampled_from([5, 40, 400]))
def test_random_streams(tmp_path, moves, opening, walk):
    """Every field of the grid, forces and spectrum included."""
    config, stream = engine_config(**SMALL), streams.play(moves, opening=opening, walk=walk)
    twin = twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns)
    assert_grids_agree(run_engine(tmp_path, stream, config).block, twin)


@pytest.mark.parametrize(
    "overrides",
    [
        {"tau_velocity": 0.3, "tau_acceleration": 0.31, "tau_jerk": 4.0, "tau_rest_decay": 0.2},
        {"c1_v_add": 0.0, "c2_v_rest_pos": 2.0, "c3_a_add": -1.0, "c6_v_rest_neg": 3.0, "c7_a_pull": 9.0},
        {"cell_width_ms": 50, "state5_rule": "seed", "grid_radius_ticks": 3},
        {"n_absolute_ticks": 2048, "grid_radius_ticks": 50},
    ],
)
def test_long_streams_with_other_parameters(tmp_path, overrides):
    config, stream = engine_config(**overrides), streams.play(streams.random_moves(7, 1200), walk=400)
    twin = twin_run(stream.records, config, stream.start_ns, stream.end_ns, stream.warmup_start_ns)
    assert_grids_agree(run_engine(tmp_path, stream, config).block, twin)


@pytest.mark.parametrize("wide_ms", [200, 500])
def test_fields_do_not_depend_on_the_bin_width(tmp_path, wide_ms):
    """At a common time book, kinetics and forces are the same whatever the bins; spectrum and moves are per bin."""
    stream = streams.play(streams.random_moves(5, 1500), walk=200)
    overrides = {"n_absolute_ticks": 2048}
    narrow = run_engine(tmp_path, stream, engine_config(**overrides)).block
    wide = run_engine(tmp_path, stream, engine_config(**overrides, cell_width_ms=wide_ms)).block
    every = slice(wide_ms // 100 - 1, None, wide_ms // 100)
    for name in ("ts_ns", "event_id", "book_valid", "best_bid_price_int", "best_ask_price_int", "spot_ref_price_int"):
        np.testing.assert_array_equal(narrow.bins[name][every], wide.bins[name], err_msg=name)
    np.testing.assert_array_equal(narrow.last_event_id[every], wide.last_event_id)
    for name in GRID_F32_NAMES:
        if not name.startswith(("composite", "fill_size")):
            assert_close(narrow.field(name)[every], wide.field(name), name)
