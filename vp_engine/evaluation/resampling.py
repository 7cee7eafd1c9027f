"""Draws of the stationary bootstrap (Politis & Romano 1994): blocks of geometric length around a circle of grains, the
same for every row. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from vp_engine.jit import inlined, kernel

GRAINS_PER_BLOCK = 16  # a block may begin at sixteenths of its length
_GOLDEN = 0x9E3779B97F4A7C15


class Circle(NamedTuple):
    """What a row's time is divided into: grains of `grain_bins` bins, mean blocks of `block` grains."""

    n_grains: int
    grain_bins: int
    block: int


class Draws(NamedTuple):
    """Blocks of some draws: draw d has blocks offsets[d] to offsets[d + 1]; grains from start[b] on, length[b] of
    them around the circle. int32 all."""

    offsets: np.ndarray
    start: np.ndarray
    length: np.ndarray


def circle_of(n_bins: int, block_bins: int) -> Circle | None:
    """The circle of n_bins evaluated bins; None where they hold less than two blocks."""
    if n_bins < 2 * block_bins:
        return None
    grain_bins = max(1, block_bins // GRAINS_PER_BLOCK)
    return Circle(-(-n_bins // grain_bins), grain_bins, -(-block_bins // grain_bins))


@inlined
def uniform_nb(state):
    """Next uniform in [0, 1) of a splitmix64 generator; state uint64 (1,) is advanced."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@kernel
def draw_nb(n_grains, block, state, offsets, start, length):
    """Write as many whole draws as `offsets` has room for, int32 (draws + 1,), or as the blocks have; number of draws.

    start, length int32 (room,); state uint64 (1,) is advanced. A draw's last block is cut so that it has n_grains.
    """
    keep = np.log1p(-1.0 / block) if block > 1 else -np.inf
    at = 0
    offsets[0] = 0
    for draw in range(offsets.size - 1):
        left = n_grains
        while left > 0:
            if at == start.size:
                return draw
            start[at] = int(uniform_nb(state) * n_grains)
            drawn = min(left, 1 + int(np.log1p(-uniform_nb(state)) / keep))
            length[at] = drawn
            left -= drawn
            at += 1
        offsets[draw + 1] = at
    return offsets.size - 1


@functools.lru_cache(maxsize=64)
def draws_of(n_grains: int, block: int, first: int, n_draws: int, seed: int) -> Draws:
    """The part that begins with draw `first`, seeded by that; the same for every row, so it is kept."""
    room = n_draws * (2 * (n_grains // block) + 8)
    while True:
        offsets = np.empty(n_draws + 1, np.int32)
        start, length = np.empty(room, np.int32), np.empty(room, np.int32)
        state = np.array([(seed + (first << 32)) * _GOLDEN % 2**64], np.uint64)
        if draw_nb(n_grains, block, state, offsets, start, length) == n_draws:
            return Draws(offsets, start[: offsets[-1]].copy(), length[: offsets[-1]].copy())
        room *= 2  # many short blocks: rare, and a draw is never cut
