"""Signs that records are missing. Sequence numbers are the exchange's, counted over its whole channel.

A subscriber of one contract sees them rise by any step, so a step says nothing unless every instrument of the channel
is received; running back does, and so does the vendor's own mark of a book that may be wrong.
"""

from __future__ import annotations

import numpy as np

from vp_engine.feed.records import F_SNAPSHOT

F_MAYBE_BAD_BOOK = 4  # the vendor lost packets of the channel and could not get them back


class GapWatch:
    """Looks at records in their order. max_sequence_step: a larger one is a gap; 0 where steps say nothing."""

    def __init__(self, max_sequence_step: int = 0) -> None:
        self._step = max_sequence_step
        self._last = 0

    def reset(self) -> None:
        """Start over behind a snapshot."""
        self._last = 0

    def first_gap(self, records: np.ndarray) -> tuple[int, str | None]:
        """(records before the gap, what it is), or (all of them, None). records MBO_DTYPE (n,)."""
        live = np.flatnonzero((records["flags"] & F_SNAPSHOT) == 0)
        live = live[records["sequence"][live] != 0]
        if not live.size:
            return records.size, None
        sequence = records["sequence"][live].astype(np.int64)
        before = np.concatenate(([self._last or sequence[0]], sequence[:-1]))
        step = sequence - before
        back = step < 0
        wide = step > self._step if self._step else np.zeros(step.size, bool)
        marked = (records["flags"][live] & F_MAYBE_BAD_BOOK) != 0
        found = np.flatnonzero(back | wide | marked)
        if not found.size:
            self._last = int(sequence[-1])
            return records.size, None
        at = int(found[0])
        if marked[at]:
            reason = f"the vendor lost packets before sequence {sequence[at]}"
        else:
            reason = f"sequence {sequence[at]} follows {before[at]}"
        return int(live[at]), reason
