"""PipelineSpec: what is computed. A capture, and engine or spectrum fields that differ from the instrument's."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field, field_validator

from vp_engine.errors import ConfigError
from vp_engine.specs.base import SpecModel, SpecName, refuse_unknown
from vp_engine.specs.capture import Capture, resolve_capture
from vp_engine.specs.runtime import PIPELINE_FIELDS, VPRuntimeConfig, build_config_with_overrides, check_instrument
from vp_engine.units import parse_clock, parse_date


class CaptureSpec(SpecModel):
    """Instrument, Eastern date (None: every day) and clock window of a pipeline."""

    product_type: str
    symbol: str
    dt: str | None = None
    start_time: str
    end_time: str

    @field_validator("dt")
    @classmethod
    def _date(cls, text: str | None) -> str | None:
        try:
            return None if text is None else parse_date(text).isoformat()
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @field_validator("start_time", "end_time")
    @classmethod
    def _clock(cls, text: str, info: Any) -> str:
        try:
            parse_clock(text, info.field_name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return text


class PipelineSpec(SpecModel):
    """One capture with its engine parameters."""

    name: SpecName
    description: str = ""
    capture: CaptureSpec
    pipeline: dict[str, Any] = Field(default_factory=dict)

    @field_validator("pipeline")
    @classmethod
    def _known(cls, fields: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown(fields, PIPELINE_FIELDS, "pipeline")
        return fields

    def config(self, base: VPRuntimeConfig) -> VPRuntimeConfig:
        """The instrument's configuration with this pipeline's fields; ConfigError on another instrument."""
        check_instrument(base, self.capture.product_type, self.capture.symbol)
        return build_config_with_overrides(base, self.pipeline)

    def day(self, day: str | dt.date | None = None) -> dt.date:
        """The Eastern date to run: the spec's own, else `day`; ConfigError if neither or if they differ."""
        asked = parse_date(day) if isinstance(day, str) else day
        own = parse_date(self.capture.dt) if self.capture.dt is not None else None
        if own is None and asked is None:
            raise ConfigError(f"pipeline `{self.name}` has no `dt` of its own; name a day")
        if own is not None and asked is not None and own != asked:
            raise ConfigError(f"pipeline `{self.name}` has the one day {own}, was asked for {asked}")
        result = own or asked
        assert result is not None
        return result

    def resolve(self, base: VPRuntimeConfig, day: str | dt.date | None = None) -> Capture:
        """The capture of one day, in UTC."""
        return resolve_capture(self.config(base), self.day(day), self.capture.start_time, self.capture.end_time)
