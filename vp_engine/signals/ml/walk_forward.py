"""Learning signals: trained on the past of the stream they speak of, and again at every refit.

The schedule counts valid bins: a first fit after `first_bins`, then one after every `refit_bins`; between two fits the
model speaks unchanged. A fit sees features and labels of earlier bins only, and a label only where the bin that
decided it lies before the refit bin. A fit that lacks labels is passed over and the model before it stays. Values are
NaN, no prediction, until there is a model, and on bins without a book.

A signal that is given fitted models trains nothing: each model speaks of the bins that begin at or after its refit
bin, when all it has seen had happened. On the bins it was trained along, that repeats the values of training; on
later days the last model speaks; before the first one there is silence.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from vp_engine.errors import ConfigError
from vp_engine.schema import BinBlock
from vp_engine.signals.base import FittedModels, Signal, SignalKind
from vp_engine.signals.features import FrameParams
from vp_engine.signals.ml.frame import View
from vp_engine.signals.ml.labels import History
from vp_engine.signals.ml.models import Model
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

Step = Literal["full", "partial"]


class WalkForwardParams(FrameParams):
    """The schedule, the labels and the frame; bins are valid bins unless said otherwise."""

    first_bins: Annotated[int, Field(ge=2)] = Field(description="bins before the first fit")
    refit_bins: Annotated[int, Field(ge=1)] = Field(description="bins between fits")
    min_labels: Annotated[int, Field(ge=2)] = Field(20, description="known labels that a fit needs")
    train_bins: Annotated[int, Field(ge=2)] | None = Field(None, description="latest bins that a fit uses; null: all")
    label_ticks: Annotated[float, Field(gt=0)] = Field(4.0, description="move that labels a bin: min(tp, sl) of a run")
    label_hold_bins: Annotated[int, Field(ge=2)] = Field(1200, description="`max_hold_bins` of a run, in bins of time")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(42, description="of everything random in a fit")

    @model_validator(mode="after")
    def _enough(self) -> WalkForwardParams:
        if self.train_bins is not None and self.train_bins < self.min_labels:
            raise ValueError(f"`train_bins` must be >= `min_labels` ({self.min_labels}), was {self.train_bins}")
        return self


class Refit(NamedTuple):
    """One fit. bin_seq: first bin that the model speaks of; since_ns: when that bin begins; step: from scratch or a
    pass over the latest bins; n_rows, n_up, n_down: rows it was trained on (labels 0 where it needs none)."""

    bin_seq: int
    since_ns: int
    step: Step
    n_rows: int
    n_up: int
    n_down: int
    model: Model


class Refits:
    """Fitted models in memory, in order of time, as `use_models` takes them."""

    def __init__(self, refits: list[Refit]) -> None:
        self._refits = refits
        self.since_ns = np.array([refit.since_ns for refit in refits], np.int64)

    def model(self, at: int) -> Model:
        """The model of one refit."""
        return self._refits[at].model


class WalkForwardSignal(Signal):
    """A signal with a model. Subclasses name features and fit; `supervised` says whether labels are needed."""

    kind: ClassVar[SignalKind] = "ml"
    supervised: ClassVar[bool] = True
    n_features: ClassVar[int]
    model_type: ClassVar[type[Model]]
    params: WalkForwardParams

    def __init__(self, params: WalkForwardParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self.on_refit: Callable[[Refit], None] | None = None
        self.n_refits = 0
        hold = params.label_hold_bins if self.supervised else 1  # nothing stays open where nobody asks
        self._history = History(self.n_features, params.label_ticks, hold, params.train_bins)
        self._models: FittedModels | None = None
        self._model: Model | None = None
        self._at = -1  # of self._models
        self._seen = 0  # valid bins

    @classmethod
    def run_params(cls, tp_ticks: float, sl_ticks: float, max_hold_bins: int) -> dict[str, Any]:
        """Labels are made with the barriers that the run is judged by."""
        if not cls.supervised:
            return {}
        return {"label_ticks": min(tp_ticks, sl_ticks), "label_hold_bins": max_hold_bins}

    @property
    def needed_bins(self) -> int:
        """Bins of the first fit, and the one that it speaks of."""
        return self.params.first_bins + 1

    def use_models(self, models: FittedModels) -> None:
        """Speak by these models and train nothing; before the first bin only."""
        if self._seen:
            raise ConfigError(f"signal `{self.name}` has begun; give it its models before the first bin")
        self._models = models

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Predictions float64 (n,); NaN where there is none."""
        values = np.full(len(block.bins), np.nan)
        used = self.scored(block, scores) if self.reads_scores else None
        at = np.flatnonzero(block.bins["book_valid"])
        if at.size == 0:
            return values
        view = View(block, at, self.columns, self.params.frame, self.config, used)
        rows = np.ascontiguousarray(np.hstack(self.features(view)), np.float32)
        if rows.shape[1] != self.n_features:
            raise ConfigError(f"signal `{self.name}` has {rows.shape[1]} features instead of {self.n_features}")
        starts = block.bins["bin_start_ns"][at]
        for first, last in self._spans(starts):
            if self._models is None:
                self._refit(int(view.bin_seq[first]), int(starts[first]))
            if self._model is not None and self._seen >= self.params.first_bins:
                values[at[first:last]] = self.speak(self._model, rows[first:last])
            if self._models is None:
                self._history.extend(rows[first:last], view.mid[first:last], view.bin_seq[first:last])
            self._seen += last - first
        return values

    def _spans(self, starts: np.ndarray) -> Iterator[tuple[int, int]]:
        """Runs of valid bins that one model speaks of: positions [first, last) in `starts`, int64 (m,) ns."""
        edges = {0, len(starts)}
        first, step = self.params.first_bins - self._seen, self.params.refit_bins
        if self._models is None:
            begin = first if first > 0 else first % step
            edges.update(range(begin, len(starts), step))
        else:
            edges.update(np.searchsorted(starts, self._models.since_ns).tolist())
            edges.add(min(max(first, 0), len(starts)))
        ordered = sorted(edges)
        for begin, end in itertools.pairwise(ordered):
            if self._models is not None:
                self._choose(int(starts[begin]))
            yield begin, end

    def _choose(self, start_ns: int) -> None:
        """The latest of the given models whose refit bin does not begin after `start_ns`."""
        assert self._models is not None
        at = int(np.searchsorted(self._models.since_ns, start_ns, side="right")) - 1
        if at != self._at:
            self._at = at
            self._model = self._checked(self._models.model(at)) if at >= 0 else None

    def _checked(self, model: Model) -> Model:
        if type(model) is not self.model_type or model.n_features != self.n_model_features:
            raise ConfigError(
                f"signal `{self.name}` reads {self.n_model_features} features by {self.model_type.__name__}; the model "
                f"it was given reads {model.n_features} by {type(model).__name__}"
            )
        return model

    @property
    def n_model_features(self) -> int:
        """Features that the model reads, the first ones."""
        return self.n_features

    def _refit(self, bin_seq: int, since_ns: int) -> None:
        """Fit, if the coming bin is a refit bin and there is enough to learn from."""
        beyond = self._seen - self.params.first_bins
        if beyond < 0 or beyond % self.params.refit_bins:
            return
        step = self.step(beyond // self.params.refit_bins)
        rows, labels = self._history.latest(self.step_bins(step))
        if self.supervised:
            known = labels != 0
            rows, labels = rows[known], labels[known]
            n_up, n_down = int(np.count_nonzero(labels > 0)), int(np.count_nonzero(labels < 0))
            if len(rows) < self.params.min_labels or not n_up or not n_down:
                return
        else:
            n_up = n_down = 0
        model = self.fit(rows, labels, step)
        if model is None:
            return
        self._model = self._checked(model)
        self.n_refits += 1
        if self.on_refit is not None:
            self.on_refit(Refit(bin_seq, since_ns, step, len(rows), n_up, n_down, model))

    def step(self, refit: int) -> Step:
        """What the refit of this number, from 0, is."""
        return "full"

    def step_bins(self, step: Step) -> int | None:
        """Latest bins that such a fit uses; None: all that are kept."""
        return self.params.train_bins

    def speak(self, model: Model, rows: np.ndarray) -> np.ndarray:
        """Values float64 (m,) of consecutive bins' features float32 (m, n_features)."""
        return model.predict(rows)

    @abstractmethod
    def features(self, view: View) -> list[np.ndarray]:
        """Columns (m, d_i) of the view's bins, n_features together; called once per block, carries its own state."""

    @abstractmethod
    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> Model | None:
        """A model of rows float32 (m, n_features) and labels int8 (m,) of both signs, in order of time; None if there
        is too little to learn from. The same input gives the same bits."""
