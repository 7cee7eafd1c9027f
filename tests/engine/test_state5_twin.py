"""State labels and the state model against the twin."""

from __future__ import annotations

import numpy as np
import pytest
from harness import engine_config
from hypothesis import given, settings
from hypothesis import strategies as st
from twin import twin_state_model
from twin.bins import STATE5_MIRROR, STATE5_SEED, state5_row
from twin.state5 import CODES, spatial_weights

from vp_engine.schema import STATE_MODEL_DTYPE
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams, state5_codes

DT_S = 0.1


def params(**overrides) -> StateModelParams:
    return StateModelParams(**{**engine_config().state_model, **overrides})


def random_codes(seed: int, n: int, radius: int, lively: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Codes as the engine labels them (one code a side), some bins of wild rows, and which bins are valid."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 0, 1], (n, 2), p=[lively / 2, 1 - lively, lively / 2])
    codes = np.array([state5_row(ask, bid, radius, "mirror") for ask, bid in signs.tolist()])
    wild = rng.random(n) < 0.2
    codes[wild] = rng.integers(-2, 3, (int(wild.sum()), 2 * radius + 1))
    return codes, (rng.random(n) < 0.9).astype(np.int8)


def rounding_decides(codes: np.ndarray, model: StateModelParams) -> np.ndarray:
    """Bins (n,) in which two codes have the same intensity but not from like rows: either may come out larger.

    As the engine labels them, the rows of a side share a code, and sums over like rows are equal to the bit.
    """
    radius = codes.shape[1] // 2
    weights = spatial_weights(radius, model.spatial_decay_power, model.center_exclusion_radius)
    shares = np.sort([np.sum(weights * (codes == code), axis=1) for code in CODES], axis=0)
    sides = codes[:, :radius], codes[:, radius + 1 :]
    labelled = np.all([(side == side[:, :1]).all(axis=1) for side in sides], axis=0)
    return (shares[-1] - shares[-2] < 1e-12) & ~labelled


def compare(actual: np.ndarray, codes: np.ndarray, valid: np.ndarray, model: StateModelParams) -> None:
    expected = twin_state_model(codes, valid, model, DT_S)
    for name in ("sample_count", "ready"):
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)
    sure = ~rounding_decides(codes, model)
    assert sure.mean() > 0.7
    np.testing.assert_array_equal(actual["dominant_state5_code"][sure], expected["dominant_state5_code"][sure])
    for name in set(STATE_MODEL_DTYPE.names or ()) - {"dominant_state5_code"}:
        scale = DT_S ** -int(name[1]) if name in ("d1", "d2", "d3") else 1.0
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-7, atol=1e-9 * scale, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    lively=st.sampled_from([0.05, 0.5, 1.0]),
    window=st.integers(2, 50),
    share=st.floats(0.0, 1.0),
    weights=st.sampled_from([(1.0, 0.0, 0.0), (0.5, -0.3, 0.2), (0.0, 1.0, 0.0)]),
    power=st.sampled_from([0.0, 1.0, 0.5]),
    exclusion=st.integers(0, 3),
    blend=st.booleans(),
)
def test_random_codes(seed, lively, window, share, weights, power, exclusion, blend):
    model = params(
        zscore_window_bins=window,
        zscore_min_periods=max(1, round(share * window)),
        d1_weight=weights[0],
        d2_weight=weights[1],
        d3_weight=weights[2],
        spatial_decay_power=power,
        center_exclusion_radius=exclusion,
        enable_weighted_blend=blend,
        mixed_weight=0.8,
        bull_pressure_weight=0.7,
        bear_vacuum_weight=1.3,
    )
    codes, valid = random_codes(seed, 120, 5, lively)
    compare(DerivativeRuntime(model, DT_S, 5).update(codes, valid), codes, valid, model)


def test_default_windows():
    codes, valid = random_codes(4, 700, 50, 0.1)
    rows = DerivativeRuntime(params(), DT_S, 50).update(codes, valid)
    compare(rows, codes, valid, params())
    assert rows["ready"][np.cumsum(valid) < 60].max() == 0
    assert rows["ready"][np.cumsum(valid) >= 60].min() == 1
    assert np.abs(rows["score"]).max() > 0.5


@pytest.mark.parametrize("step", [1, 13])
def test_one_bin_or_many(step):
    codes, valid = random_codes(5, 200, 10)
    whole, runtime = DerivativeRuntime(params(), DT_S, 10).update(codes, valid), DerivativeRuntime(params(), DT_S, 10)
    parts = [runtime.update(codes[i : i + step], valid[i : i + step]) for i in range(0, 200, step)]
    joined = np.concatenate(parts)
    for name in STATE_MODEL_DTYPE.names or ():
        assert joined[name].tobytes() == whole[name].tobytes(), name


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_mirrored_codes_flip_the_score(power):
    """A mirrored market has the rows reversed and the codes' signs flipped; base and score flip, to the bit."""
    codes, valid = random_codes(6, 300, 10)
    model = params(spatial_decay_power=power, d2_weight=0.5)
    rows = DerivativeRuntime(model, DT_S, 10).update(codes, valid)
    image = DerivativeRuntime(model, DT_S, 10).update(np.ascontiguousarray(-codes[:, ::-1]), valid)
    for name in ("base", "d1", "d2", "d3", "z1", "z2", "score"):
        np.testing.assert_array_equal(rows[name], -image[name], err_msg=name)
    np.testing.assert_array_equal(rows["bull_intensity"], image["bear_intensity"])


@pytest.mark.parametrize(("rule", "table"), [("mirror", STATE5_MIRROR), ("seed", STATE5_SEED)])
def test_label_tables(rule, table):
    codes = state5_codes(rule)
    for (ask_sign, bid_sign), (above, below) in table.items():
        microstate = 3 * (ask_sign + 1) + (bid_sign + 1)
        assert tuple(codes[:, microstate]) == (below, above)


def test_mirror_rule_is_symmetric_and_seed_rule_is_not():
    def symmetric(table):
        return all(table[(-bid, -ask)] == (-below, -above) for (ask, bid), (above, below) in table.items())

    assert symmetric(STATE5_MIRROR)
    assert not symmetric(STATE5_SEED)
