"""The resolved configuration of an engine run, and the instrument lock it starts from.

Times in the names' units; ticks and bins are counts. Precedence: instrument file < spec < overrides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, computed_field, field_validator, model_validator

from vp_engine.errors import ConfigError
from vp_engine.hashing import SHORT, canonical_json, sha256_text
from vp_engine.specs.base import SpecModel, check_keys, load_yaml_spec
from vp_engine.units import NS_PER_MS, PRICE_SCALE, tick_int

PACKAGED_INSTRUMENT = Path(__file__).with_name("instrument.yaml")
ANCHOR_MARGIN_TICKS = 512  # the book re-anchors when the mid comes this near to an edge of its slots

ENGINE_FIELDS = (
    "cell_width_ms", "grid_radius_ticks", "n_absolute_ticks", "warmup_hours",
    "tau_velocity", "tau_acceleration", "tau_jerk", "tau_rest_decay",
    "c1_v_add", "c2_v_rest_pos", "c3_a_add", "c4_v_pull", "c5_v_fill", "c6_v_rest_neg", "c7_a_pull",
)  # fmt: skip
SPECTRUM_FIELDS = ("spectrum_windows", "spectrum_weights")
LABEL_FIELDS = ("state5_rule",)
PIPELINE_FIELDS = (*ENGINE_FIELDS, *SPECTRUM_FIELDS, *LABEL_FIELDS)
SCORING_FIELDS = ("zscore_window_bins", "zscore_min_periods", "derivative_weights", "tanh_scale", "threshold_neutral")
PROJECTION_PREFIX = "projection_"
PROJECTION_FIELDS = ("horizons_bins", "use_cubic", "cubic_scale", "damping_lambda")
STATE_MODEL_PREFIX = "state_model_"
COMPUTED_FIELDS = ("projection_horizons_ms", "config_version")

_CONTINUOUS = re.compile(r"([A-Z0-9]+)\.[a-z]\.\d+")
_SYMBOL = re.compile(r"[A-Z0-9](?:[\x20-\x7e]{0,68}[\x21-\x7e])?")  # as a DBN file has room for

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=100_000)]  # bins: what a window remembers must find room in memory


class VPRuntimeConfig(SpecModel):
    """Every parameter of one run, resolved and checked; hashable, and equal if all fields are."""

    product_type: Literal["future_mbo", "equity_mbo"]
    symbol: str
    symbol_root: Annotated[str, Field(pattern=r"^[A-Z0-9]+$")]
    tick_size: Positive
    contract_multiplier: Positive
    bucket_size_dollars: Positive | None = None
    dataset: Annotated[str, Field(pattern=r"^[A-Z0-9]+(\.[A-Z0-9]+)*$")] = "GLBX.MDP3"

    cell_width_ms: Annotated[int, Field(ge=1, le=86_400_000)] = 100
    grid_radius_ticks: Annotated[int, Field(ge=1, le=2000)] = 50
    n_absolute_ticks: Annotated[int, Field(ge=1, le=2**22)] = 8192
    warmup_hours: Annotated[float, Field(ge=0, le=24)] = 0.5
    tau_velocity: Positive = 2.0
    tau_acceleration: Positive = 5.0
    tau_jerk: Positive = 10.0
    tau_rest_decay: Positive = 30.0
    c1_v_add: float = 1.0
    c2_v_rest_pos: float = 0.5
    c3_a_add: float = 0.3
    c4_v_pull: float = 1.0
    c5_v_fill: float = 1.5
    c6_v_rest_neg: float = 0.5
    c7_a_pull: float = 0.3

    spectrum_windows: Annotated[tuple[Count, ...], Field(min_length=1)] = (5, 10, 20, 40)
    spectrum_weights: tuple[Annotated[float, Field(ge=0)], ...] = (1.0, 1.0, 1.0, 1.0)
    state5_rule: Literal["mirror", "seed"] = "mirror"

    zscore_window_bins: Count = 300
    zscore_min_periods: Count = 75
    derivative_weights: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=3, max_length=3)] = (
        0.55, 0.30, 0.15,
    )  # fmt: skip
    tanh_scale: Positive = 3.0
    threshold_neutral: Annotated[float, Field(ge=0)] = 0.15

    projection_horizons_bins: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 3, 4)
    projection_use_cubic: bool = False
    projection_cubic_scale: float = 1 / 6
    projection_damping_lambda: Annotated[float, Field(ge=0)] = 0.0

    state_model_zscore_window_bins: Count = 240
    state_model_zscore_min_periods: Count = 60
    state_model_tanh_scale: Positive = 3.0
    state_model_d1_weight: float = 1.0
    state_model_d2_weight: float = 0.0
    state_model_d3_weight: float = 0.0
    state_model_bull_pressure_weight: float = 1.0
    state_model_bull_vacuum_weight: float = 1.0
    state_model_bear_pressure_weight: float = 1.0
    state_model_bear_vacuum_weight: float = 1.0
    state_model_mixed_weight: float = 0.0
    state_model_enable_weighted_blend: bool = False
    state_model_center_exclusion_radius: Annotated[int, Field(ge=0)] = 0
    state_model_spatial_decay_power: Annotated[float, Field(ge=0)] = 0.0

    @field_validator("symbol")
    @classmethod
    def _one_contract(cls, symbol: str) -> str:
        if _CONTINUOUS.fullmatch(symbol):
            raise ValueError(f"`symbol` must name one contract, such as MNQH6; {symbol} is a continuous symbol")
        if not _SYMBOL.fullmatch(symbol):
            raise ValueError(
                "`symbol` must be a raw symbol as Databento writes it, at most 70 characters that begin with a capital "
                f"letter or a digit, such as MNQH6, was {symbol!r}"
            )
        return symbol

    @model_validator(mode="after")
    def _consistent(self) -> VPRuntimeConfig:
        for low, high in (("tau_velocity", "tau_acceleration"), ("tau_acceleration", "tau_jerk")):
            if not getattr(self, low) < getattr(self, high):
                raise ValueError(f"`{low}` must be < `{high}`, was {getattr(self, low)} against {getattr(self, high)}")
        if self.product_type == "equity_mbo" and self.bucket_size_dollars is None:
            raise ValueError("`bucket_size_dollars` is missing; equity_mbo uses it as its tick")
        least_slots = 2 * (ANCHOR_MARGIN_TICKS + self.grid_radius_ticks + 1)
        if self.n_absolute_ticks % 2 or self.n_absolute_ticks < least_slots:
            raise ValueError(f"`n_absolute_ticks` must be even and at least {least_slots}, was {self.n_absolute_ticks}")
        if len(self.spectrum_weights) != len(self.spectrum_windows):
            raise ValueError(
                f"`spectrum_weights` must have one weight per window ({len(self.spectrum_windows)}), "
                f"had {len(self.spectrum_weights)}"
            )
        for prefix in ("", STATE_MODEL_PREFIX):
            low, high = f"{prefix}zscore_min_periods", f"{prefix}zscore_window_bins"
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"`{low}` must be <= `{high}`, was {getattr(self, low)} against {getattr(self, high)}")
        if len(set(self.projection_horizons_bins)) != len(self.projection_horizons_bins):
            raise ValueError("`projection_horizons_bins` must not repeat a horizon")
        if self.state_model_center_exclusion_radius >= self.grid_radius_ticks:
            raise ValueError("`state_model_center_exclusion_radius` must be < `grid_radius_ticks`")
        weights = {
            "spectrum_weights": self.spectrum_weights,
            "derivative_weights": self.derivative_weights,
            "state_model_d1_weight..d3_weight": tuple(self.state_model[f"d{i}_weight"] for i in (1, 2, 3)),
        }
        for name, values in weights.items():
            if not any(values):
                raise ValueError(f"`{name}` must not all be 0")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def projection_horizons_ms(self) -> tuple[int, ...]:
        """Projection horizons in ms."""
        return tuple(bins * self.cell_width_ms for bins in self.projection_horizons_bins)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def config_version(self) -> str:
        """12 hex over every other field."""
        return sha256_text(canonical_json(self.parameters()))[:SHORT]

    def parameters(self) -> dict[str, Any]:
        """Every field that is set, computed ones left out: `VPRuntimeConfig.parse` takes it back."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def dataset_params(self) -> dict[str, Any]:
        """What a dataset's numbers depend on: symbol, tick, engine, spectrum and label fields."""
        return {
            "symbol": self.symbol,
            "tick_int": self.tick_int,
            **{name: getattr(self, name) for name in PIPELINE_FIELDS},
        }

    @property
    def tick_int(self) -> int:
        """Tick in price units of 1e-9 dollars; the bucket for equities."""
        if self.product_type == "equity_mbo" and self.bucket_size_dollars is not None:
            return tick_int(self.bucket_size_dollars)
        return tick_int(self.tick_size)

    @property
    def tick_dollars(self) -> float:
        """Dollars that one contract (or share) gains per tick."""
        return self.tick_int * PRICE_SCALE * self.contract_multiplier

    @property
    def price_decimals(self) -> int:
        """Decimals that show every multiple of the tick exactly."""
        text = f"{self.tick_int:09d}"
        return len(text[-9:].rstrip("0"))

    @property
    def rows(self) -> int:
        """Rows of the grid, 2R + 1."""
        return 2 * self.grid_radius_ticks + 1

    @property
    def bin_ns(self) -> int:
        """Bin width in ns."""
        return self.cell_width_ms * NS_PER_MS

    @property
    def dt_s(self) -> float:
        """Bin width in seconds."""
        return self.cell_width_ms / 1000.0

    @property
    def taus(self) -> tuple[float, float, float, float]:
        """Time constants in s: velocity, acceleration, jerk, rest."""
        return (self.tau_velocity, self.tau_acceleration, self.tau_jerk, self.tau_rest_decay)

    @property
    def forces(self) -> tuple[float, float, float, float, float, float, float]:
        """Weights c1..c7 of the two forces."""
        return (
            self.c1_v_add, self.c2_v_rest_pos, self.c3_a_add, self.c4_v_pull,
            self.c5_v_fill, self.c6_v_rest_neg, self.c7_a_pull,
        )  # fmt: skip

    @property
    def state_model(self) -> dict[str, Any]:
        """Parameters of the state model without their prefix."""
        return {name: getattr(self, STATE_MODEL_PREFIX + name) for name in STATE_MODEL_FIELDS}


STATE_MODEL_FIELDS = tuple(
    name.removeprefix(STATE_MODEL_PREFIX)
    for name in VPRuntimeConfig.model_fields
    if name.startswith(STATE_MODEL_PREFIX)
)


def load_instrument(path: Path | None = None) -> VPRuntimeConfig:
    """The instrument lock from its file, the packaged one by default."""
    return load_yaml_spec(path or PACKAGED_INSTRUMENT, VPRuntimeConfig)


def check_instrument(lock: VPRuntimeConfig, product_type: str, symbol: str) -> None:
    """ConfigError unless the lock is this instrument; a continuous symbol is answered with the contract it means."""
    if product_type != lock.product_type:
        raise ConfigError(
            f"`product_type` must be {lock.product_type}, as the instrument file says, was {product_type!r}"
        )
    if symbol == lock.symbol:
        return
    continuous = _CONTINUOUS.fullmatch(symbol)
    if continuous and continuous[1] == lock.symbol_root:
        raise ConfigError(f"`symbol` {symbol} is a continuous symbol; here it means {lock.symbol}: ask for that")
    if continuous:
        raise ConfigError(f"`symbol` {symbol} is a continuous symbol; the instrument is the one contract {lock.symbol}")
    raise ConfigError(
        f"`symbol` must be {lock.symbol}, as the instrument file says, was {symbol!r}; "
        "VP_INSTRUMENT_CONFIG_PATH names another instrument file"
    )


def resolve_config(product_type: str, symbol: str, path: Path | None = None) -> VPRuntimeConfig:
    """The lock's configuration for this instrument; ConfigError on any other."""
    lock = load_instrument(path)
    check_instrument(lock, product_type, symbol)
    return lock


def build_config_with_overrides(config: VPRuntimeConfig, overrides: Mapping[str, Any]) -> VPRuntimeConfig:
    """A new configuration with these fields replaced and checked; ConfigError on an unknown or computed key."""
    for key in COMPUTED_FIELDS:
        if key in overrides:
            raise ConfigError(f"`{key}` is computed and cannot be set")
    check_keys(overrides, VPRuntimeConfig.model_fields, "overrides")
    return VPRuntimeConfig.parse({**config.parameters(), **overrides})
