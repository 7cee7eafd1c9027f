"""`gbm_mf`: LightGBM on flow asymmetries, their slopes, the balance at spot and the moments of returns."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vp_engine.signals.base import Prediction, SignalParams
from vp_engine.signals.features import BANDS
from vp_engine.signals.ml.fitting import one_thread, validation_split
from vp_engine.signals.ml.frame import FLOWS, REACH, View
from vp_engine.signals.ml.models import LightGbm
from vp_engine.signals.ml.walk_forward import Step, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import SKEW, Moments, Returns, Slopes
from vp_engine.specs.runtime import VPRuntimeConfig


class GbmMfParams(WalkForwardParams):
    """Schedule and shape of the trees."""

    first_bins: Annotated[int, Field(ge=2)] = 2400
    refit_bins: Annotated[int, Field(ge=1)] = 600
    min_labels: Annotated[int, Field(ge=2)] = 40
    rounds: Annotated[int, Field(ge=1)] = Field(200, description="trees at most")
    patience: Annotated[int, Field(ge=1)] = Field(20, description="rounds without gain on the last fifth, then stop")
    leaves: Annotated[int, Field(ge=2)] = Field(31, description="leaves of a tree at most")
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = Field(0.8, description="share of features of each tree")
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = Field(0.8, description="share of rows, drawn every 5 trees")
    min_child_rows: Annotated[int, Field(ge=1)] = Field(20, description="rows of a leaf at least")


class GbmMfSignal(WalkForwardSignal):
    """Probability of the upper barrier by LightGBM over many features of the flow."""

    name = "gbm_mf"
    prediction: ClassVar[Prediction] = "probability"
    columns = ("pressure_variant", "vacuum_variant", *FLOWS)
    Params: ClassVar[type[SignalParams]] = GbmMfParams
    default_thresholds = (0.50, 0.52, 0.55, 0.58, 0.60, 0.65)
    n_features = 53
    model_type = LightGbm
    params: GbmMfParams

    def __init__(self, params: GbmMfParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._returns = Returns()
        self._slopes = Slopes((50,), len(FLOWS) * len(BANDS))
        self._balance_moments = Moments((50, 300))
        self._return_moments = Moments((50, 200, 600), n_moments=SKEW)
        self._touch_moments = Moments((200,))

    def features(self, view: View) -> list[np.ndarray]:
        """Asymmetries (18) and their slopes (18); balance at k = 0 (5); moments of returns (9); pressure beside the
        middle, ask minus bid (3)."""
        flows = view.asymmetries()
        pressure = view.profile("pressure_variant")
        balance = view.balance()[:, REACH, None].astype(np.float64)
        touch = pressure[:, REACH + 1, None].astype(np.float64) - pressure[:, REACH - 1, None]
        return [
            flows,
            self._slopes.update(flows),
            balance,
            self._balance_moments.update(balance),
            self._return_moments.update(self._returns.update(view.mid, view.bin_seq)),
            touch,
            self._touch_moments.update(touch),
        ]

    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> LightGbm | None:
        """Log loss, stopped by the last fifth of the rows."""
        import lightgbm as lgb

        n = validation_split(labels)
        if n is None:
            return None
        params = {
            "objective": "binary",
            "num_leaves": self.params.leaves,
            "learning_rate": self.params.learning_rate,
            "feature_fraction": self.params.feature_fraction,
            "bagging_fraction": self.params.bagging_fraction,
            "bagging_freq": 5,
            "min_data_in_leaf": self.params.min_child_rows,
            "seed": self.params.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        targets = (labels > 0).astype(np.float32)
        train = lgb.Dataset(rows[:n], targets[:n], params=params)
        held_out = lgb.Dataset(rows[n:], targets[n:], reference=train, params=params)
        with one_thread():
            booster = lgb.train(
                params,
                train,
                num_boost_round=self.params.rounds,
                valid_sets=[held_out],
                callbacks=[lgb.early_stopping(self.params.patience, verbose=False)],
            )
        return LightGbm(booster.model_to_string(num_iteration=booster.best_iteration))
