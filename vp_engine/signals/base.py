"""What a signal is: a small causal state machine over bins. Positive means up.

`update` takes any number of consecutive bins and carries its state, so one bin at a time (live) and a whole dataset
(offline) run the same code and give the same bits. Invalid bins are not fed: the value is 0 there and every history
passes them over. A signal never sees a price after the bin it speaks of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.specs.base import SpecModel
from vp_engine.specs.runtime import VPRuntimeConfig

SignalKind = Literal["statistical", "ml"]
Prediction = Literal["score", "probability", "decision"]
COLUMNS = frozenset((*GRID_F32_NAMES, "state5_code", "last_event_id"))  # what `columns` may name


class SignalParams(SpecModel):
    """Parameters of a signal: frozen, checked, every one with a default."""


class Signal(ABC):
    """One signal. Subclasses stand in a file of their own and are listed in the registry.

    name: as in specs. kind: how it comes by its values. prediction: how a threshold is held against them (a score
    fires on entering a side, a probability or decision wherever it holds). columns: grid fields it reads, the others
    may be absent (zeros) in the blocks it is given. reads_scores: it scores the grid itself, so scoring fields of the
    runtime config are parameters of its runs. code_version: rises when its values change.
    """

    name: ClassVar[str]
    kind: ClassVar[SignalKind] = "statistical"
    prediction: ClassVar[Prediction] = "score"
    columns: ClassVar[tuple[str, ...]]
    reads_scores: ClassVar[bool] = False
    code_version: ClassVar[str] = "1"
    Params: ClassVar[type[SignalParams]]
    default_thresholds: ClassVar[tuple[float, ...]]  # empty: quantiles of the calibration part

    def __init__(self, params: SignalParams, config: VPRuntimeConfig) -> None:
        self.params = params
        self.config = config

    @classmethod
    def spec_params(cls, state_model: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that a serving spec's `state_model` block sets for this signal; none unless it is that model."""
        return {}

    @property
    def needed_bins(self) -> int:
        """Valid bins, the current one included, before a value can differ from 0."""
        return 1

    @abstractmethod
    def update(self, block: BinBlock) -> np.ndarray:
        """Values float64 (n,) of the block's n >= 1 bins, which follow the ones given before."""


def run_signal(signal: Signal, blocks: Iterable[BinBlock]) -> np.ndarray:
    """Values float64 (n_bins,) over consecutive blocks."""
    parts = [signal.update(block) for block in blocks]
    return np.concatenate(parts) if parts else np.empty(0)
