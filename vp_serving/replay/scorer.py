"""What is derived from bins as they pass: scores, state model, signal. State is carried from block to block.

A scorer may begin at any bin of a dataset: scorer and state model then find what they would have seen behind that bin.
A signal's memory may be without end, so signals over a dataset have a track of their own (`vp_serving.replay.track`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vp_engine.evaluation.detection import Detector
from vp_engine.evaluation.trials import Evaluation
from vp_engine.lake.lookback import LookBack
from vp_engine.schema import BinBlock
from vp_engine.signals.base import FittedModels, Signal
from vp_engine.signals.registry import get_signal, make_signal
from vp_engine.specs import Capture, ServingSpec, VPRuntimeConfig
from vp_engine.specs.experiment import EvalSpec
from vp_engine.spectrum.scoring import MEMORY_BINS, Past, Scores, SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams
from vp_serving.wire.frames import ScoredBlock

BlockOf = Callable[[int, int], BinBlock]


class SignalValues(NamedTuple):
    """What a signal says of n bins: values float64 (n,), fired int8 (n,)."""

    values: np.ndarray
    fired: np.ndarray


class SignalRunner:
    """A serving spec's signal with its threshold. first_bin: the first one in which it may fire."""

    def __init__(
        self, serving: ServingSpec, config: VPRuntimeConfig, first_bin: int, models: FittedModels | None = None
    ) -> None:
        """ConfigError or NotFoundError for a signal or parameter that does not exist. `models`: what a learning signal
        speaks by; without them it trains along."""
        assert serving.signal is not None
        spec = serving.signal
        self.signal: Signal = make_signal(spec.name, dict(spec.params), config, models)
        self.detector: Detector | None = None
        if spec.threshold is not None:
            self.detector = Detector(spec.threshold, spec.cooldown_bins, first_bin, get_signal(spec.name).prediction)

    def update(self, block: BinBlock, scores: Scores | None = None) -> SignalValues:
        """Of the next n bins; nothing fires without a threshold."""
        values = self.signal.update(block, scores)
        if self.detector is None:
            return SignalValues(values, np.zeros(values.size, np.int8))
        valid, bin_seq = (np.ascontiguousarray(block.bins[name]) for name in ("book_valid", "bin_seq"))
        return SignalValues(values, self.detector.update(values, valid, bin_seq))


class BinScorer:
    """Scorer, state model and, if it has one, a signal, over consecutive blocks."""

    def __init__(self, config: VPRuntimeConfig, runner: SignalRunner | None = None, past: Past | None = None) -> None:
        self._scorer = SpectrumScorer(config, past)
        params = StateModelParams(**config.state_model)
        self._state = DerivativeRuntime(params, config.dt_s, config.grid_radius_ticks)
        self._runner = runner

    @classmethod
    def begun_at(cls, config: VPRuntimeConfig, behind: LookBack, block_of: BlockOf, first_bin: int) -> BinScorer:
        """A scorer without a signal whose next bin is `first_bin`, as if it had seen all before it. block_of: bins
        [first, after) of the dataset."""
        recent = behind.last_valid(first_bin, MEMORY_BINS)
        if recent.size == 0:
            return cls(config)
        begin = int(recent[0])
        scorer = cls(config, past=behind.past(begin))
        known = behind.last_valid(begin, scorer._state.memory_bins)
        scorer._state.begin_after(behind.n_valid(begin) - known.size)
        scorer._state.update(behind.column("state5_code", known), np.ones(known.size, np.int8))
        for at in recent.tolist():  # bins between them have no book and move nothing
            scorer.score(block_of(at, at + 1))
        return scorer

    def score(self, block: BinBlock, signal_values: SignalValues | None = None, behind: int = 0) -> ScoredBlock:
        """The next n bins with everything the wire says of them. signal_values: of these bins, if known already; else
        behind: how far a track of the signal is from the first of them."""
        valid = np.ascontiguousarray(block.bins["book_valid"])
        scores = self._scorer.update(block)
        if signal_values is None and self._runner is not None:
            signal_values = self._runner.update(block, scores)
        return ScoredBlock(
            block,
            scores.flow_score,
            scores.flow_state_code,
            scores.projections,
            self._state.update(block.state5, valid),
            None if signal_values is None else signal_values.values,
            np.zeros(valid.size, np.int8) if signal_values is None else signal_values.fired,
            behind,
        )


def first_firing_bin(serving: ServingSpec | None, capture: Capture, dataset_address: str) -> int:
    """First bin in which a spec's signal may fire: as in the run it was promoted from; thresholds that came from a
    calibration part of that very dataset fire after it."""
    promoted = serving.promoted if serving is not None else None
    if serving is None or promoted is None:
        return EvalSpec().warmup_bins
    judged = Evaluation.parse(promoted.eval, f"serving spec `{serving.name}`: promoted.eval")
    if dataset_address.startswith(promoted.dataset_address):
        return judged.first_bin(capture.n_bins)
    return judged.warmup_bins
