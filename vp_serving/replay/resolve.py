"""A request to a plan: which configuration, which capture, and where its bins come from.

Precedence: instrument file < flags < serving spec < query. The lake is read, never written: a book that is not cached
is made again in memory. Everything here may block; it runs in worker threads.
"""

from __future__ import annotations

import datetime as dt
import shlex
from typing import NamedTuple

from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.engine import Keyframe
from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.evaluation.promotion import require_same_signal
from vp_engine.lake import (
    Dataset,
    Lake,
    book_address,
    dataset_address,
    find_dataset,
    find_raw,
    open_dataset,
)
from vp_engine.lake.books import find_book
from vp_engine.lake.models import StoredModels, open_models
from vp_engine.lake.raw_checks import require_admissible, require_coverage
from vp_engine.specs import (
    Capture,
    PipelineSpec,
    ServingSpec,
    VPRuntimeConfig,
    build_config_with_overrides,
    resolve_capture,
)
from vp_engine.specs.runtime import PIPELINE_FIELDS, check_instrument
from vp_engine.stream import BINS_CODE_VERSION, EventStream, stream_events
from vp_engine.units import et_to_ns, parse_clock
from vp_serving.replay.catalog import ReplayCatalog
from vp_serving.replay.hub import BLOCK_BINS
from vp_serving.replay.replay import ReplayPlan
from vp_serving.wire.messages import Addresses
from vp_serving.wire.query import QueryError, StreamRequest

DEFAULT_MINUTES = 60  # length of a capture that is given a start only


class _Choice(NamedTuple):
    """What a request names. `judged` is the address of the dataset that a run or promoted spec was judged on, `day`
    its Eastern date."""

    serving: ServingSpec | None = None
    pipeline: PipelineSpec | None = None
    run_id: str | None = None
    judged: str | None = None
    day: str | None = None


def resolve(catalog: ReplayCatalog, request: StreamRequest) -> ReplayPlan:
    """The plan of a request; QueryError, ConfigError, NotFoundError, SignalError or DataError saying what is wrong."""
    catalog.require_lake()
    _check_instrument(catalog.base, request)
    choice = _choose(catalog, request)
    if choice.serving is not None:
        require_same_signal(choice.serving)
    config = build_config_with_overrides(_config(catalog.base, choice), request.overrides)
    dataset = _named_dataset(catalog.lake, request, choice)
    if dataset is not None:
        plan = _of_dataset(dataset, config, choice)
        _check_window(request, plan.capture)
    else:
        plan = _of_capture(catalog.lake, config, _window(catalog, config, request, choice), choice)
    if request.from_bin >= plan.capture.n_bins:
        raise QueryError("from_bin", f"`from_bin` must be below {plan.capture.n_bins}, was {request.from_bin}")
    return plan._replace(models=_models(catalog.lake, choice.serving))


def _models(lake: Lake, serving: ServingSpec | None) -> StoredModels | None:
    """The models that a promoted spec names, each read when its time comes."""
    if serving is None or serving.signal is None or serving.promoted is None or serving.promoted.models is None:
        return None
    return open_models(lake, serving.promoted.models, serving.signal.name)


def _config(base: VPRuntimeConfig, choice: _Choice) -> VPRuntimeConfig:
    """Instrument and flags under the serving spec. Without its pipeline, a dataset says what its bins are."""
    if choice.serving is None:
        return base
    if choice.pipeline is None:
        return build_config_with_overrides(base, choice.serving.overrides())
    return choice.serving.config(base, choice.pipeline)


def _named_dataset(lake: Lake, request: StreamRequest, choice: _Choice) -> Dataset | None:
    """The dataset that a request is about: the one it names, or that of its run unless it asks for other times."""
    if request.dataset is not None:
        return _open(lake, request.dataset)
    if choice.run_id is None or choice.judged is None or request.dt or request.start_time or request.end_time:
        return None
    info = find_dataset(lake, choice.judged)
    return Dataset(info) if info is not None else None


def _check_instrument(lock: VPRuntimeConfig, request: StreamRequest) -> None:
    for name in ("product_type", "symbol"):
        given = {field: getattr(lock, field) for field in ("product_type", "symbol")}
        if (asked := getattr(request, name)) is not None:
            try:
                check_instrument(lock, **{**given, name: asked})
            except ConfigError as error:
                raise QueryError(name, str(error)) from None


def _choose(catalog: ReplayCatalog, request: StreamRequest) -> _Choice:
    if request.run_id is not None:
        run = catalog.judged_run(request.run_id, request.threshold)
        pipeline = catalog.specs().pipelines.get(run.serving.pipeline)
        return _Choice(run.serving, pipeline, request.run_id, run.dataset_address, run.dt)
    if request.serving is None:
        return _Choice()
    specs = catalog.specs()
    try:
        serving = specs.serving[request.serving]
    except NotFoundError as error:
        raise QueryError("serving", str(error), "not_found") from None
    judged = serving.promoted.dataset_address if serving.promoted is not None else None
    return _Choice(serving, specs.pipelines[serving.pipeline], None, judged)


def _open(lake: Lake, dataset_id: str) -> Dataset:
    try:
        return open_dataset(lake, dataset_id)
    except NotFoundError as error:
        raise QueryError("dataset", str(error), "not_found") from None


def _check_window(request: StreamRequest, capture: Capture) -> None:
    """A dataset brings its own window; a query may repeat it but not differ."""
    start, end = request.start_time, request.end_time
    if request.dt is not None and request.dt != capture.dt.isoformat():
        raise QueryError("dt", f"`dt` is {request.dt}, the dataset is of {capture.dt}; leave it out")
    for name, text, held in (("start_time", start, capture.start_ns), ("end_time", end, capture.end_ns)):
        if text is not None and et_to_ns(capture.dt, parse_clock(text, name)) != held:
            raise QueryError(name, f"`{name}` {text} is not that of the dataset; leave it out")


def _window(catalog: ReplayCatalog, config: VPRuntimeConfig, request: StreamRequest, choice: _Choice) -> Capture:
    """The capture asked for: the query's times over the pipeline's over the flags'."""
    spec = choice.pipeline.capture if choice.pipeline is not None else None
    day = request.dt or choice.day or (spec.dt if spec is not None else None) or catalog.settings.dt
    start = request.start_time or (spec.start_time if spec is not None else None) or catalog.settings.start_time
    if day is None or start is None:
        missing = "dt" if day is None else "start_time"
        if choice.serving is not None:
            raise QueryError(
                missing, f"`{missing}` is missing: the pipeline of `{choice.serving.name}` has none of its own; give it"
            )
        raise QueryError(missing, f"`{missing}` is missing; give dt and start_time, or serving, dataset or run_id")
    end = request.end_time or (spec.end_time if spec is not None else None) or _default_end(start)
    return resolve_capture(config, day, start, end)


def _default_end(start: str) -> str:
    clock = parse_clock(start)
    end = dt.datetime.combine(dt.date.min, clock) + dt.timedelta(minutes=DEFAULT_MINUTES)
    return f"{end:%H:%M:%S}" if end.day == 1 else "23:59"


def _of_dataset(dataset: Dataset, config: VPRuntimeConfig, choice: _Choice) -> ReplayPlan:
    """A plan that reads a dataset. What its bins depend on is the dataset's own, the rest is the request's."""
    held = dataset.config
    if (held.symbol, held.tick_int) != (config.symbol, config.tick_int):
        raise QueryError("dataset", f"`dataset` is of {held.symbol}, the instrument is {config.symbol}")
    config = build_config_with_overrides(config, {name: getattr(held, name) for name in PIPELINE_FIELDS})
    inputs = dataset.manifest.get("inputs", {})
    return ReplayPlan(
        config=config,
        capture=dataset.capture,
        serving=choice.serving,
        run_id=choice.run_id,
        addresses=Addresses(
            dataset=dataset.address, book=_first_text(inputs.get("book")), raw=_texts(inputs.get("raw"))
        ),
        dataset=dataset,
    )


def _first_text(value: object) -> str | None:
    found = _texts(value)
    return found[0] if found else None


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list) else []


def _of_capture(lake: Lake, config: VPRuntimeConfig, capture: Capture, choice: _Choice) -> ReplayPlan:
    """A plan for a capture: its dataset if there is one, else the engine over its raw days."""
    judged = find_dataset(lake, choice.judged) if choice.judged is not None else None
    days = [find_raw(lake, config, day) for day in capture.utc_days()]
    raws = [day for day in days if day is not None]
    if len(raws) < len(days):
        if judged is not None and judged.capture == capture and _same_bins(judged.config, config):
            return _of_dataset(Dataset(judged), config, choice)
        absent = [day.isoformat() for day, raw in zip(capture.utc_days(), days, strict=True) if raw is None]
        there = shlex.quote(str(lake.root))
        raise NotFoundError(
            f"no raw data of {config.symbol} for {', '.join(absent)} (UTC) in {lake.root}, which "
            f"{capture.dt} {capture.label()[9:]} ET needs; bring it in with `vp import FILE --lake-root {there}` "
            f"or `vp sample --day {absent[0]} --lake-root {there}`"
        )
    for raw in raws:
        require_admissible(raw)
    require_coverage(raws, capture)
    raw_addresses = [raw.manifest.address for raw in raws]
    book = book_address(config, capture, raw_addresses[0], code_version=BOOK_CODE_VERSION)
    address = dataset_address(config, capture, book, raw_addresses, code_version=BINS_CODE_VERSION)
    info = find_dataset(lake, address)
    if info is not None:
        return _of_dataset(Dataset(info), config, choice)

    def events(begin: Keyframe | None) -> EventStream:
        checkpoint = find_book(lake, capture, book) if begin is None else None
        return stream_events([raw.file() for raw in raws], config, capture, checkpoint, BLOCK_BINS, begin)

    return ReplayPlan(
        config=config,
        capture=capture,
        serving=choice.serving,
        run_id=choice.run_id,
        addresses=Addresses(dataset=address, book=book, raw=raw_addresses),
        events=events,
    )


def _same_bins(held: VPRuntimeConfig, config: VPRuntimeConfig) -> bool:
    return held.dataset_params() == config.dataset_params()
