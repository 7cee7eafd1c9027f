"""Where a tick's score is heading: a damped Taylor step over each horizon, float64 until emission."""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from vp_engine.jit import inlined

SCORE, S1, S2 = range(3)  # what a tick keeps of its last scored bin


@inlined
def differences_nb(score, last, continues, dt_s, out):
    """s, s1, s2, s3 of one tick into out (4,). last (3,) of the previous valid bin, updated; `continues` says the
    tick was scored in both bins, without which every difference is 0."""
    out[0] = score
    for order in range(3):
        out[order + 1] = (out[order] - last[order]) / dt_s if continues else 0.0
        last[order] = out[order]


@inlined
def project_nb(s, horizon_s, damping_lambda, cubic_scale):
    """Score `horizon_s` seconds ahead, clipped to -1..1. s (4,) score and differences; cubic_scale 0: no cubic."""
    step = s[0] + s[1] * horizon_s + s[2] * horizon_s**2 / 2.0 + cubic_scale * s[3] * horizon_s**3
    return min(max(math.exp(-damping_lambda * horizon_s) * step, -1.0), 1.0)
