"""Valid bins of a block as the learning signals read them: profiles by distance from the touch, and asymmetries.

A profile is float32 (m, WIDTH) over m valid bins: the middle is k = 0, bids run outward to its left, asks to its right.
Distances and their rules are those of `vp_engine.signals.features`; k = 0 is the mean of the rows strictly between the
quotes (0 where there is none), or in the `spot` frame the row of spot. Kernels never raise.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vp_engine.jit import kernel
from vp_engine.schema import BinBlock
from vp_engine.signals.features import (
    ABOVE,
    BANDS,
    BELOW,
    DEPTH,
    Frame,
    band_sums_nb,
    feed_of,
    inverse_distance,
    weighted_sums_nb,
)
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

REACH = 50  # distances of a profile per side
WIDTH = 2 * REACH + 1
FLOWS = ("v_add", "v_pull", "a_add", "a_pull", "j_add", "j_pull")
PULLS = frozenset(name for name in FLOWS if name.endswith("pull"))


@kernel
def profiles_nb(column, place, out):
    """Rows by distance. column float32 (m, rows); place int64 (m, 3); out float32 (m, WIDTH) holds zeros."""
    rows = column.shape[1]
    middle = out.shape[1] // 2
    for i in range(column.shape[0]):
        below, above = place[i, BELOW], place[i, ABOVE]
        for distance in range(min(middle, place[i, DEPTH])):
            out[i, middle - 1 - distance] = column[i, below - distance]
            out[i, middle + 1 + distance] = column[i, above + distance]
        low, high = below + 1, above - 1
        total = 0.0
        while low <= high:  # inward and in pairs, so that a mirrored market gives the same sum
            if low >= 0 and high < rows:
                total += np.float64(column[i, low]) + (column[i, high] if low < high else np.float32(0))
            low += 1
            high -= 1
        if above - below > 1:
            out[i, middle] = total / (above - below - 1)


@kernel
def side_sums_nb(column, place, bands, out):
    """Sums over distances bands[b, 0]..bands[b, 1] of bid and ask. bands int64 (b, 2); out float64 (m, b, 2)."""
    for i in range(column.shape[0]):
        for b in range(bands.shape[0]):
            out[i, b, 0], out[i, b, 1] = band_sums_nb(column[i], place[i], bands[b, 0], bands[b, 1])


@kernel
def weighted_nb(column, place, weights, out):
    """Weighted sums of bid and ask over distances 1, 2, … weights float64 (w,); out float64 (m, 2)."""
    for i in range(column.shape[0]):
        out[i, 0], out[i, 1] = weighted_sums_nb(column[i], place[i], weights)


class View:
    """The valid bins of a block. mid: int64 (m,) half ticks; bin_seq: int64 (m,); n: m."""

    def __init__(
        self,
        block: BinBlock,
        at: np.ndarray,
        columns: Sequence[str],
        frame: Frame,
        config: VPRuntimeConfig,
        scores: Scores | None = None,
    ) -> None:
        """at int64 (m,): positions of the valid bins; columns: grid fields and scores to be read."""
        feed = feed_of(block, columns, frame, config, scores)
        self._place = feed.place[at]
        self._columns = {name: column[at] for name, column in zip(columns, feed.columns, strict=True)}
        bins = block.bins[at]
        self.n = int(at.size)
        self.mid: np.ndarray = (bins["best_bid_price_int"] + bins["best_ask_price_int"]) // config.tick_int
        self.bin_seq: np.ndarray = np.ascontiguousarray(bins["bin_seq"])

    def profile(self, name: str) -> np.ndarray:
        """A column by distance, float32 (m, WIDTH)."""
        out = np.zeros((self.n, WIDTH), np.float32)
        profiles_nb(self._columns[name], self._place, out)
        return out

    def balance(self) -> np.ndarray:
        """Pressure minus vacuum by distance, float32 (m, WIDTH)."""
        return np.asarray(self.profile("pressure_variant") - self.profile("vacuum_variant"))

    def side_sums(self, name: str, first: int, last: int) -> np.ndarray:
        """Sums over |k| = first..last of a column: float64 (m, 2), bid and ask."""
        return self._side_sums(name, ((first, last),))[:, 0]

    def _side_sums(self, name: str, bands: Sequence[tuple[int, int]]) -> np.ndarray:
        out = np.empty((self.n, len(bands), 2))
        side_sums_nb(self._columns[name], self._place, np.array(bands, np.int64), out)
        return out

    def asymmetry(self, name: str) -> np.ndarray:
        """Bid mean minus ask mean of a flow in each band, float64 (m, bands); of pulls the other way round, so that
        + is bullish."""
        sums = self._side_sums(name, BANDS)
        widths = np.array([last - first + 1.0 for first, last in BANDS])
        bid, ask = sums[:, :, 0] / widths, sums[:, :, 1] / widths
        return np.asarray(ask - bid if name in PULLS else bid - ask)

    def asymmetries(self) -> np.ndarray:
        """Asymmetries of v, a and j of adds and pulls: float64 (m, 18), bands running fastest."""
        return np.hstack([self.asymmetry(name) for name in FLOWS])

    def divergence(self, name: str, reach: int) -> np.ndarray:
        """The asymmetry of means weighted by 1/|k| over |k| = 1..reach: float64 (m, 1)."""
        out = np.empty((self.n, 2))
        weighted_nb(self._columns[name], self._place, inverse_distance(reach, normalised=True), out)
        apart = out[:, :1] - out[:, 1:]
        return np.asarray(-apart if name in PULLS else apart)
