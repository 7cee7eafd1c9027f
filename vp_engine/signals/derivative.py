"""`derivative`: the state model's score, from the balance of bull and bear rows and its change.

The formula lives in `vp_engine.spectrum.state5` and is the one the stream shows as `state_model_score`; here it has
parameters of its own, with the defaults of research rather than of the screen (window 300, at least 75 samples).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from vp_engine.errors import ConfigError
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal, SignalParams
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams


class DerivativeParams(SignalParams):
    """Windows in bins; weights of the three differences, the four states, and the mixed rows."""

    zscore_window_bins: Annotated[int, Field(ge=1)] = 300
    zscore_min_periods: Annotated[int, Field(ge=1)] = 75
    tanh_scale: Annotated[float, Field(gt=0)] = 3.0
    d1_weight: float = 1.0
    d2_weight: float = 0.0
    d3_weight: float = 0.0
    bull_pressure_weight: float = 1.0
    bull_vacuum_weight: float = 1.0
    bear_pressure_weight: float = 1.0
    bear_vacuum_weight: float = 1.0
    mixed_weight: float = 0.0
    enable_weighted_blend: bool = False
    center_exclusion_radius: Annotated[int, Field(ge=0)] = 0
    spatial_decay_power: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> DerivativeParams:
        if self.zscore_min_periods > self.zscore_window_bins:
            raise ValueError(
                f"`zscore_min_periods` must be <= `zscore_window_bins`, "
                f"was {self.zscore_min_periods} against {self.zscore_window_bins}"
            )
        if not (self.d1_weight or self.d2_weight or self.d3_weight):
            raise ValueError("`d1_weight`, `d2_weight` and `d3_weight` must not all be 0")
        return self


class DerivativeSignal(Signal):
    """Change of the balance between bull and bear rows, as a robust z squashed to -1..1."""

    name = "derivative"
    columns = ("state5_code",)
    Params: ClassVar[type[SignalParams]] = DerivativeParams
    default_thresholds = (0.03, 0.05, 0.08, 0.10, 0.15, 0.20)

    def __init__(self, params: DerivativeParams, config: VPRuntimeConfig) -> None:
        """ConfigError where the centre that is left out covers the whole grid."""
        super().__init__(params, config)
        radius, excluded = config.grid_radius_ticks, params.center_exclusion_radius
        if excluded >= radius:
            raise ConfigError(f"`center_exclusion_radius` must be < `grid_radius_ticks` ({radius}), was {excluded}")
        self._needed = params.zscore_min_periods
        self._model = DerivativeRuntime(StateModelParams(**params.model_dump()), config.dt_s, radius)

    @property
    def needed_bins(self) -> int:
        """Samples before any z differs from 0."""
        return self._needed

    @property
    def memory_bins(self) -> int:
        """A window and what its differences reach back."""
        return self._model.memory_bins

    def begin_after(self, n_valid: int) -> None:
        """See Signal."""
        self._model.begin_after(n_valid)

    @classmethod
    def spec_params(cls, state_model: Mapping[str, Any]) -> dict[str, Any]:
        """The state model is this signal: what a serving spec says of one holds for the other."""
        return dict(state_model)

    def update(self, block: BinBlock, scores: Scores | None = None) -> np.ndarray:
        """Scores float64 (n,) in -1..1, 0 on invalid bins."""
        model = self._model.update(block.state5, np.ascontiguousarray(block.bins["book_valid"]))
        return np.ascontiguousarray(model["score"])
