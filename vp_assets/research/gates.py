"""Conditions on data that stop a chain, one home for the code that raises and the checks that report.

Filled against traded volume (contracts): the resting fills of a trade with a side never exceed its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import BookError, DataError
from vp_engine.schema import BinBlock
from vp_engine.specs import Capture

MIN_VALID_SHARE = 0.9  # below it a capture is worth a second look; it may hold an auction


class Volumes(NamedTuple):
    """Contracts of a capture. traded, filled: of trades with a side, and of their resting fills; overfilled: fills
    beyond their trade; unattributed: traded against liquidity that MBO does not show; unsided: of trades without a
    side."""

    traded: int
    filled: int
    overfilled: int
    unattributed: int
    unsided: int

    @property
    def unattributed_share(self) -> float:
        """Share of the sided volume that no resting fill explains."""
        return self.unattributed / max(self.traded, 1)


def volumes(counters: Mapping[str, int]) -> Volumes:
    """Trades and their fills, from the counters of a run."""
    names = ("traded_sided", "filled_sided", "overfilled", "unattributed", "traded_unsided")
    return Volumes(*(counters[name] for name in names))


def require_conserved(counters: Mapping[str, int], what: str) -> None:
    """DataError where fills of resting orders exceed the trades that they belong to."""
    facts = volumes(counters)
    if facts.overfilled:
        raise DataError(
            f"{what}: fills exceed their trades by {facts.overfilled:,} of {facts.traded:,} contracts; "
            "records of the raw day are missing or repeated"
        )


def bad_orders(checkpoint: BookCheckpoint) -> int:
    """Resting orders without size, or with an id that stands twice."""
    orders = checkpoint.orders
    return int((orders["size"] <= 0).sum()) + orders.size - np.unique(orders["order_id"]).size


def require_sound_book(checkpoint: BookCheckpoint, what: str) -> BookCheckpoint:
    """The checkpoint, or BookError."""
    if bad_orders(checkpoint):
        raise BookError(f"{what}: {bad_orders(checkpoint)} resting orders without size or twice in the book")
    require_conserved(checkpoint.counters, what)
    return checkpoint


def require_whole_sweep(meta: pa.Table, runs: pa.Table, what: str) -> None:
    """DataError unless every run has a row for each of its thresholds, and none twice."""
    if problem := sweep_problem(meta, runs):
        raise DataError(f"{what}: {problem}")


def sweep_problem(meta: pa.Table, runs: pa.Table) -> str | None:
    """What is wrong with the tables of a sweep, or None."""
    claimed = sum(meta["n_thresholds"].to_pylist())
    if runs.num_rows != claimed or not claimed:
        return f"{runs.num_rows} rows, its runs have {claimed} thresholds"
    if len(set(meta["run_id"].to_pylist())) != meta.num_rows:
        return "a run stands twice"
    if runs.group_by(["run_id", "threshold"]).aggregate([]).num_rows != runs.num_rows:
        return "a threshold of a run stands twice"
    return None


def are_contiguous(bins: np.ndarray, capture: Capture, first: int = 0) -> bool:
    """Whether bins (n,) BIN_DTYPE are numbered from `first` and cover the window without a gap."""
    expected = np.arange(first, first + bins.size)
    starts = capture.start_ns + expected * capture.bin_ns
    return (
        np.array_equal(bins["bin_seq"], expected)
        and np.array_equal(bins["bin_start_ns"], starts)
        and np.array_equal(bins["bin_end_ns"], starts + capture.bin_ns)
    )


def require_sound_block(block: BinBlock, capture: Capture, first: int, what: str) -> None:
    """DataError unless the block starts with bin `first`, is contiguous, and every number in it is finite."""
    if not are_contiguous(block.bins, capture, first):
        raise DataError(f"{what}: bins {first} to {first + block.bins.size - 1} are not contiguous")
    if not np.isfinite(block.grid).all():
        raise DataError(f"{what}: a number in bins {first} to {first + block.bins.size - 1} is not finite")
