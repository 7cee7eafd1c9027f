"""ServingSpec: how a pipeline's bins are scored and streamed. Promoted specs have the same shape and say why."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from vp_engine.errors import ConfigError
from vp_engine.specs.base import SpecModel, SpecName, Whole, refuse_unknown
from vp_engine.specs.pipeline import PipelineSpec
from vp_engine.specs.runtime import (
    PROJECTION_FIELDS,
    PROJECTION_PREFIX,
    SCORING_FIELDS,
    STATE_MODEL_FIELDS,
    STATE_MODEL_PREFIX,
    VPRuntimeConfig,
    build_config_with_overrides,
)

_BLOCKS = {"scoring": SCORING_FIELDS, "state_model": STATE_MODEL_FIELDS, "projection": PROJECTION_FIELDS}


class SignalSpec(SpecModel):
    """The signal that a stream computes and fires on; threshold None: it is shown and never fires."""

    name: SpecName
    params: dict[str, Any] = Field(default_factory=dict)
    threshold: float | None = None
    cooldown_bins: Whole = 20


class PromotionRecord(SpecModel):
    """Where a promoted spec comes from: the run, the data it was judged on, and what it did there."""

    experiment: SpecName
    serving: SpecName
    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    threshold: float
    dataset_address: Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
    models: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None  # of a signal that learns
    signal_version: str | None = None  # code version of the signal that was judged; None: written before it was kept
    eval: dict[str, Any] = Field(default_factory=dict)
    selection: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)
    train_days: tuple[str, ...] = ()  # chosen on; empty for an experiment that makes no difference between its days
    test_days: tuple[str, ...] = ()  # reported only
    test_figures: dict[str, Any] = Field(default_factory=dict)  # of all test days together; empty without any


class ServingSpec(SpecModel):
    """One pipeline with scoring, state model, projection and at most one signal."""

    name: SpecName
    description: str = ""
    pipeline: SpecName
    scoring: dict[str, Any] = Field(default_factory=dict)
    state_model: dict[str, Any] = Field(default_factory=dict)
    signal: SignalSpec | None = None
    projection: dict[str, Any] = Field(default_factory=dict)
    promoted: PromotionRecord | None = None

    @field_validator(*_BLOCKS)
    @classmethod
    def _known(cls, fields: dict[str, Any], info: Any) -> dict[str, Any]:
        refuse_unknown(fields, _BLOCKS[info.field_name], info.field_name)
        return fields

    def overrides(self) -> dict[str, Any]:
        """This spec's fields under their names in the runtime config."""
        return {
            **self.scoring,
            **{STATE_MODEL_PREFIX + key: value for key, value in self.state_model.items()},
            **{PROJECTION_PREFIX + key: value for key, value in self.projection.items()},
        }

    def config(self, base: VPRuntimeConfig, pipeline: PipelineSpec) -> VPRuntimeConfig:
        """The pipeline's configuration with this spec's fields; ConfigError if it is not this spec's pipeline."""
        if pipeline.name != self.pipeline:
            raise ConfigError(f"serving spec `{self.name}` is of pipeline `{self.pipeline}`, not `{pipeline.name}`")
        return build_config_with_overrides(pipeline.config(base), self.overrides())
