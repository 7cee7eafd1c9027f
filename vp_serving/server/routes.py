"""Paths of the service. REST handlers block and run in threads; the stream runs on the event loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from vp_engine.lake.paths import DATASET_ID
from vp_engine.signals.registry import list_signals
from vp_serving.rest import listings, responses
from vp_serving.rest.etag import TaggedRoute
from vp_serving.rest.problems import problem_response
from vp_serving.server.service import Service
from vp_serving.wire.messages import STREAM_PATH
from vp_serving.wire.query import NAME, RUN_ID, check_dataset_id, check_name, check_run_id

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": responses.Problem, "content": {"application/problem+json": {}}, "description": text}
    for status, text in ((400, "Bad request"), (401, "Unauthorized"), (404, "Not found"), (422, "Data cannot be used"))
}
_PROBLEMS[304] = {"description": "The client has this answer already: If-None-Match named its ETag"}
api = APIRouter(prefix="/v1", responses=_PROBLEMS, tags=["research"], route_class=TaggedRoute)
operations = APIRouter(tags=["operations"])
stream = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def rendered(handler: Callable[..., BaseModel]) -> Callable[..., Response]:
    """A handler whose answer is made into JSON where the handler runs, in a worker thread: FastAPI would do it on the
    event loop, and every stream would wait meanwhile."""

    @wraps(handler)
    def answer(*args: Any, **given: Any) -> Response:
        return Response(handler(*args, **given).model_dump_json(), media_type="application/json")

    return answer


def _documented(pattern: str) -> Any:
    """A path parameter whose form the document names; the handlers check it, and say more than a pattern can."""
    return Path(json_schema_extra={"pattern": f"^{pattern}$"})


DatasetId = Annotated[str, _documented(DATASET_ID.pattern)]
SpecName = Annotated[str, _documented(NAME.pattern)]
RunId = Annotated[str, _documented(RUN_ID.pattern)]
Shared = Annotated[Service, Depends(_service)]


@operations.get("/health", response_model=responses.Health)
def health() -> responses.Health:
    """The process answers."""
    return responses.Health(version=version("spymaster"))


@operations.get("/ready", response_model=responses.Ready, responses={503: {"model": responses.Ready}})
def ready(service: Shared) -> Response:
    """200 once streams can be served, 503 with the reasons before."""
    checks = service.checks()
    is_ready = all(state == "ok" for state in checks.values())
    body = responses.Ready(ready=is_ready, checks=checks)
    return JSONResponse(body.model_dump(), 200 if is_ready else 503)


@operations.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(service: Shared) -> Response:
    """Figures for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


@api.get("/instrument", response_model=responses.Instrument)
@rendered
def instrument(service: Shared) -> BaseModel:
    """The locked instrument and its configuration after the service's flags."""
    config = service.catalog.base
    return responses.Instrument(
        **config.model_dump(mode="json"), price_decimals=config.price_decimals, tick_int=str(config.tick_int)
    )


@api.get("/signals", response_model=responses.Signals)
@rendered
def signals() -> responses.Signals:
    """Every registered signal."""
    return responses.Signals(
        signals=[
            responses.SignalEntry(
                name=info.name,
                kind=info.kind,
                prediction=info.prediction,
                description=info.description,
                columns=list(info.columns),
                params=info.params,
                default_thresholds=list(info.default_thresholds),
            )
            for info in list_signals()
        ]
    )


@api.get("/datasets", response_model=responses.Datasets)
@rendered
def datasets(
    service: Shared,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> responses.Datasets:
    """Every dataset of the lake, newest capture first."""
    return listings.datasets(service.catalog, offset, limit)


@api.get("/datasets/{dataset_id}", response_model=responses.DatasetDetail)
@rendered
def dataset(service: Shared, dataset_id: DatasetId) -> responses.DatasetDetail:
    """One dataset with its manifest."""
    return listings.dataset(service.catalog, check_dataset_id(dataset_id, "dataset_id"))


@api.get("/datasets/{dataset_id}/overview", response_model=responses.DatasetOverview)
@rendered
def dataset_overview(
    service: Shared, dataset_id: DatasetId, points: Annotated[int, Query(ge=2, le=10_000)] = 600
) -> responses.DatasetOverview:
    """The whole capture in at most `points` points: mid, its range, trades and volume."""
    return listings.dataset_overview(service.catalog, check_dataset_id(dataset_id, "dataset_id"), points)


@api.get("/serving", response_model=responses.ServingSpecs)
@rendered
def serving_specs(service: Shared) -> responses.ServingSpecs:
    """Every serving spec of the instrument, authored and promoted."""
    return listings.serving_specs(service.catalog, service.serving_reason)


@api.get("/serving/{name}", response_model=responses.ServingDetail)
@rendered
def serving_spec(service: Shared, name: SpecName) -> responses.ServingDetail:
    """One serving spec, as data and as YAML."""
    return listings.serving_spec(service.catalog, check_name(name, "name"), service.serving_reason)


@api.get("/experiments/runs", response_model=responses.Runs)
@rendered
def runs(service: Shared, query: Annotated[responses.RunsQuery, Query()]) -> responses.Runs:
    """Rows of the sweeps' results, best first."""
    return service.runs.runs(query, service.run_reason)


@api.get("/experiments/runs/{run_id}/detail", response_model=responses.RunDetail)
@rendered
def run_detail(service: Shared, run_id: RunId) -> BaseModel:
    """One run with all its threshold rows."""
    return service.runs.detail(check_run_id(run_id), service.run_reason)


@api.get("/experiments/runs/{run_id}/trades", response_model=responses.RunTrades)
@rendered
def run_trades(
    service: Shared,
    run_id: RunId,
    threshold: Annotated[
        float | None, Query(description="one of the run's; its best without", allow_inf_nan=False)
    ] = None,
) -> responses.RunTrades:
    """Every trade of one run and threshold, replayed from its dataset, with what no edge would give."""
    return service.runs.trades(check_run_id(run_id), threshold)


@api.get("/experiments/runs/{run_id}/links", response_model=responses.RunLinks)
@rendered
def run_links(service: Shared, run_id: RunId) -> responses.RunLinks:
    """The run's asset in Dagster and its sweep in MLflow, where VP_DAGSTER_URL and VP_MLFLOW_URL name them."""
    return service.runs.links(check_run_id(run_id))


@stream.get(STREAM_PATH, include_in_schema=False)
def no_upgrade(request: Request) -> Response:
    """A plain request where a WebSocket is wanted."""
    message = "this is a WebSocket: ask for an upgrade, see docs/serving.md"
    return problem_response(426, "upgrade_required", message, request.url.path)


@stream.websocket(STREAM_PATH)
async def vacuum_pressure(socket: WebSocket) -> None:
    """The stream of one replay."""
    service: Service = socket.app.state.service
    await service.streams.serve(socket)
