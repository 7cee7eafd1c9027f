"""What signals read around the touch. Distances |k| = 1, 2, … are counted outward on either side.

Frame `bbo`: 1 is the best bid, or the best ask. Frame `spot`: 1 is the row next to spot, k = -1 or k = +1, as in older
results; with a one-tick spread spot is the best ask, which that frame then leaves out.

A distance is read on both sides or on neither: where one of its rows lies outside the grid both count as 0, so that a
mirrored market, whose grid may end a tick earlier, gives the mirrored numbers. Both sides are summed outward in step,
in float64, which makes them equal to the last bit. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from vp_engine.jit import inlined, kernel
from vp_engine.operators.arrays import owned
from vp_engine.schema import BinBlock
from vp_engine.signals.base import SCORE_COLUMNS, SignalParams
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

Frame = Literal["bbo", "spot"]
BANDS = ((1, 3), (4, 11), (12, 23))  # inner, mid, outer: first and last distance
BELOW, ABOVE, DEPTH = range(3)  # columns of `place`

Count = Annotated[int, Field(ge=1)]
Window = Annotated[int, Field(ge=2)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


class FrameParams(SignalParams):
    """frame: what distances are counted from."""

    frame: Frame = "bbo"


class ZscoreParams(FrameParams):
    """zscore_window_bins, zscore_min_periods: the window of a robust z, and the samples it takes for one; tanh_scale:
    the z at which its tanh is 0.76."""

    zscore_window_bins: Count = 300
    zscore_min_periods: Count = 30
    tanh_scale: Positive = 3.0

    @model_validator(mode="after")
    def _window_holds_its_least(self) -> ZscoreParams:
        if self.zscore_min_periods > self.zscore_window_bins:
            raise ValueError(
                f"`zscore_min_periods` must be <= `zscore_window_bins`, "
                f"was {self.zscore_min_periods} against {self.zscore_window_bins}"
            )
        return self


class FeatureInput(NamedTuple):
    """n bins as kernels take them. valid: int8 (n,); columns: float32 (columns, n, rows), in the order asked for;
    place: int64 (n, 3), row at distance 1 below, row at distance 1 above, and number of distances inside the grid."""

    valid: np.ndarray
    columns: np.ndarray
    place: np.ndarray


def place_of(block: BinBlock, frame: Frame, config: VPRuntimeConfig) -> np.ndarray:
    """int64 (n, 3) as in FeatureInput; without meaning in invalid bins."""
    bins, radius = block.bins, block.radius
    place = np.empty((len(bins), 3), np.int64)
    if frame == "spot":
        place[:] = radius - 1, radius + 1, radius
        return place
    spot = bins["spot_ref_price_int"] // config.tick_int
    place[:, BELOW] = bins["best_bid_price_int"] // config.tick_int - spot + radius
    place[:, ABOVE] = bins["best_ask_price_int"] // config.tick_int - spot + radius
    place[:, DEPTH] = np.minimum(place[:, BELOW] + 1, 2 * radius + 1 - place[:, ABOVE])
    return place


def feed_of(
    block: BinBlock, columns: Sequence[str], frame: Frame, config: VPRuntimeConfig, scores: Scores | None = None
) -> FeatureInput:
    """What a kernel reads of a block, and of its scores where `columns` names them."""
    values = np.empty((len(columns), *block.state5.shape), np.float32)
    for at, name in enumerate(columns):
        values[at] = getattr(scores, name) if name in SCORE_COLUMNS else block.field(name)
    return FeatureInput(owned(block.bins["book_valid"]), values, place_of(block, frame, config))


@inlined
def band_sums_nb(row, place, first, last):
    """(bid, ask): sums over distances first..last. row float32 (rows,); place int64 (3,)."""
    below, above = place[BELOW], place[ABOVE]
    bid = 0.0
    ask = 0.0
    for distance in range(first - 1, min(last, place[DEPTH])):
        bid += row[below - distance]
        ask += row[above + distance]
    return bid, ask


@inlined
def band_means_nb(row, place, first, last):
    """(bid, ask): means over distances first..last."""
    bid, ask = band_sums_nb(row, place, first, last)
    return bid / (last - first + 1), ask / (last - first + 1)


@inlined
def weighted_sums_nb(row, place, weights):
    """(bid, ask): sums over distances 1, 2, … with a weight each. weights float64 (m,)."""
    below, above = place[BELOW], place[ABOVE]
    bid = 0.0
    ask = 0.0
    for distance in range(min(weights.size, place[DEPTH])):
        bid += weights[distance] * row[below - distance]
        ask += weights[distance] * row[above + distance]
    return bid, ask


def inverse_distance(reach: int, normalised: bool) -> np.ndarray:
    """float64 (reach,): 1/|k|, or its share of their sum."""
    weights: np.ndarray = 1.0 / np.arange(1, reach + 1)
    return weights / weights.sum() if normalised else weights


def bins_of_ms(ms: float, config: VPRuntimeConfig, least: int) -> int:
    """Bins that cover a time, at least `least`."""
    return max(least, math.ceil(ms / config.cell_width_ms))


@kernel
def band_sums_of_nb(feed, first, last, bid, ask):
    """Sums of the first column of every valid bin; bid, ask float64 (n,) are written."""
    for at in range(bid.size):
        if feed.valid[at] != 0:
            bid[at], ask[at] = band_sums_nb(feed.columns[0, at], feed.place[at], first, last)


def band_sums(
    block: BinBlock, column: str, first: int, last: int, config: VPRuntimeConfig, frame: Frame = "bbo"
) -> tuple[np.ndarray, np.ndarray]:
    """(bid, ask), each float64 (n,): sums of a grid column over distances first..last, 0 in invalid bins. For signals
    written in Python; 1 <= first <= last."""
    bid, ask = np.zeros(len(block.bins)), np.zeros(len(block.bins))
    band_sums_of_nb(feed_of(block, (column,), frame, config), first, last, bid, ask)
    return bid, ask
