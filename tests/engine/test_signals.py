"""Signals: causal, the same bits in any portions, mirrored in a mirrored market, and errors that name the parameter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twin import twin_state_model
from twin.bins import state5_row

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.schema import BinBlock, empty_block
from vp_engine.signals import Signal, SignalParams, get_signal, list_signals, make_signal, register_signal, run_signal
from vp_engine.signals import registry as registry_module
from vp_engine.specs import build_config_with_overrides, load_instrument

RADIUS = 6
CONFIG = build_config_with_overrides(load_instrument(), {"grid_radius_ticks": RADIUS})
QUICK = {"zscore_window_bins": 40, "zscore_min_periods": 10}
VARIANTS = (
    {},
    {"d1_weight": 0.5, "d2_weight": 0.3, "d3_weight": 0.2},
    {"spatial_decay_power": 1.0, "center_exclusion_radius": 2},
    {"enable_weighted_blend": True, "mixed_weight": 0.7},
)


def random_block(seed: int, n: int, invalid: float = 0.1) -> BinBlock:
    """Labels as the engine gives them, with some rows that no engine would."""
    rng = np.random.default_rng(seed)
    block = empty_block(n, RADIUS)
    block.bins["bin_seq"] = np.arange(n)
    block.bins["book_valid"] = rng.random(n) >= invalid
    moves = rng.choice([-1, 0, 1], (n, 2), p=[0.2, 0.6, 0.2]).tolist()
    block.state5[...] = np.array([state5_row(ask, bid, RADIUS, "mirror") for ask, bid in moves]).reshape(n, -1)
    wild = rng.random(n) < 0.2
    block.state5[wild] = rng.integers(-2, 3, (int(wild.sum()), 2 * RADIUS + 1))
    block.state5[block.bins["book_valid"] == 0] = 0
    return block


def portions(block: BinBlock, size: int) -> list[BinBlock]:
    n = len(block.bins)
    return [block.part(first, min(first + size, n)) for first in range(0, n, size)]


def values(block: BinBlock, size: int = 10_000, **params) -> np.ndarray:
    return run_signal(make_signal("derivative", {**QUICK, **params}, CONFIG), portions(block, size))


@pytest.mark.parametrize("params", VARIANTS)
def test_one_bin_at_a_time_gives_the_same_bits_as_all_at_once(params):
    block = random_block(1, 300)
    whole = values(block, **params)
    assert whole.dtype == np.float64
    assert np.count_nonzero(whole) > 50
    for size in (1, 7, 299):
        assert values(block, size, **params).tobytes() == whole.tobytes()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 200), st.sampled_from(VARIANTS))
def test_no_value_depends_on_a_later_bin(seed, cut, params):
    block = random_block(seed, 200)
    assert values(block.part(0, cut), **params).tobytes() == values(block, **params)[:cut].tobytes()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(VARIANTS))
def test_a_mirrored_market_negates_the_signal(seed, params):
    block = random_block(seed, 200)
    mirrored = block._replace(state5=np.ascontiguousarray(-block.state5[:, ::-1]))
    assert np.array_equal(values(mirrored, **params), -values(block, **params))


@pytest.mark.parametrize("params", VARIANTS)
def test_values_are_the_state_models(params):
    block = random_block(4, 300)
    signal = make_signal("derivative", {**QUICK, **params}, CONFIG)
    twin = twin_state_model(block.state5, block.bins["book_valid"], signal.params, CONFIG.dt_s)
    assert signal.update(block) == pytest.approx(twin["score"], rel=1e-6, abs=1e-9)


def test_invalid_bins_are_zero_and_leave_no_trace():
    block = random_block(5, 200, invalid=0.0)
    block.bins["book_valid"][[3, 50, 51, 52, 199]] = 0
    found = values(block)
    valid = block.bins["book_valid"] != 0
    alone = BinBlock(block.bins[valid], block.grid[:, valid], block.state5[valid], block.last_event_id[valid])
    assert not found[~valid].any()
    assert found[valid].tobytes() == values(alone).tobytes()


def test_nothing_before_it_has_the_bins_it_needs():
    signal = make_signal("derivative", QUICK, CONFIG)
    found = signal.update(random_block(6, 200, invalid=0.0))
    assert signal.needed_bins == 10
    assert not found[: signal.needed_bins - 1].any()
    assert found[signal.needed_bins - 1 : 60].any()


def test_only_the_columns_it_names_are_read():
    block = random_block(7, 100)
    other = block._replace(grid=np.full_like(block.grid, np.nan), last_event_id=block.last_event_id + 9)
    assert values(other).tobytes() == values(block).tobytes()


def test_every_listed_signal_can_be_made_from_its_defaults():
    listed = list_signals()
    assert "derivative" in [info.name for info in listed]
    for info in listed:
        signal = make_signal(info.name, info.params, CONFIG)
        assert isinstance(signal, get_signal(info.name))
        assert info.description
        least = 0 if info.prediction == "decision" else 1e-9  # a decision's sign alone may fire
        assert all(threshold >= least for threshold in info.default_thresholds)


def test_research_defaults_differ_from_the_screens():
    params = get_signal("derivative").Params()
    assert (params.zscore_window_bins, params.zscore_min_periods) == (300, 75)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"zscore_window": 3}, "zscore_window_bins"),
        ({"zscore_window_bins": 20, "zscore_min_periods": 30}, "`zscore_min_periods`"),
        ({"tanh_scale": 0}, "`tanh_scale`"),
        ({"d1_weight": 0.0}, "`d1_weight`"),
        ({"center_exclusion_radius": RADIUS}, "`center_exclusion_radius`"),
        ({"d1_weight": float("nan")}, "`d1_weight`"),
    ],
)
def test_bad_parameters_are_named(params, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make_signal("derivative", params, CONFIG)
    assert "\n" not in str(caught.value)


def test_an_unknown_signal_is_answered_with_the_known_ones():
    with pytest.raises(NotFoundError, match="did you mean `derivative`"):
        get_signal("derivativ")


def test_own_signals_join_the_registry_once(monkeypatch):
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))

    class Flat(Signal):
        """Nothing, ever."""

        name = "flat"
        columns = ("v_add",)
        Params = SignalParams
        default_thresholds = (1.0,)

        def update(self, block):
            return np.zeros(len(block.bins))

    assert register_signal(Flat) is Flat
    register_signal(Flat)
    assert get_signal("flat") is Flat
    with pytest.raises(ConfigError, match="already"):
        register_signal(type("Other", (Flat,), {"__module__": "elsewhere"}))
    with pytest.raises(ConfigError, match="`v_ad`"):
        register_signal(type("Blind", (Flat,), {"name": "blind", "columns": ("v_ad",)}))
