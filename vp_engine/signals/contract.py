"""The contract of a signal, checked by running it: causal, independent of how its input is cut, the same each time,
silent about columns it does not declare, and polite to its input.

A signal is given the same bins again and again, in blocks of other sizes, with the bins after a cut dropped or
permuted, beside a second instance, with a clock that is months ahead, and with alive values in undeclared columns. Its
values must be the same bits every time. This finds mistakes, not malice: a signal that knows the check can evade it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from vp_engine.errors import ConfigError, SignalError
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals.base import Signal
from vp_engine.signals.clocks import later
from vp_engine.signals.declared import declared
from vp_engine.signals.registry import get_signal, make_signal
from vp_engine.signals.source import place_of_signal
from vp_engine.signals.values import fault_of_values
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores, SpectrumScorer

CONTRACT_VERSION = "2"  # part of every stored proof
CHECK_BINS = 3000
BLOCK_BINS = 600  # of a sweep
OTHER_BLOCKS = (1, 7, 50)
FIRST_CUT = 0.483
_CUTS = (FIRST_CUT, 0.937)  # share of the bins before a cut, in the midst of a block
_TIME_FIELDS = ("bin_seq", "bin_start_ns", "bin_end_ns", "ts_ns")
# Of a signal that learns, at most, so that it fits several times within the bins of a check.
_SHORT_SCHEDULE = {"first_bins": 900, "refit_bins": 800, "label_hold_bins": 300, "rounds": 40}


class Subject(NamedTuple):
    """What is checked: a signal with its parameters, on consecutive bins under a configuration. It begins afresh at the
    first of them, whatever their numbers are."""

    signal: str
    params: Mapping[str, Any]
    config: VPRuntimeConfig
    block: BinBlock


def check_contract(subject: Subject, thresholds: tuple[float, ...] | None = None, whole: bool = True) -> int:
    """Number of bins before the first cut whose value reaches the lowest threshold (None: is not 0), so that it fires
    before every cut where this is not 0; SignalError that names the signal's file and line, the first bin that differs
    and both values.

    whole: False leaves out what parameters seldom change: small blocks, a second instance, undeclared columns. What
    the signal itself raises passes through.
    """
    check = _Check(subject)
    values = check.reference()
    check.again(values)
    check.cuts(values)
    if whole:
        check.side_by_side(values)
        check.undeclared(values)
    check.blocks(values, OTHER_BLOCKS if whole else OTHER_BLOCKS[-1:])
    return int(np.count_nonzero(firing_bins(check.kind, values[: int(FIRST_CUT * check.n)], thresholds)))


def check_reference(subject: Subject) -> None:
    """The first of the runs of a check alone."""
    _Check(subject).reference()


def short_schedule(signal: type[Signal], params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with which a signal that learns fits several times within CHECK_BINS; others as they are."""
    given = dict(params)
    if signal.kind != "ml":
        return given
    full = signal.Params.parse(given, f"signal `{signal.name}`").model_dump(mode="json")
    short = {name: most for name, most in _SHORT_SCHEDULE.items() if name in full and full[name] > most}
    try:
        signal.Params.parse({**full, **short}, f"signal `{signal.name}`")
    except ConfigError:
        return given
    return {**full, **short}


def firing_bins(kind: type[Signal], values: np.ndarray, thresholds: tuple[float, ...] | None) -> np.ndarray:
    """bool (n,): bins whose value reaches the lowest threshold (None: the signal's own; without any: is not 0)."""
    lowest = min(thresholds or kind.default_thresholds or (0.0,))
    with np.errstate(invalid="ignore"):
        if kind.prediction == "probability":
            fires = (values >= lowest) | (values <= 1 - lowest)
        else:
            fires = (np.abs(values) >= lowest) & (values != 0)
    return np.asarray(fires)


class _Check:
    """The runs of one subject. Every one is a fresh signal on copies of the bins."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.kind = get_signal(subject.signal)
        self.params = short_schedule(self.kind, subject.params)
        self.full = subject.block
        self.n = len(subject.block.bins)
        self.scores = SpectrumScorer(subject.config).update(subject.block) if self.kind.reads_scores else None
        self.seen = _only(subject.block, self.kind.stored_columns())

    def reference(self) -> np.ndarray:
        """Values float64 (n,) in blocks of BLOCK_BINS, fit to be values at all."""
        values = self._run(self.seen, BLOCK_BINS)
        if np.isnan(values).all():
            raise self._error(f"gives no number: all {self.n:,} bins are NaN")
        return values

    def again(self, values: np.ndarray) -> None:
        """Another run, later by the clock."""
        with later(sys.modules.get(self.kind.__module__)):
            other = self._run(self.seen, BLOCK_BINS)
        self._same(
            values,
            other,
            "the first time",
            "when the same bins are run again",
            "is not the same each time; keep state in the instance, seed what is random and do not read the clock",
        )

    def cuts(self, values: np.ndarray) -> None:
        """Nothing after a cut moves what is before it."""
        for share in _CUTS:
            cut = int(share * self.n)
            end = min(-(-(cut + 1) // BLOCK_BINS) * BLOCK_BINS, self.n)
            for how, block, scores in (
                ("dropped", self.seen.part(0, cut), _part(self.scores, 0, cut)),
                ("permuted", *self._permuted(cut, end)),
            ):
                other = self._run(block, BLOCK_BINS, scores)
                self._same(
                    values[:cut],
                    other[:cut],
                    "with the bins that follow",
                    f"with the bins from {cut:,} on {how}",
                    "looks ahead",
                )

    def blocks(self, values: np.ndarray, sizes: tuple[int, ...]) -> None:
        """Blocks of other sizes."""
        for size in sizes:
            self._same(
                values,
                self._run(self.seen, size),
                f"in blocks of {BLOCK_BINS}",
                f"in blocks of {size}",
                "depends on how its input is cut",
            )

    def side_by_side(self, values: np.ndarray) -> None:
        """Another instance on other bins has its turn between two blocks."""
        one, other = (make_signal(self.subject.signal, dict(self.params), self.subject.config) for _ in range(2))
        order = np.arange(self.n)[::-1]
        back, back_scores = _taken(self.seen, order), _taken_scores(self.scores, order)
        parts = []
        for first in range(0, self.n, BLOCK_BINS):
            last = min(first + BLOCK_BINS, self.n)
            other.update(self._given(back, first, last), _part(back_scores, first, last))
            parts.append(one.update(self._given(self.seen, first, last), _part(self.scores, first, last)))
        self._same(
            values,
            np.concatenate(parts),
            "alone",
            "beside another instance on other bins",
            "shares memory between instances; keep state in the instance",
        )

    def undeclared(self, values: np.ndarray) -> None:
        """Columns that are not declared hold zeros in a sweep and values in a stream."""
        if np.array_equal(values, self._run(self.full, BLOCK_BINS, guarded=False), equal_nan=True):
            return
        names = self.kind.stored_columns()
        for name in (*GRID_F32_NAMES, "state5_code", "last_event_id"):
            if name not in names:
                other = self._run(_only(self.full, (*names, name)), BLOCK_BINS, guarded=False)
                self._same(
                    values,
                    other,
                    f"while `{name}` is left out",
                    "while it is there",
                    f"reads column `{name}`, which its `columns` do not declare",
                )
        raise self._error("reads columns that its `columns` do not declare")

    def _run(self, block: BinBlock, size: int, scores: Scores | None = None, guarded: bool = True) -> np.ndarray:
        """Values float64 (n,) of a fresh signal; SignalError for what is no value, or for input written to."""
        signal = make_signal(self.subject.signal, dict(self.params), self.subject.config)
        used = scores if scores is not None else self.scores
        returned, kept = [], []
        n = len(block.bins)
        for first in range(0, n, size):
            last = min(first + size, n)
            given = self._given(block, first, last, guarded)
            given_scores = _copied(_part(used, first, last))
            values = signal.update(given, given_scores)
            fault = fault_of_values(values, first, last - first)
            if fault is not None:
                raise self._error(fault)
            self._require_untouched(given, block.part(first, last), first)
            if given_scores is not None:
                self._require_untouched(given_scores, _part(used, first, last), first)
            returned.append(values)
            kept.append(values.copy())
        at_end, at_once = np.concatenate(returned), np.concatenate(kept)
        self._same(
            at_once,
            at_end,
            "when it is returned",
            "after later updates",
            "returns an array that it writes to later; return a new one each time",
        )
        return at_once

    def _given(self, block: BinBlock, first: int, last: int, guarded: bool = True) -> BinBlock:
        """Bins [first, last) as arrays of their own, which the signal may keep."""
        copy = BinBlock(*(array.copy() for array in block.part(first, last)))
        return declared(copy, self.kind) if guarded else copy

    def _require_untouched(self, given: tuple[np.ndarray, ...], original: Any, first: int) -> None:
        for name, array, before in zip(original._fields, given, original, strict=True):
            same = (array == before).all() if array.dtype.names else array.tobytes() == before.tobytes()
            if not same:  # records have padding, whose bytes mean nothing
                raise self._error(
                    f"writes to its input: `{name}` of the block that begins at bin {first:,} is changed; copy what "
                    f"you change"
                )

    def _permuted(self, cut: int, end: int) -> tuple[BinBlock, Scores | None]:
        """Bins [0, end), those from `cut` on with the contents of others that come after the cut."""
        order = np.arange(end)
        order[cut:] = np.random.default_rng(cut).permutation(np.arange(cut, self.n))[: end - cut]
        return _taken(self.seen, order), _taken_scores(self.scores, order)

    def _same(self, values: np.ndarray, other: np.ndarray, how: str, otherwise: str, fault: str) -> None:
        differs = np.flatnonzero((values != other) & ~(np.isnan(values) & np.isnan(other)))
        if differs.size:
            at = int(differs[0])
            number = int(self.full.bins["bin_seq"][0]) + at
            raise self._error(
                f"{fault}: bin {number:,} is {float(values[at])!r} {how} and {float(other[at])!r} {otherwise}"
            )

    def _error(self, words: str) -> SignalError:
        return SignalError(f"signal `{self.kind.name}` ({place_of_signal(self.kind)}) {words}")


def _only(block: BinBlock, names: tuple[str, ...]) -> BinBlock:
    """The block with zeros in every grid field that is not named."""
    grid = np.zeros_like(block.grid)
    for at, name in enumerate(GRID_F32_NAMES):
        if name in names:
            grid[at] = block.grid[at]
    state5 = block.state5 if "state5_code" in names else np.zeros_like(block.state5)
    last_event = block.last_event_id if "last_event_id" in names else np.zeros_like(block.last_event_id)
    return BinBlock(block.bins, grid, state5, last_event)


def _taken(block: BinBlock, order: np.ndarray) -> BinBlock:
    """Contents of bins in another order, at times in the old one."""
    bins = block.bins[order]
    for name in _TIME_FIELDS:
        bins[name] = block.bins[name][: order.size]
    return BinBlock(bins, block.grid[:, order], block.state5[order], block.last_event_id[order])


def _taken_scores(scores: Scores | None, order: np.ndarray) -> Scores | None:
    if scores is None:
        return None
    return Scores(scores.flow_score[order], scores.flow_state_code[order], scores.projections[:, order])


def _part(scores: Scores | None, first: int, last: int) -> Scores | None:
    if scores is None:
        return None
    span = slice(first, last)
    return Scores(scores.flow_score[span], scores.flow_state_code[span], scores.projections[:, span])


def _copied(scores: Scores | None) -> Scores | None:
    return None if scores is None else Scores(*(array.copy() for array in scores))
