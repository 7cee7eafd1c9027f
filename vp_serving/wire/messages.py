"""The wire, once: every message of the stream and how its fields are spelled in JSON.

64-bit integers (times, prices, event ids) are decimal strings, because JavaScript numbers lose them; counts and bin
numbers are numbers; flags are booleans; what does not exist is null. Nothing here computes. The TypeScript types of
the frontend are generated from these models (`python -m vp_serving.typescript`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from vp_engine.schema import BIN_FIELDS, STATE_MODEL_FIELDS
from vp_engine.schema import Field as SchemaField
from vp_engine.specs.runtime import VPRuntimeConfig

STREAM_PATH = "/v1/vacuum-pressure/stream"
SUBPROTOCOL = "vp.v1"  # what the server selects; a client adds TOKEN_SUBPROTOCOL + token beside it
TOKEN_SUBPROTOCOL = "vp.token."
CLOSE_NORMAL, CLOSE_REFUSED, CLOSE_INTERNAL, CLOSE_TRY_LATER = 1000, 1008, 1011, 1013

Int64 = Annotated[str, Field(pattern=r"^-?\d{1,19}$", description="64-bit integer as a decimal string")]

ErrorCode = Literal[
    "unknown_parameter",  # a query parameter that does not exist
    "bad_value",  # a query parameter whose value cannot be used
    "unsupported",  # a known parameter with a value this service refuses
    "not_found",  # a name, address, day or file that is not there
    "bad_config",
    "bad_data",
    "bad_book",
    "bad_lake",
    "bad_signal",
    "error",
    "unauthorized",  # a token is wanted and none or a wrong one came
    "too_many_streams",
    "bad_message",  # a client message that is not in this protocol; it is ignored
    "internal",
]


class Wire(BaseModel):
    """Base of all messages: closed, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Base = TypeVar("Base", bound=Wire)


def message_type(name: str, doc: str, base: type[Base], fields: dict[str, Any]) -> type[Base]:
    """A message with the fields of `base` and those of a schema: (annotation, default or Field) by name. Its static
    type is `base`; build one with keywords that `base` declares, or with `model_validate`."""
    return create_model(name, __base__=base, __doc__=doc, **fields)


class StateModel(Wire):
    """Parameters of the state model (engine config `state_model_*`, prefix removed)."""

    name: str
    zscore_window_bins: int
    zscore_min_periods: int
    tanh_scale: float
    d1_weight: float
    d2_weight: float
    d3_weight: float
    bull_pressure_weight: float
    bull_vacuum_weight: float
    bear_pressure_weight: float
    bear_vacuum_weight: float
    mixed_weight: float
    enable_weighted_blend: bool
    center_exclusion_radius: int
    spatial_decay_power: float


class ProjectionModel(Wire):
    """How `proj_score_h<ms>` columns are made; `horizons_ms` names them in order."""

    source: Literal["backend"]
    horizons_bins: list[int]
    horizons_ms: list[int]
    use_cubic: bool
    cubic_scale: float
    damping_lambda: float


class ServingSignal(Wire):
    """The signal that a serving spec streams; `threshold` is null when none is pinned (then nothing fires)."""

    name: str
    params: dict[str, Any]
    threshold: float | None
    cooldown_bins: int


class ActiveServing(Wire):
    """The serving spec behind a stream. `run_id` is set when it was derived from a result row."""

    name: str
    description: str
    pipeline: str
    signal: ServingSignal | None
    run_id: str | None
    promoted: dict[str, Any] | None


class CaptureWindow(Wire):
    """The window that is replayed; times of day are US/Eastern."""

    dt: str
    start_time: str
    end_time: str
    start_ns: Int64
    end_ns: Int64
    n_bins: int


class Addresses(Wire):
    """Addresses of what is replayed, 64 hex digits each; `raw` has one per UTC day read."""

    dataset: str
    book: str | None
    raw: list[str]


class Needed(Wire):
    """Bins that a value needs before it can differ from 0 (of a signal: before it can fire)."""

    needed: int


class Warmup(Wire):
    """Warm-up of each value on the stream; `signal` is null when none is active."""

    state_model: Needed
    flow_score: Needed
    signal: Needed | None


class _StreamFacts(Wire):
    """What `runtime_config` says beside the engine's configuration."""

    type: Literal["runtime_config"] = "runtime_config"
    price_decimals: int
    tick_int: Int64
    capture: CaptureWindow
    speed: float
    from_bin: int
    source: Literal["dataset", "engine"]
    dataset_id: str | None
    addresses: Addresses
    stream_format: Literal["dense_grid"] = "dense_grid"
    grid_schema_fields: list[str]
    grid_rows: int
    state_model: StateModel
    projection_model: ProjectionModel
    serving: ActiveServing | None
    warmup: Warmup


def config_fields() -> dict[str, Any]:
    """Every field of VPRuntimeConfig, computed ones included, as (annotation, ...) pairs."""
    declared = {name: (field.annotation, ...) for name, field in VPRuntimeConfig.model_fields.items()}
    computed = {name: (field.return_type, ...) for name, field in VPRuntimeConfig.model_computed_fields.items()}
    return declared | computed


def _bin_type(field: SchemaField) -> Any:
    if field.name == "book_valid":
        return bool
    if is_int64_text(field):
        return Int64
    return float if field.dtype.startswith("f") else int


def is_int64_text(field: SchemaField) -> bool:
    """Whether a per-bin field is spelled as a decimal string."""
    return field.dtype == "i8" and (field.name.endswith(("_ns", "_price_int")) or field.name == "event_id")


# Bin fields of the JSON message, in its order; the others are columns of the Arrow table.
_UPDATE_NAMES = (
    "ts_ns", "bin_seq", "bin_start_ns", "bin_end_ns", "bin_event_count", "event_id",
    "mid_price", "spot_ref_price_int", "best_bid_price_int", "best_ask_price_int", "book_valid",
    "trade_count", "buy_volume", "sell_volume",
)  # fmt: skip
_BY_NAME = {field.name: field for field in BIN_FIELDS}
UPDATE_FIELDS: tuple[SchemaField, ...] = tuple(_BY_NAME[name] for name in _UPDATE_NAMES)


class SignalValue(Wire):
    """The active signal in this bin; value is null where it has none. `fired` is the direction of a firing. `behind`:
    bins it has still to work through before it can speak of this one, as after a seek far ahead; 0 where it speaks."""

    name: str
    value: float | None
    threshold: float | None
    fired: Literal[-1, 0, 1]
    behind: int


class StreamError(Wire):
    """Why a stream was refused or ended, or why a client message was ignored. `parameter` is the query's, if one is."""

    type: Literal["error"] = "error"
    code: ErrorCode
    message: str
    parameter: str | None = None


class Warming(Wire):
    """The stream has to wait for something: before `runtime_config`, or before its first bin and after a seek. `what`
    says for what; `behind`, where it is known, how many bins have to be computed first. May come again and again."""

    type: Literal["warming"] = "warming"
    what: str
    behind: int | None = None


class End(Wire):
    """The last message: the capture is over. `bins` were sent, `dropped` were skipped for this client."""

    type: Literal["end"] = "end"
    reason: Literal["complete"] = "complete"
    bins: int
    dropped: int


class Pause(Wire):
    """Hold the replay."""

    type: Literal["pause"] = "pause"


class Resume(Wire):
    """Go on after a pause."""

    type: Literal["resume"] = "resume"


class Speed(Wire):
    """Replay at `value` times market time, 0 as fast as the client reads."""

    type: Literal["speed"] = "speed"
    value: float = Field(ge=0, le=1e6, allow_inf_nan=False, strict=True)


class Seek(Wire):
    """Go on at the bin that holds `ts_ns`."""

    type: Literal["seek"] = "seek"
    ts_ns: Int64


RuntimeConfig = message_type(
    "RuntimeConfig",
    "First message: the engine's configuration, flat, and what is streamed.",
    _StreamFacts,
    config_fields(),
)

GridUpdate = message_type(
    "GridUpdate",
    "One bin; the binary message that follows is its grid as an Arrow IPC stream of `grid_rows` rows.",
    Wire,
    {
        "type": (Literal["grid_update"], ...),
        **{field.name: (_bin_type(field), Field(description=field.meaning)) for field in UPDATE_FIELDS},
        "state_model_name": (str, ...),
        **{
            f"state_model_{field.name}": (
                bool if field.name == "ready" else float if field.dtype == "f8" else int,
                Field(description=field.meaning),
            )
            for field in STATE_MODEL_FIELDS
        },
        "signal": (SignalValue | None, Field(description="null when the stream has no signal")),
        "dropped": (int, Field(description="bins skipped for this client since the last one it got")),
    },
)

ServerMessage = (Warming, RuntimeConfig, GridUpdate, End, StreamError)
ClientMessage = Annotated[Pause | Resume | Speed | Seek, Field(discriminator="type")]
CLIENT_MESSAGE: TypeAdapter[Pause | Resume | Speed | Seek] = TypeAdapter(ClientMessage)
