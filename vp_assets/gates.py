"""Conditions on data that stop a chain, one home for the code that raises and the checks that report.

Filled against traded volume (contracts): what is filled on a side equals what is traded; an auction fills both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import BookError, DataError
from vp_engine.lake.raw import RawDay, RawManifest
from vp_engine.schema import BinBlock
from vp_engine.specs import Capture

MAX_BAD_FLAG_SHARE = 0.01
MAX_VOLUME_GAP = 0.001  # the engine is exact on whole, sound days
MIN_VALID_SHARE = 0.9  # below it a capture is worth a second look; it may hold an auction
SIGNIFICANCE = 0.05  # of a Holm-adjusted p
_FEW_CONTRACTS = 1_000  # a window that trades less is judged as if it traded this


class VolumeGap(NamedTuple):
    """Contracts filled that no trade explains (negative: traded, never filled), and their share of what was traded."""

    sided: int
    auction: int
    share: float


def bad_flag_share(manifest: RawManifest) -> float:
    """Share of a raw day's records whose receive time the vendor does not trust."""
    return manifest.n_bad_flags / max(manifest.kept, 1)


def require_admissible(day: RawDay) -> RawDay:
    """The day, or DataError if no chain should start from it."""
    facts = day.manifest
    if facts.quarantine is not None:
        raise DataError(
            f"{facts.day} (UTC) of {facts.symbol} is in quarantine: {facts.quarantine}; "
            f"look at it, then `vp admit {facts.day}`"
        )
    if not facts.has_snapshot:
        raise DataError(
            f"{day.path.name}: has no opening snapshot, so its book would be incomplete; fetch the whole day"
        )
    if bad_flag_share(facts) > MAX_BAD_FLAG_SHARE:
        raise DataError(
            f"{day.path.name}: {bad_flag_share(facts):.1%} of its records have an untrusted receive time, "
            f"at most {MAX_BAD_FLAG_SHARE:.0%} may"
        )
    return day


def volume_gap(counters: Mapping[str, int]) -> VolumeGap:
    """Fills against trades."""
    sided = counters["filled_sided"] - counters["traded_sided"]
    auction = counters["filled_auction"] - 2 * counters["traded_auction"]
    traded = counters["traded_sided"] + 2 * counters["traded_auction"]
    return VolumeGap(sided, auction, (abs(sided) + abs(auction)) / max(traded, _FEW_CONTRACTS))


def require_conserved(counters: Mapping[str, int], what: str) -> None:
    """DataError where fills and trades disagree by more than `MAX_VOLUME_GAP`."""
    gap = volume_gap(counters)
    if gap.share > MAX_VOLUME_GAP:
        raise DataError(
            f"{what}: contracts filled and traded disagree by {gap.share:.2%} "
            f"(sided {gap.sided:+d}, auction {gap.auction:+d}); records are missing from the raw day"
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
