"""ExperimentSpec: what is tried on the bins of a serving spec's pipeline, and how a winner is chosen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from vp_engine.errors import ConfigError
from vp_engine.specs.base import SpecModel, SpecName, Whole, refuse_unknown
from vp_engine.specs.runtime import SCORING_FIELDS
from vp_engine.units import parse_date

QUANTILES = "quantiles"  # thresholds from the calibration part of each dataset

Axis = Annotated[tuple[Any, ...], Field(min_length=1)]
Thresholds = Literal["quantiles"] | Annotated[tuple[float, ...], Field(min_length=1)]
Ticks = Annotated[float, Field(gt=0, le=1_000_000)]


DayRole = Literal["train", "test", "whole"]  # whole: the experiment makes no difference between its days


class DaysSpec(SpecModel):
    """Eastern dates to choose on and to report on."""

    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    @field_validator("train", "test")
    @classmethod
    def _dates(cls, days: tuple[str, ...], info: Any) -> tuple[str, ...]:
        try:
            return tuple(parse_date(day, f"days.{info.field_name}").isoformat() for day in days)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _disjoint(self) -> DaysSpec:
        days = [*self.train, *self.test]
        if not days:
            raise ValueError("`days` must name at least one day; leave it out for the capture's own")
        for day in days:
            if days.count(day) > 1:
                raise ValueError(f"`days` names {day} twice; a day is for choosing or for reporting, once")
        return self


class EvalSpec(SpecModel):
    """Triple barrier and detection. tp, sl and cooldown take a list to sweep, or one value."""

    tp_ticks: Annotated[tuple[Ticks, ...], Field(min_length=1)] = (8.0,)
    sl_ticks: Annotated[tuple[Ticks, ...], Field(min_length=1)] = (4.0,)
    max_hold_bins: Annotated[Whole, Field(ge=2)] = 1200
    warmup_bins: Whole = 300
    cooldown_bins: Annotated[tuple[Whole, ...], Field(min_length=1)] = (20,)
    entry_delay_bins: Whole = 1
    min_signals: Whole = 5
    fill: Literal["mid", "cross"] = "mid"
    fee_ticks: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    calibration_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @field_validator("tp_ticks", "sl_ticks", "cooldown_bins", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (int, float)) else value


class SweepSpec(SpecModel):
    """Axes of the sweep: scoring fields, parameters per signal, thresholds per signal (or `quantiles`)."""

    scoring: dict[str, Axis] = Field(default_factory=dict)
    per_signal: dict[str, dict[str, Axis]] = Field(default_factory=dict)
    thresholds: dict[str, Thresholds] = Field(default_factory=dict)

    @field_validator("thresholds", mode="before")
    @classmethod
    def _some(cls, thresholds: Any) -> Any:
        for signal, levels in thresholds.items() if isinstance(thresholds, dict) else ():
            if levels != QUANTILES and (not isinstance(levels, (list, tuple)) or not levels):
                raise ValueError(f"of `{signal}` must be a list of at least one number, or the word {QUANTILES}")
        return thresholds

    @field_validator("scoring")
    @classmethod
    def _known(cls, axes: dict[str, Any]) -> dict[str, Any]:
        refuse_unknown(axes, SCORING_FIELDS, "sweep.scoring")
        return axes


class SelectionSpec(SpecModel):
    """The column that a winner has most of, among rows with enough signals."""

    sort: SpecName = "net_mean_pnl_ticks"
    min_signals: Whole = 5


class ParallelSpec(SpecModel):
    """Workers of a sweep; None: as many as there are cores."""

    max_workers: Annotated[int, Field(ge=1, le=1000)] | None = None


class TrackingSpec(SpecModel):
    """Where a sweep is tracked."""

    backend: Literal["mlflow", "none"] = "mlflow"
    experiment_name: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)


class ExperimentSpec(SpecModel):
    """One sweep over one serving spec. pipelines: bins to try it on, instead of those of the serving spec's own."""

    name: SpecName
    description: str = ""
    serving: SpecName
    pipelines: Annotated[tuple[SpecName, ...], Field(min_length=1)] | None = None
    signals: Annotated[tuple[SpecName, ...], Field(min_length=1)] | None = None
    days: DaysSpec | None = None
    eval: EvalSpec = EvalSpec()
    sweep: SweepSpec = SweepSpec()
    selection: SelectionSpec = SelectionSpec()
    parallel: ParallelSpec = ParallelSpec()
    tracking: TrackingSpec = TrackingSpec()

    def role_of(self, day: str) -> DayRole:
        """What a day (ISO date) is for. Without train days every listed day is chosen on; a day that is not listed
        reports only, as a new day of a running experiment does."""
        if self.days is None:
            return "whole"
        chosen_on = self.days.train or self.days.test
        return "train" if day in chosen_on else "test"
