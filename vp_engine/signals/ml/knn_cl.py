"""`knn_cl`: what followed the past bins most like this one."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vp_engine.signals.base import Prediction, SignalParams
from vp_engine.signals.features import BANDS
from vp_engine.signals.ml.fitting import fit_scaled
from vp_engine.signals.ml.frame import FLOWS, REACH, View
from vp_engine.signals.ml.models import Neighbours
from vp_engine.signals.ml.walk_forward import Step, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import MEAN, Moments, Returns, Slopes
from vp_engine.specs.runtime import VPRuntimeConfig

PROFILE_STEP = 10


class KnnClParams(WalkForwardParams):
    """Schedule and number of neighbours."""

    first_bins: Annotated[int, Field(ge=2)] = 1800
    refit_bins: Annotated[int, Field(ge=1)] = 300
    neighbours: Annotated[int, Field(ge=1)] = Field(11, description="past bins that vote, weighted by 1/distance")


class KnnClSignal(WalkForwardSignal):
    """Vote, up minus down, of the past bins with the most similar flow."""

    name = "knn_cl"
    prediction: ClassVar[Prediction] = "decision"
    columns = ("pressure_variant", "vacuum_variant", *FLOWS)
    Params: ClassVar[type[SignalParams]] = KnnClParams
    default_thresholds = (0.0, 0.1, 0.2, 0.3)
    n_features = 35
    model_type = Neighbours
    params: KnnClParams

    def __init__(self, params: KnnClParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._returns = Returns()
        self._slopes = Slopes((10, 50, 200), 1)
        self._return_means = Moments((20, 100, 600), n_moments=MEAN)

    def features(self, view: View) -> list[np.ndarray]:
        """Asymmetries (18); slopes of the summed velocity asymmetries (3); balance at every 10th k (11); mean
        returns (3)."""
        flows = view.asymmetries()
        total = np.zeros((view.n, 1))
        for at in range(2 * len(BANDS)):  # v_add and v_pull come first
            total[:, 0] += flows[:, at]
        return [
            flows,
            self._slopes.update(total),
            view.balance()[:, REACH % PROFILE_STEP :: PROFILE_STEP],
            self._return_means.update(self._returns.update(view.mid, view.bin_seq)),
        ]

    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> Neighbours | None:
        """Standardised rows and their labels; Euclidean distance."""
        from sklearn.neighbors import KNeighborsClassifier

        if len(rows) < self.params.neighbours:
            return None
        classifier = KNeighborsClassifier(self.params.neighbours, weights="distance", algorithm="brute", n_jobs=1)
        return Neighbours(fit_scaled(classifier, rows, labels, np.float32))
