"""What lies behind a bin of a dataset, read from where it lies: a scorer and a state model that begin in the midst of a
capture find here what they would have seen.

Samples of a tick were taken in the valid bins in which it was inside the grid; `bins.parquet` says which those are, so
only the row groups that hold a wanted sample are read. Ticks are absolute, bins are `bin_seq`.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.jit import kernel
from vp_engine.lake.datasets import Dataset
from vp_engine.spectrum.scoring import CHANNEL_NAMES

NO_BOOK = np.int32(-(2**31))  # in place of a spot tick where the book is invalid


@kernel
def find_samples_nb(spot, before, radius, first_tick, bins, counts):
    """Bins before `before` in which each tick was inside the grid, newest first, as many as `bins` holds.

    spot: int32 (n_bins,), NO_BOOK where invalid; bins int32 (n_ticks, window) and counts int64 (n_ticks,) are written.
    """
    n_ticks, window = bins.shape
    missing = n_ticks
    for at in range(before - 1, -1, -1):
        if missing == 0:
            return
        if spot[at] == NO_BOOK:
            continue
        low = max(spot[at] - radius - first_tick, 0)
        high = min(spot[at] + radius - first_tick, n_ticks - 1)
        for tick in range(low, high + 1):
            count = counts[tick]
            if count < window:
                bins[tick, count] = at
                counts[tick] = count + 1
                missing -= count + 1 == window


@kernel
def gather_nb(channels, first_bin, spot, radius, first_tick, bins, counts, samples):
    """Copy the samples that lie in one row group. channels float32 (3, bins of the group, rows); samples float32
    (n_ticks, 3, window), oldest first, is written."""
    n_bins = channels.shape[1]
    for tick in range(bins.shape[0]):
        for back in range(counts[tick]):
            at = bins[tick, back] - first_bin
            if 0 <= at < n_bins:
                row = first_tick + tick - spot[bins[tick, back]] + radius
                for channel in range(channels.shape[0]):
                    samples[tick, channel, counts[tick] - 1 - back] = channels[channel, at, row]


class LookBack:
    """Where the book of a dataset was valid and where its spot was, and what follows from that.

    valid_bins: int64, rising. Safe to share between threads.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        held = dataset.of_bins(("book_valid", "spot_ref_price_int"))
        ticks = (held["spot_ref_price_int"] // dataset.config.tick_int).astype(np.int32)
        self.spot = np.where(held["book_valid"] != 0, ticks, NO_BOOK)
        self.valid_bins = np.flatnonzero(self.spot != NO_BOOK)

    def n_valid(self, before: int) -> int:
        """Valid bins before a bin."""
        return int(np.searchsorted(self.valid_bins, before))

    def last_valid(self, before: int, count: int) -> np.ndarray:
        """The last `count` valid bins before a bin, rising; all there are if they are fewer."""
        at = self.n_valid(before)
        return self.valid_bins[max(at - count, 0) : at]

    def past(self, before: int) -> PastSamples:
        """What a scorer that begins at bin `before` would have sampled."""
        return PastSamples(self, before)

    def column(self, name: str, bins: np.ndarray) -> np.ndarray:
        """A grid column at some bins, rising: (bins, rows)."""
        size = self.dataset.row_group_bins
        parts = [
            columns[name].reshape(-1, self.dataset.rows)[bins[bins // size == first // size] - first]
            for first, columns in self.dataset.columns((name,), np.unique(bins // size).tolist())
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dataset.rows), np.int8)


class PastSamples:
    """Samples of d1..d3 before one bin, as `SpectrumScorer` asks for them."""

    def __init__(self, behind: LookBack, before: int) -> None:
        if not 0 <= before <= behind.dataset.n_bins:
            raise ConfigError(f"`before` must lie in 0..{behind.dataset.n_bins}, was {before}")
        self._behind, self._before = behind, before

    def samples(self, first_tick: int, n_ticks: int, window: int) -> tuple[np.ndarray, np.ndarray]:
        """See `vp_engine.spectrum.scoring.Past`; reads as many row groups as hold one of the samples."""
        dataset, spot = self._behind.dataset, self._behind.spot
        radius, rows, size = dataset.rows // 2, dataset.rows, dataset.row_group_bins
        bins, counts = np.zeros((n_ticks, window), np.int32), np.zeros(n_ticks, np.int64)
        find_samples_nb(spot, self._before, radius, first_tick, bins, counts)
        samples = np.zeros((n_ticks, len(CHANNEL_NAMES), window), np.float32)
        used = np.arange(window) < counts[:, None]
        for first, columns in dataset.columns(CHANNEL_NAMES, np.unique(bins[used] // size).tolist()):
            channels = np.stack([columns[name].reshape(-1, rows) for name in CHANNEL_NAMES])
            gather_nb(channels, first, spot, radius, first_tick, bins, counts, samples)
        return counts, samples
