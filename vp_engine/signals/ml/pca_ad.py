"""`pca_ad`: how unusual the profile of pressure minus vacuum is, in the direction that it leans."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, model_validator

from vp_engine.errors import DataError
from vp_engine.jit import kernel
from vp_engine.signals.base import Prediction, SignalParams
from vp_engine.signals.ml.fitting import fit_scaled
from vp_engine.signals.ml.frame import REACH, WIDTH, View
from vp_engine.signals.ml.models import Components, Model
from vp_engine.signals.ml.walk_forward import Step, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import RobustZs
from vp_engine.specs.runtime import VPRuntimeConfig

_RESIDUAL, _DISTANCE, _LEAN, _FLOW = range(4)  # columns of what is scored


@kernel
def blend_nb(z, lean_weight, flow_weight, tanh_scale, out):  # type: ignore[no-untyped-def]
    """Direction times anomaly. z float64 (m, 4), out float64 (m,) written."""
    for i in range(out.size):
        anomaly = 0.5 * max(z[i, _RESIDUAL], 0.0) + 0.5 * max(z[i, _DISTANCE], 0.0)
        lean = math.tanh(z[i, _LEAN] / tanh_scale)
        out[i] = (lean_weight * lean + flow_weight * math.tanh(z[i, _FLOW] / tanh_scale)) * anomaly


class PcaAdParams(WalkForwardParams):
    """Schedule, components and the weights of the direction. No labels are used."""

    first_bins: Annotated[int, Field(ge=2)] = 700
    refit_bins: Annotated[int, Field(ge=1)] = 100
    train_bins: Annotated[int, Field(ge=2)] | None = Field(600, description="latest bins that a fit uses; null: all")
    components: Annotated[int, Field(ge=1, le=WIDTH)] = Field(10, description="principal components kept")
    z_window_bins: Annotated[int, Field(ge=1)] = Field(300, description="window of the robust z of every part")
    tanh_scale: Annotated[float, Field(gt=0)] = Field(3.0, description="z at which a direction bends")
    lean_weight: float = Field(0.6, description="weight of the first component in the direction")
    flow_weight: float = Field(0.4, description="weight of the flow's balance in the direction")

    @model_validator(mode="after")
    def _fits(self) -> PcaAdParams:
        rows = self.first_bins if self.train_bins is None else min(self.first_bins, self.train_bins)
        if self.components > rows:
            raise ValueError(f"`components` must be <= the {rows} bins of the first fit, was {self.components}")
        return self


class PcaAdSignal(WalkForwardSignal):
    """Anomaly of the pressure profile against its own recent past, signed by the way it leans."""

    name = "pca_ad"
    prediction: ClassVar[Prediction] = "decision"
    columns = ("pressure_variant", "vacuum_variant", "v_add", "v_pull")
    supervised = False
    Params: ClassVar[type[SignalParams]] = PcaAdParams
    default_thresholds = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0)
    n_features = WIDTH + 1
    model_type = Components
    params: PcaAdParams

    def __init__(self, params: PcaAdParams, config: VPRuntimeConfig) -> None:
        super().__init__(params, config)
        self._z = RobustZs(params.z_window_bins, 4)

    @property
    def n_model_features(self) -> int:
        """The profile; the flow's balance stands beside it."""
        return WIDTH

    def features(self, view: View) -> list[np.ndarray]:
        """The profile (101) and mean v_add - v_pull of 50 rows, bid minus ask (1)."""
        sides = (view.side_sums("v_add", 1, REACH) - view.side_sums("v_pull", 1, REACH)) / REACH
        return [view.balance(), sides[:, :1] - sides[:, 1:]]

    def fit(self, rows: np.ndarray, labels: np.ndarray, step: Step) -> Components:
        """Principal components of the standardised profile by a full decomposition."""
        from sklearn.decomposition import PCA

        pca = PCA(self.params.components, svd_solver="full", random_state=self.params.seed)
        return Components(fit_scaled(pca, np.ascontiguousarray(rows[:, :WIDTH])))

    def speak(self, model: Model, rows: np.ndarray) -> np.ndarray:
        """Direction times anomaly, float64 (m,)."""
        if not isinstance(model, Components):
            raise DataError(f"signal `{self.name}` speaks by principal components, not {type(model).__name__}")
        parts = np.empty((len(rows), 4))
        parts[:, :_FLOW] = model.predict(np.ascontiguousarray(rows[:, :WIDTH]))
        parts[:, _LEAN] *= _up_is(model.components[0])
        parts[:, _FLOW] = rows[:, WIDTH]
        z = self._z.update(parts)
        out = np.empty(len(rows))
        blend_nb(z, self.params.lean_weight, self.params.flow_weight, self.params.tanh_scale, out)
        return out


def _up_is(loadings: np.ndarray) -> float:
    """+1 where the loadings of the bid side sum higher than those of the ask side, else -1."""
    bid, ask = float(loadings[:REACH][::-1].sum()), float(loadings[REACH + 1 :].sum())
    return 1.0 if bid > ask else -1.0
