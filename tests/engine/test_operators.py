"""Operators against plain numpy over the whole series, in any portions, negated, and on series that are hard to sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_twin import slow_ema, slow_lag, slow_moments, slow_robust_z, slow_slopes

from vp_engine.errors import ConfigError
from vp_engine.operators import Ema, Lag, RobustZ, RollingMoments, RollingSlope

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: float(np.round(x, 3)))
CALM = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 2.5]), NUMBERS)
SERIES = st.lists(CALM, min_size=1, max_size=60).map(np.array)
GAPPY = st.lists(st.one_of(CALM, CALM, CALM, st.just(float("nan"))), min_size=1, max_size=60).map(np.array)


OPERATORS = (
    lambda: RollingMoments(7),
    lambda: RollingSlope(6),
    lambda: Ema(0.3),
    lambda: Lag(4),
    lambda: RobustZ(9, 3),
)


@settings(max_examples=80, deadline=None)
@given(SERIES, st.integers(1, 12))
def test_moments(values, window):
    found = RollingMoments(window).update(values)
    expected = slow_moments(values, window)
    size = 1.0 + np.abs(values).max()
    np.testing.assert_allclose(found[0], expected[0], atol=1e-12 * size)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-9 * size)
    told_apart = expected[1] > 1e-5 * size  # below that the skew is of rounding
    np.testing.assert_allclose(found[2][told_apart], expected[2][told_apart], rtol=1e-6, atol=1e-6)


@settings(max_examples=80, deadline=None)
@given(SERIES, st.integers(2, 12))
def test_slopes(values, window):
    found = RollingSlope(window).update(values)
    np.testing.assert_allclose(found, slow_slopes(values, window), atol=1e-12 * (1.0 + np.abs(values).max()))


@settings(max_examples=40, deadline=None)
@given(SERIES, st.floats(0.01, 1.0), st.integers(1, 70))
def test_ema_and_lag(values, alpha, lag):
    np.testing.assert_allclose(Ema(alpha).update(values), slow_ema(values, alpha), rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(Lag(lag).update(values), slow_lag(values, lag))


@settings(max_examples=120, deadline=None)
@given(GAPPY, st.integers(1, 12), st.integers(1, 12))
def test_robust_z_with_its_rule_for_nan(values, window, min_periods):
    window = max(window, min_periods)
    found = RobustZ(window, min_periods).update(values)
    np.testing.assert_allclose(found, slow_robust_z(values, window, min_periods), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", OPERATORS)
@settings(max_examples=15, deadline=None)
@given(values=GAPPY, cut=st.integers(0, 60))
def test_portions_give_the_same_bits(make, values, cut):
    whole, parted = make(), make()
    parts = [parted.update(values[:cut])] + [parted.update(values[at : at + 1]) for at in range(cut, len(values))]
    assert np.concatenate(parts, axis=-1).tobytes() == whole.update(values).tobytes()


@pytest.mark.parametrize("make", OPERATORS)
@settings(max_examples=15, deadline=None)
@given(values=SERIES)
def test_a_negated_series_gives_negated_values(make, values):
    found, other = make().update(values), make().update(-values)
    sign = np.array([[-1.0], [1.0], [-1.0]]) if found.ndim == 2 else -1.0
    np.testing.assert_array_equal(other, sign * found)


def test_a_spike_leaves_nothing_behind():
    values = np.full(60, 0.1)
    values[3] = 1e9
    moments, slopes = RollingMoments(10).update(values), RollingSlope(10).update(values)
    assert moments[1, 10] > 1e8
    assert not moments[1, 13:].any()
    assert not moments[2, 13:].any()
    assert not slopes[13:].any()


def test_a_window_far_from_zero_keeps_its_digits():
    values = 1e9 + np.tile([0.0, 1.0], 50)
    moments = RollingMoments(10).update(values)
    assert moments[1, 9:] == pytest.approx(0.5, rel=1e-7)


def test_windows_that_cannot_be_are_named():
    with pytest.raises(ConfigError, match="`window` must be at least 2, was 1"):
        RollingSlope(1)
    with pytest.raises(ConfigError, match="`window` must be at least 30, was 20"):
        RobustZ(20)
    with pytest.raises(ConfigError, match="`alpha`"):
        Ema(0.0)
    with pytest.raises(ConfigError, match="`lag`"):
        Lag(0)
