"""Random numbers inside kernels: xoshiro256++ (Blackman and Vigna 2021), seeded by splitmix64.

State is uint64 (4,) and moves in place, so one state and one order of calls give one market.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.jit import inlined, inner, kernel

_MASK = (1 << 64) - 1
_S11, _S17, _S19, _S23, _S41, _S45 = (np.uint64(bits) for bits in (11, 17, 19, 23, 41, 45))
_UNIT = 2.0**-53
_TWO_PI = 2.0 * np.pi


def seeded_state(seed: int) -> np.ndarray:
    """State uint64 (4,) from any non-negative seed below 2**64."""
    state = np.empty(4, np.uint64)
    x = seed & _MASK
    for place in range(4):
        x = (x + 0x9E3779B97F4A7C15) & _MASK
        z = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        state[place] = z ^ (z >> 31)
    return state


@inlined
def uniform_nb(state):
    """One double in [0, 1) from the upper 53 bits of the next output."""
    total = state[0] + state[3]
    out = ((total << _S23) | (total >> _S41)) + state[0]
    shifted = state[1] << _S17
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << _S45) | (state[3] >> _S19)
    return np.float64(out >> _S11) * _UNIT


@inlined
def below_nb(state, n):
    """One integer in [0, n)."""
    return np.int64(uniform_nb(state) * n)


@inlined
def exponential_nb(state):
    """One waiting time of mean 1."""
    return -np.log(1.0 - uniform_nb(state))


@kernel
def normal_nb(state):
    """One standard normal (Box and Muller; the second one is dropped)."""
    radius = np.sqrt(2.0 * exponential_nb(state))
    return radius * np.cos(_TWO_PI * uniform_nb(state))


@inner
def geometric_nb(state, go_on, most):
    """Successes of chance `go_on` before the first failure, at most `most`."""
    n = 0
    while n < most and uniform_nb(state) < go_on:
        n += 1
    return n
