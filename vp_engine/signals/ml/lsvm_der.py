"""`lsvm_der`: a linear support vector machine on flow derivatives, trained on by stochastic gradient between fits."""

from __future__ import annotations

import copy
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from vp_engine.signals.base import Prediction, SignalParams
from vp_engine.signals.features import BANDS
from vp_engine.signals.ml.fitting import balanced_weights, fit_scaled, one_thread
from vp_engine.signals.ml.frame import FLOWS, View
from vp_engine.signals.ml.models import Hyperplane
from vp_engine.signals.ml.walk_forward import Step, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import Slopes
from vp_engine.specs.runtime import VPRuntimeConfig

NEAR = 24  # |k| of the divergence


class LsvmDerParams(WalkForwardParams):
    """Schedule and regularisation."""

    first_bins: Annotated[int, Field(ge=2)] = 1500
    refit_bins: Annotated[int, Field(ge=1)] = Field(600, description="bins between fits, and bins of a partial one")
    full_every: Annotated[int, Field(ge=1)] = Field(2, description="every so many fits are from scratch")
    min_labels: Annotated[int, Field(ge=2)] = 30
    alpha: Annotated[float, Field(gt=0)] = Field(1e-4, description="strength of regularisation")


class LsvmDerSignal(WalkForwardSignal):
    """Distance from a linear SVM's plane over flow derivatives, kept up to date between full fits."""

    name = "lsvm_der"
    prediction: ClassVar[Prediction] = "decision"
    columns = FLOWS
    Params: ClassVar[type[SignalParams]] = LsvmDerParams
    default_thresholds = (0.0, 0.3, 0.5, 0.7, 1.0)
    n_features = 60
    model_type = Hyperplane
    params: LsvmDerParams

    def __init__(self, params: LsvmDerParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._slopes = Slopes((100, 300), len(FLOWS) * len(BANDS))
        self._pipeline: Any = None

    def features(self, view: View) -> list[np.ndarray]:
        """Asymmetries (18), their slopes (36), and the 1/|k|-weighted divergence of each flow (6)."""
        flows = view.asymmetries()
        near = [view.divergence(name, NEAR) for name in FLOWS]
        return [flows, self._slopes.update(flows), *near]

    def step(self, refit: int) -> Step:
        """From scratch first and every `full_every`-th time."""
        return "full" if refit % self.params.full_every == 0 or self._pipeline is None else "partial"

    def step_bins(self, step: Step) -> int | None:
        """A partial fit uses the bins since the fit before it."""
        return self.params.refit_bins if step == "partial" else self.params.train_bins

    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> Hyperplane:
        """Standardised, hinge loss, classes weighted alike; a partial fit keeps the scaler and takes one pass."""
        from sklearn.linear_model import SGDClassifier
        from sklearn.pipeline import Pipeline

        if step == "full":
            machine = SGDClassifier(
                loss="hinge", alpha=self.params.alpha, class_weight="balanced", random_state=self.params.seed
            )
            self._pipeline = fit_scaled(machine, rows, labels)
        else:
            scaler, before = (part for _, part in self._pipeline.steps)
            machine = copy.deepcopy(before).set_params(class_weight=None)  # `balanced` is weighed here instead
            with one_thread():
                scaled = scaler.transform(np.array(rows, np.float64, order="C"))
                machine.partial_fit(scaled, labels, sample_weight=balanced_weights(labels))
            self._pipeline = Pipeline([("scaler", scaler), ("estimator", machine)])
        return Hyperplane(self._pipeline)
