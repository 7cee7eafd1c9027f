"""`xgb_snap`: XGBoost on a snapshot of the grid near spot."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vp_engine.signals.base import Prediction, SignalParams
from vp_engine.signals.ml.fitting import one_thread, validation_split
from vp_engine.signals.ml.frame import REACH, View
from vp_engine.signals.ml.models import XgBoost
from vp_engine.signals.ml.walk_forward import Step, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import Moments, Returns
from vp_engine.specs.runtime import VPRuntimeConfig

SNAPSHOT = 25  # |k| of the snapshot
NEAR = 24  # |k| of the sums per side
FORCES = ("pressure_variant", "vacuum_variant")


class XgbSnapParams(WalkForwardParams):
    """Schedule and shape of the trees."""

    first_bins: Annotated[int, Field(ge=2)] = 3000
    refit_bins: Annotated[int, Field(ge=1)] = 600
    min_labels: Annotated[int, Field(ge=2)] = 50
    rounds: Annotated[int, Field(ge=1)] = Field(150, description="trees at most")
    patience: Annotated[int, Field(ge=1)] = Field(15, description="rounds without gain on the last fifth, then stop")
    depth: Annotated[int, Field(ge=1)] = Field(4, description="depth of a tree at most")
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    row_fraction: Annotated[float, Field(gt=0, le=1)] = Field(0.8, description="share of rows of each tree")
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = Field(0.6, description="share of features of each tree")
    min_child_weight: Annotated[float, Field(ge=0)] = Field(10.0, description="sum of curvature of a leaf at least")
    min_gain: Annotated[float, Field(ge=0)] = Field(0.1, description="gain of a split at least")


class XgbSnapSignal(WalkForwardSignal):
    """Probability of the upper barrier by XGBoost over the grid near spot."""

    name = "xgb_snap"
    prediction: ClassVar[Prediction] = "probability"
    columns = (*FORCES, "flow_score")
    Params: ClassVar[type[SignalParams]] = XgbSnapParams
    default_thresholds = (0.50, 0.52, 0.55, 0.58, 0.60, 0.65)
    n_features = 163
    model_type = XgBoost
    params: XgbSnapParams

    def __init__(self, params: XgbSnapParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._returns = Returns()
        self._return_moments = Moments((50, 200, 600))

    def features(self, view: View) -> list[np.ndarray]:
        """Pressure, vacuum and flow score at |k| <= 25 (153); mean and std of returns (6); sums of pressure and
        vacuum over |k| 1..24 per side (4)."""
        snapshot = slice(REACH - SNAPSHOT, REACH + SNAPSHOT + 1)
        return [
            *(view.profile(name)[:, snapshot] for name in self.columns),
            self._return_moments.update(self._returns.update(view.mid, view.bin_seq)),
            *(view.side_sums(name, 1, NEAR) for name in FORCES),
        ]

    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> XgBoost | None:
        """Log loss, stopped by the last fifth of the rows."""
        import xgboost as xgb

        n = validation_split(labels)
        if n is None:
            return None
        targets = (labels > 0).astype(np.float32)
        train = xgb.QuantileDMatrix(rows[:n], targets[:n], nthread=1)
        held_out = xgb.QuantileDMatrix(rows[n:], targets[n:], ref=train, nthread=1)
        params = {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_depth": self.params.depth,
            "eta": self.params.learning_rate,
            "subsample": self.params.row_fraction,
            "colsample_bytree": self.params.feature_fraction,
            "min_child_weight": self.params.min_child_weight,
            "gamma": self.params.min_gain,
            "seed": self.params.seed,
            "nthread": 1,
            "verbosity": 0,
        }
        with one_thread():
            booster = xgb.train(
                params,
                train,
                num_boost_round=self.params.rounds,
                evals=[(held_out, "held_out")],
                early_stopping_rounds=self.params.patience,
                verbose_eval=False,
            )
        return XgBoost(bytes(booster[: booster.best_iteration + 1].save_raw(raw_format="ubj")))
