"""Bodies of the REST responses. Spelling as on the stream: 64-bit integers are decimal strings, absence is null."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vp_engine.evaluation.verdicts import Verdict
from vp_engine.lake.results import SORTABLE
from vp_engine.lake.results_fields import RUNS_FIELDS, RUNS_META_FIELDS
from vp_engine.schema import Field as SchemaField
from vp_engine.specs.base import NAME_PATTERN
from vp_serving.wire.messages import Int64, Wire, config_fields, message_type


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
    description: str
    columns: list[str]
    params: dict[str, Any] = Field(description="parameters and their defaults")
    default_thresholds: list[float] = Field(description="empty: quantiles of the calibration part")


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


class LeftOut(Wire):
    """Something of the lake that cannot be used, and why."""

    name: str
    reason: str


class Datasets(Wire):
    """Complete datasets of the lake, newest capture first; `total` counts all, `datasets` holds those of this page."""

    datasets: list[DatasetEntry]
    total: int
    offset: int
    next_offset: int | None = Field(description="where the next page begins; null on the last")
    left_out: list[LeftOut] = Field(description="damaged datasets, on every page")


class DatasetDetail(DatasetEntry):
    """One dataset with its manifest: parameters, inputs, counters."""

    manifest: dict[str, Any]


class DatasetOverview(Wire):
    """A capture in at most as many points as asked for, for a session bar. Point i covers bins i·bins_per_point up to
    the next point's first, the last point what is left; it begins at start_ns + i·bins_per_point·bin_ns."""

    dataset_id: str
    start_ns: Int64
    bin_ns: int = Field(description="width of a bin in ns")
    n_bins: int
    bins_per_point: int
    mid: list[float | None] = Field(description="mid of the last valid bin, dollars; null where no bin is valid")
    mid_low: list[float | None]
    mid_high: list[float | None]
    trades: list[int]
    buy_volume: list[int] = Field(description="contracts traded by buying aggressors")
    sell_volume: list[int] = Field(description="contracts traded by selling aggressors")
    invalid_bins: list[int] = Field(description="bins of the point without a valid book")


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


def _column(field: SchemaField) -> Any:
    if field.name in _JSON_COLUMNS:
        kind: Any = dict[str, Any] | None if field.name == "serving_spec" else dict[str, Any]
    else:
        kind = {"str": str, "i8": int, "f8": float if field.name in _ALWAYS else float | None}[field.dtype]
    return kind, Field(description=field.meaning)


_ALWAYS = ("threshold", "tp_ticks", "sl_ticks", "fee_ticks", "break_even_rate")  # defined without any trade
_JSON_COLUMNS = ("parameters", "evaluation", "serving_spec")
_THRESHOLD_COLUMNS = {field.name: _column(field) for field in RUNS_FIELDS}
_META_COLUMNS = {field.name: _column(field) for field in RUNS_META_FIELDS}
_VERDICT = {"verdict": (Verdict, Field(description="significant only by the corrected p-value"))}
_STREAM = {
    "can_stream": (bool, Field(description="whether the data behind the row is in the lake")),
    "reason": (str | None, Field(description="why it cannot be streamed")),
    "streaming_url": (str, Field(description="path and query of its stream")),
}

ThresholdRow = message_type(
    "ThresholdRow",
    "One threshold of one run. Figures are null where they are not defined, as without trades.",
    Wire,
    {
        **_THRESHOLD_COLUMNS,
        **_VERDICT,
        "verdict_text": (str, Field(description="the verdict in a sentence, with the figures it rests on")),
        "streaming_url": _STREAM["streaming_url"],
    },
)

RunRow = message_type(
    "RunRow",
    "One threshold of one run, with what was tried.",
    Wire,
    {
        **{name: column for name, column in _META_COLUMNS.items() if name != "serving_spec"},
        **{name: column for name, column in _THRESHOLD_COLUMNS.items() if name not in _META_COLUMNS},
        **_VERDICT,
        **_STREAM,
    },
)


class RunsQuery(BaseModel):
    """What rows of the results are asked for, and how they are sorted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signal: str | None = Field(None, pattern=NAME_PATTERN, max_length=100)
    dataset_id: str | None = Field(None, max_length=200)
    experiment: str | None = Field(None, pattern=NAME_PATTERN, max_length=100)
    serving: str | None = Field(None, pattern=NAME_PATTERN, max_length=100, description="serving spec it was judged on")
    signal_kind: Literal["statistical", "ml"] | None = None
    dt: str | None = Field(None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="Eastern date of the capture")
    max_p_holm: float | None = Field(None, ge=0, le=1, description="corrected p at most this; 0.05 for the significant")
    max_spa_p_value: float | None = Field(None, ge=0, le=1, description="rows of sweeps whose SPA p is at most this")
    min_deflated_sharpe: float | None = Field(None, ge=0, le=1)
    sort: Literal[SORTABLE] = "net_mean_pnl_ticks"  # type: ignore[valid-type]
    min_signals: int | None = Field(None, ge=0, le=10**9, description="least trades; null: each experiment's own")
    include_test: bool = Field(False, description="rows of test days too, which report and have no say in a choice")
    top_n: int = Field(50, ge=1, le=10_000, description="rows of a page")
    offset: int = Field(0, ge=0, le=10**9, description="rows to leave out before the page")
    best_per_run: bool = Field(False, description="only the best threshold of each run")


class Runs(Wire):
    """Rows of the results, best first as sorted; `total` counts those that match, `runs` holds those of this page."""

    runs: list[RunRow]  # type: ignore[valid-type]
    total: int
    n_test_left_out: int = Field(description="rows of test days that match and were left out")
    offset: int
    next_offset: int | None = Field(description="where the next page begins; null on the last")


class PromotedAs(Wire):
    """A serving spec that was promoted from a run: its threshold, and the figures it was chosen by."""

    name: str
    threshold: float
    figures: dict[str, float]
    train_days: list[str] = Field(description="Eastern dates it was chosen on; empty where every day had a say")
    test_days: list[str] = Field(description="Eastern dates that only reported")
    days_text: str = Field(description="what chose it, and what the test days say of it, in a sentence or two")
    streaming_url: str


class NoEdge(Wire):
    """Where the cumulative pnl would lie, pointwise, if the same trades had a mean of 0 after fees: stationary block
    bootstrap over bins. After bin `bin[i]` it is between `low[i]` and `high[i]` in `confidence` of the draws."""

    confidence: float
    bin: list[int]
    low: list[float]
    high: list[float]


class RunTrades(Wire):
    """Trades of one run and threshold in the order in which they end; one entry of every list per trade. Bins count
    from the capture's start, bin i begins at start_ns + i·bin_ns."""

    run_id: str
    threshold: float
    dataset_id: str
    start_ns: Int64
    bin_ns: int
    first_bin: int = Field(description="first evaluated bin")
    n_bins: int
    net_total_pnl_ticks: float
    fire_bin: list[int]
    entry_bin: list[int]
    exit_bin: list[int]
    direction: list[Literal[-1, 1]]
    outcome: list[Literal["take_profit", "stop_loss", "timeout"]]
    net_pnl_ticks: list[float] = Field(description="after fees")
    cumulative_ticks: list[float] = Field(description="sum of net_pnl_ticks up to and with this trade")
    no_edge: NoEdge | None = Field(description="null where the capture is too short for a bootstrap")


class RunLinks(Wire):
    """The run elsewhere; null with the reason where there is no such place."""

    dagster: str | None = Field(description="the sweep's asset on its day")
    dagster_reason: str | None
    mlflow: str | None = Field(description="the sweep's run")
    mlflow_reason: str | None


RunDetail = message_type(
    "RunDetail",
    "One run: what was tried, all its threshold rows, and how to stream it.",
    Wire,
    {
        **_META_COLUMNS,
        "rows": (list[ThresholdRow], ...),  # type: ignore[valid-type]
        "best_threshold": (
            float | None,
            Field(description="by the experiment's selection; null where no row qualifies"),
        ),
        "yaml": (str | None, Field(description="the serving spec of its best row")),
        "promoted": (list[PromotedAs], Field(description="serving specs promoted from this run")),
        "trades_url": (str, Field(description="path of its trades; takes `threshold`")),
        "links_url": (str, Field(description="path of its links to Dagster and MLflow")),
        **_STREAM,
    },
)


class _Prices(Wire):
    price_decimals: int
    tick_int: Int64


Instrument = message_type(
    "Instrument",
    "The locked instrument and its configuration after the service's flags.",
    _Prices,
    config_fields(),
)

RESPONSES: tuple[type[BaseModel], ...] = (
    Problem, Health, Ready, Instrument, Signals, Datasets, DatasetDetail, DatasetOverview, ServingSpecs, ServingDetail,
    Runs, RunDetail, RunTrades, RunLinks,
)  # fmt: skip
