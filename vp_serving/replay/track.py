"""What a signal says along a dataset, worked out once and shared by everyone who streams it. Bins by `bin_seq`.

A track begins at bin 0 and goes on row group by row group, reading only what the signal reads. A signal with a bounded
memory may have one that begins late, at a bin from which on both its values and its firings are those of the track
from bin 0: the memory is filled first, and a cooldown is over for certain after a stretch without an entry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from vp_engine.evaluation.detection import PREDICTIONS, Detector
from vp_engine.lake import Dataset
from vp_engine.lake.lookback import LookBack
from vp_serving.replay.scorer import SignalRunner, SignalValues

NEAR_BINS = 5000  # bins that a track goes on for rather than another is begun
_MOST = 4  # tracks of one signal, the one from bin 0 among them
SETTLE_BINS = 3000  # valid bins behind a late beginning in which a stretch without an entry is looked for


class Track:
    """Values and firings of bins [first, done). `advance` may be called by one thread while others read."""

    def __init__(self, dataset: Dataset, runner: SignalRunner, first: int = 0) -> None:
        self._dataset, self._runner = dataset, runner
        self._columns = runner.signal.stored_columns()
        self._values = np.empty(dataset.n_bins)
        self._fired = np.zeros(dataset.n_bins, np.int8)
        self._lock = threading.Lock()
        self.first = self.done = first

    @property
    def ended(self) -> bool:
        """Whether every bin to the end of the capture is known."""
        return self.done == self._dataset.n_bins

    def advance(self) -> None:
        """Work out what is left of the row group at hand, or the next one; nothing at the end."""
        with self._lock:
            if self.ended:
                return
            size = self._dataset.row_group_bins
            group, skip = divmod(self.done, size)
            block = self._dataset.group(group, self._columns)
            part = block.part(skip, block.bins.size)
            signal_values = self._runner.update(part)
            after = self.done + part.bins.size
            self._values[self.done : after], self._fired[self.done : after] = signal_values
            self.done = after

    def part(self, first: int, after: int) -> SignalValues:
        """What was said of bins [first, after), which must be known."""
        assert self.first <= first <= after <= self.done
        return SignalValues(self._values[first:after], self._fired[first:after])


class Tracks:
    """The tracks of one signal over one dataset. runner: makes a fresh signal."""

    def __init__(self, dataset: Dataset, behind: Callable[[], LookBack], runner: Callable[[], SignalRunner]) -> None:
        self._dataset, self._behind, self._runner = dataset, behind, runner
        self._tracks: list[Track] = []  # the last one was asked for last
        self._lock = threading.Lock()

    def at(self, bin_seq: int) -> Track:
        """A track that knows what is said of a bin, or soon will; `advance` it until it does."""
        with self._lock:
            track = self._near(bin_seq) or self._begun(bin_seq)
            others = [other for other in self._tracks if other is not track]
            late = [other for other in others if other.first > 0]
            self._tracks = [*(other for other in others if other.first == 0), *late[-(_MOST - 2) :], track]
            return track

    def _near(self, bin_seq: int) -> Track | None:
        """The track that has least to go; None where all have far."""
        behind = [track for track in self._tracks if track.first <= bin_seq <= track.done + NEAR_BINS]
        return max(behind, key=lambda track: track.done, default=None)

    def _begun(self, bin_seq: int) -> Track:
        if bin_seq > NEAR_BINS:
            late = begin_late(self._dataset, self._behind(), self._runner(), bin_seq)
            if late is not None:
                return late
        before = [track for track in self._tracks if track.first <= bin_seq]
        return max(before, key=lambda track: track.done) if before else Track(self._dataset, self._runner())


def begin_late(dataset: Dataset, behind: LookBack, runner: SignalRunner, at: int) -> Track | None:
    """A track whose first bin is `at`; None where the signal must see all, or an old firing could matter still."""
    memory = runner.signal.memory_bins
    known = behind.last_valid(at, 0 if memory is None else memory + SETTLE_BINS)
    if memory is None or known.size <= memory + 1:
        return None
    begin = int(known[0])
    runner.signal.begin_after(behind.n_valid(begin))
    track = Track(dataset, runner, begin)
    while track.done < at:
        track.advance()
    values = track.part(begin, at).values
    if runner.detector is not None and not _settled(runner.detector, values, known[memory:], begin, at):
        return None
    track.first = at
    return track


def _settled(detector: Detector, values: np.ndarray, bins: np.ndarray, begin: int, at: int) -> bool:
    """Whether a detector's state at `at` no longer depends on what was before `bins`, the valid ones whose values,
    float64 from bin `begin` on, are those of a track from bin 0."""
    rule = detector.rule
    if rule.mode != PREDICTIONS.index("score"):
        return False
    if bins[0] < rule.warmup_bins:
        return True  # nothing fires before, so nothing is carried
    exact = values[bins - begin]
    side = (exact >= rule.threshold).astype(np.int8) - (exact <= -rule.threshold).astype(np.int8)
    entered = np.flatnonzero((side[1:] != side[:-1]) & (side[1:] != 0)) + 1
    edges = np.concatenate([bins[:1], bins[entered], [at]])
    return bool((np.diff(edges) > rule.cooldown_bins).any())
