"""`svm_sp`: a linear support vector machine on the spatial profile of pressure minus vacuum."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vp_engine.signals.base import Prediction, SignalParams
from vp_engine.signals.features import BANDS
from vp_engine.signals.ml.fitting import fit_scaled
from vp_engine.signals.ml.frame import REACH, View
from vp_engine.signals.ml.models import Hyperplane
from vp_engine.signals.ml.walk_forward import Step, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import Moments, Returns
from vp_engine.specs.runtime import VPRuntimeConfig

WINDOWS = (50, 200, 600)
PROFILE_STEP = 5


class SvmSpParams(WalkForwardParams):
    """Schedule and regularisation."""

    first_bins: Annotated[int, Field(ge=2)] = 1200
    refit_bins: Annotated[int, Field(ge=1)] = 300
    c: Annotated[float, Field(gt=0)] = Field(0.1, description="inverse strength of regularisation")
    max_iterations: Annotated[int, Field(ge=1)] = Field(2000, description="passes of the solver at most")


class SvmSpSignal(WalkForwardSignal):
    """Distance from a linear SVM's plane over the profile of pressure minus vacuum."""

    name = "svm_sp"
    prediction: ClassVar[Prediction] = "decision"
    columns = ("pressure_variant", "vacuum_variant", "v_add", "v_pull")
    Params: ClassVar[type[SignalParams]] = SvmSpParams
    default_thresholds = (0.0, 0.2, 0.4, 0.6, 0.8)
    n_features = 45
    model_type = Hyperplane
    params: SvmSpParams

    def __init__(self, params: SvmSpParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._returns = Returns()
        self._flow_moments = Moments(WINDOWS, len(BANDS))
        self._return_moments = Moments(WINDOWS)

    def features(self, view: View) -> list[np.ndarray]:
        """Balance at every 5th k (21); mean and std of the bands' add + pull asymmetry (18) and of returns (6)."""
        flow = view.asymmetry("v_add") + view.asymmetry("v_pull")
        return [
            view.balance()[:, REACH % PROFILE_STEP :: PROFILE_STEP],
            self._flow_moments.update(flow),
            self._return_moments.update(self._returns.update(view.mid, view.bin_seq)),
        ]

    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> Hyperplane:
        """Standardised, hinge loss, classes weighted alike."""
        from sklearn.svm import LinearSVC

        machine = LinearSVC(
            loss="hinge",
            C=self.params.c,
            class_weight="balanced",
            max_iter=self.params.max_iterations,
            random_state=self.params.seed,
        )
        return Hyperplane(fit_scaled(machine, rows, labels))
