"""`msd`: where liquidity drains. Vacuum above − below over all distances, each counting 1/|k| (variant `weighted`) or
alike (`sum`); not normalised, so thresholds are quantiles of the data. Lots/s.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from vp_engine.jit import inlined, kernel
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.signals.features import FrameParams, feed_of, inverse_distance, weighted_sums_nb
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores


class MsdParams(FrameParams):
    """variant: whether nearer rows weigh more."""

    variant: Literal["weighted", "sum"] = "weighted"


@inlined
def msd_nb(vacuum, place, weights):
    """Value of one valid bin. vacuum float32 (rows,); weights float64 (radius,)."""
    below, above = weighted_sums_nb(vacuum, place, weights)
    return above - below


@kernel
def run_nb(feed, weights, values):
    """values float64 (n,) is written; invalid bins are left alone."""
    for at in range(values.size):
        if feed.valid[at] != 0:
            values[at] = msd_nb(feed.columns[0, at], feed.place[at], weights)


class MsdSignal(Signal):
    """Vacuum above the touch less vacuum below it."""

    name = "msd"
    columns = ("vacuum_variant",)
    Params: ClassVar[type[SignalParams]] = MsdParams
    default_thresholds = ()

    def __init__(self, params: MsdParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._frame = params.frame
        radius = config.grid_radius_ticks
        self._weights = inverse_distance(radius, normalised=False) if params.variant == "weighted" else np.ones(radius)

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,) in lots/s."""
        values = np.zeros(len(block.bins))
        run_nb(feed_of(block, self.columns, self._frame, self.config), self._weights, values)
        return values
