"""CampaignSpec: many variants of one pipeline. `axes` are multiplied; each point is tried with every bundle, a set of
fields that change together. The base pipeline's own fields stay where neither names them.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, NamedTuple

from pydantic import Field, field_validator, model_validator

from vp_engine.errors import ConfigError
from vp_engine.hashing import canonical_json, sha256_text
from vp_engine.specs.base import SpecModel, SpecName, refuse_unknown
from vp_engine.specs.experiment import Axis
from vp_engine.specs.pipeline import PipelineSpec
from vp_engine.specs.runtime import PIPELINE_FIELDS, VPRuntimeConfig

MAX_VARIANTS = 500
_HEX = 8


class Variant(NamedTuple):
    """One pipeline of a campaign. bundle: its name, empty without bundles; fields: what differs from the base."""

    spec: PipelineSpec
    bundle: str
    fields: dict[str, Any]


class CampaignSpec(SpecModel):
    """Axes times bundles over a base pipeline; days None: the capture's own."""

    name: SpecName
    description: str = ""
    pipeline: SpecName
    days: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    axes: dict[str, Axis] = Field(default_factory=dict)
    bundles: dict[SpecName, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("axes")
    @classmethod
    def _known(cls, axes: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown(axes, PIPELINE_FIELDS, "axes")
        return axes

    @model_validator(mode="after")
    def _sound(self) -> CampaignSpec:
        if not self.axes and not self.bundles:
            raise ValueError("`axes` or `bundles` must name something to vary")
        for name, fields in self.bundles.items():
            refuse_unknown(fields, PIPELINE_FIELDS, f"bundles.{name}")
            twice = sorted(set(fields) & set(self.axes))
            if twice:
                raise ValueError(f"`{twice[0]}` stands in `axes` and in bundle `{name}`; it can be in one")
        return self

    def variants(self, base: PipelineSpec, lock: VPRuntimeConfig) -> list[Variant]:
        """Every distinct variant, in order of the axes; names are `<campaign>_<8 hex of the fields>`.

        ConfigError for a base of another name, a field that does not take a value, or too many variants.
        """
        if base.name != self.pipeline:
            raise ConfigError(f"campaign `{self.name}` is of pipeline `{self.pipeline}`, was given `{base.name}`")
        bundles = self.bundles or {"": {}}
        points = [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())]
        if len(points) * len(bundles) > MAX_VARIANTS:
            raise ConfigError(
                f"campaign `{self.name}` has {len(points) * len(bundles):,} variants; {MAX_VARIANTS} is the most"
            )
        found: dict[str, Variant] = {}
        for bundle, extra in bundles.items():
            for point in points:
                fields = {**point, **extra}
                merged = {**base.pipeline, **fields}
                name = f"{self.name}_{sha256_text(canonical_json(merged))[:_HEX]}"
                words = ", ".join(f"{key} {value}" for key, value in fields.items())
                spec = PipelineSpec(name=name, description=words, capture=base.capture, pipeline=merged)
                try:
                    spec.config(lock)
                except ConfigError as error:
                    raise ConfigError(f"campaign `{self.name}`, {words}: {error}") from None
                found.setdefault(name, Variant(spec, bundle, fields))
        return list(found.values())
