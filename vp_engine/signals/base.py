"""What a signal is: a small causal state machine over bins. Positive means up.

`update` takes any number of consecutive bins and carries its state, so one bin at a time (live) and a whole dataset
(offline) run the same code and give the same bits. Invalid bins are not fed: the value is 0 there and every history
passes them over. A signal never sees a price after the bin it speaks of.

Flow scores are no part of a block. A signal that reads them is handed those of the same bins by whoever has them
already (the stream, a sweep), or scores the bins itself with the one scorer there is, which gives the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from vp_engine.errors import ConfigError
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals.values import checked
from vp_engine.specs.base import SpecModel
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores, SpectrumScorer

SignalKind = Literal["statistical", "ml"]
Prediction = Literal["score", "probability", "decision"]
SCORE_COLUMNS = ("flow_score", "flow_state_code")
SCORED_COLUMNS = ("composite_d1", "composite_d2", "composite_d3")  # what scores are made from
COLUMNS = frozenset((*GRID_F32_NAMES, "state5_code", "last_event_id", *SCORE_COLUMNS))  # what `columns` may name


class SignalParams(SpecModel):
    """Parameters of a signal: frozen, checked, every one with a default."""


class FittedModels(Protocol):
    """Models of a learning signal in order of time. since_ns: int64 (models,), when each may first speak."""

    @property
    def since_ns(self) -> np.ndarray:
        """Beginning of the first bin that each model speaks of."""

    def model(self, at: int) -> Any:
        """One model, by its position."""


class Signal(ABC):
    """One signal. Subclasses stand in a file of their own and are listed in the registry.

    name: as in specs. kind: how it comes by its values. prediction: how a threshold is held against them (a score
    fires on entering a side, a probability or decision wherever it holds). columns: grid fields it reads, the others
    may be absent (zeros) in the blocks it is given. reads_scores: flow scores are among them (found from `columns`), so
    the scoring fields of the runtime config are parameters of its runs. code_version: rises when its values change.
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
        self._scorer: SpectrumScorer | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.reads_scores = any(name in SCORE_COLUMNS for name in getattr(cls, "columns", ()))
        if isinstance(vars(cls).get("update"), FunctionType) and not cls.__module__.startswith("vp_engine."):
            cls.update = checked(cls.update)  # type: ignore[method-assign]

    @classmethod
    def stored_columns(cls) -> tuple[str, ...]:
        """Grid fields that blocks must hold: `columns`, with what scores are made from in place of the scores."""
        own = [name for name in cls.columns if name not in SCORE_COLUMNS]
        return tuple(dict.fromkeys([*own, *(SCORED_COLUMNS if cls.reads_scores else ())]))

    @classmethod
    def spec_params(cls, state_model: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that a serving spec's `state_model` block sets for this signal; none unless it is that model."""
        return {}

    @classmethod
    def run_params(cls, tp_ticks: float, sl_ticks: float, max_hold_bins: int) -> dict[str, Any]:
        """Parameters that the barriers of a run set for this signal; none unless it learns what they decide."""
        return {}

    def use_models(self, models: FittedModels) -> None:
        """Speak by models fitted before; ConfigError for a signal that has none."""
        raise ConfigError(f"signal `{self.name}` learns nothing, so it takes no models")

    @property
    def needed_bins(self) -> int:
        """Valid bins, the current one included, before a value can differ from 0."""
        return 1

    @property
    def memory_bins(self) -> int | None:
        """Valid bins that a value reaches back, for a signal that may begin late; None for one that must see all."""
        return None

    def begin_after(self, n_valid: int) -> None:
        """Count `n_valid` valid bins as gone by, before the first update only: after `memory_bins` further ones every
        value is that of a signal which saw them all. ConfigError for a signal that must see all."""
        raise ConfigError(f"signal `{self.name}` must begin at the first bin")

    @abstractmethod
    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Values float64 (n,) of the block's n >= 1 bins, which follow the ones given before.

        scores: of these bins under `config`, given at every call or at none; signals that do not read them ignore it.
        """

    def scored(self, block: BinBlock, scores: Scores | None) -> Scores:
        """The scores given, or else the block's own, made here."""
        if scores is not None:
            return scores
        if self._scorer is None:
            self._scorer = SpectrumScorer(self.config)
        return self._scorer.update(block)


def run_signal(signal: Signal, blocks: Iterable[BinBlock], scores: Iterable[Scores] | None = None) -> np.ndarray:
    """Values float64 (n_bins,) over consecutive blocks; scores, if given, block by block."""
    if scores is None:
        parts = [signal.update(block) for block in blocks]
    else:
        parts = [signal.update(block, of_block) for block, of_block in zip(blocks, scores, strict=True)]
    return np.concatenate(parts) if parts else np.empty(0)
