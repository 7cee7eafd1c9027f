"""Bodies of the REST responses. Spelling as on the stream: 64-bit integers are decimal strings, absence is null."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from vp_serving.protocol import Int64, Wire, config_fields


class Problem(BaseModel):
    """An RFC 9457 problem; served as application/problem+json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="as in a stream error")
    instance: str | None = Field(None, description="path of the request")


class Health(Wire):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(Wire):
    """Whether streams can be served; each check says "ok" or what is wrong."""

    ready: bool
    checks: dict[str, str]


class SignalEntry(Wire):
    """One signal of the registry."""

    name: str
    kind: str
    prediction: str
    columns: list[str]
    params: dict[str, Any]
    thresholds: list[float]


class Signals(Wire):
    """Every registered signal, by name."""

    signals: list[SignalEntry]


class DatasetEntry(Wire):
    """One materialised capture."""

    dataset_id: str
    address: str
    pipeline: str
    product_type: str
    symbol: str
    dt: str
    start_time: str
    end_time: str
    start_ns: Int64
    end_ns: Int64
    n_bins: int
    rows: int
    bytes: int
    streaming_url: str


class Datasets(Wire):
    """Every complete dataset of the lake, newest capture first."""

    datasets: list[DatasetEntry]


class DatasetDetail(DatasetEntry):
    """One dataset with its manifest: parameters, inputs, counters."""

    manifest: dict[str, Any]


class ServingEntry(Wire):
    """One serving spec. `can_stream` is false with a `reason` when its capture is not in the lake."""

    name: str
    description: str
    origin: Literal["authored", "promoted"]
    pipeline: str
    signal: str | None
    threshold: float | None
    can_stream: bool
    reason: str | None
    streaming_url: str


class SkippedSpec(Wire):
    """A spec file that is not in use here, and why."""

    name: str
    reason: str


class ServingSpecs(Wire):
    """Every serving spec of the locked instrument, authored and promoted."""

    serving: list[ServingEntry]
    skipped: list[SkippedSpec]


class ServingDetail(ServingEntry):
    """One serving spec as data and as the YAML it came from."""

    spec: dict[str, Any]
    yaml: str


class RunRow(Wire):
    """One threshold of one run. Rates and figures are null where there were no trades."""

    run_id: str
    signal: str
    experiment: str
    serving: str
    dataset_id: str
    threshold: float
    cooldown_bins: int
    n_signals: int
    n_up: int
    n_down: int
    tp_rate: float | None
    tp_rate_low: float | None
    tp_rate_high: float | None
    sl_rate: float | None
    timeout_rate: float | None
    break_even_rate: float | None
    events_per_hour: float | None
    median_time_to_outcome_ms: float | None
    mean_pnl_ticks: float | None
    net_mean_pnl_ticks: float | None
    sharpe: float | None
    p_value: float | None
    p_holm: float | None
    deflated_sharpe: float | None
    can_stream: bool
    streaming_url: str


class Runs(Wire):
    """Best threshold row of each run, sorted as asked."""

    runs: list[RunRow]
    total: int


class RunDetail(Wire):
    """One run: all threshold rows, what was tried, and how to stream it."""

    run_id: str
    signal: str
    experiment: str
    serving: str
    dataset_id: str
    parameters: dict[str, Any]
    evaluation: dict[str, Any]
    meta: dict[str, Any]
    rows: list[RunRow]
    best_threshold: float | None
    can_stream: bool
    reason: str | None
    streaming_url: str


Instrument: type[Wire] = create_model(
    "Instrument",
    __base__=Wire,
    __doc__="The locked instrument and its configuration after the service's flags.",
    price_decimals=(int, ...),
    tick_int=(Int64, ...),
    **config_fields(),
)

RESPONSES: tuple[type[BaseModel], ...] = (
    Problem, Health, Ready, Instrument, Signals, Datasets, DatasetDetail, ServingSpecs, ServingDetail, Runs, RunDetail,
)  # fmt: skip
