"""Paths of the service. REST handlers block and run in threads; the stream runs on the event loop."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse

from vp_engine.signals.registry import list_signals
from vp_serving import responses
from vp_serving.catalog import STREAM_PATH
from vp_serving.query import check_dataset_id, check_name, check_run_id
from vp_serving.service import Service

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": responses.Problem, "content": {"application/problem+json": {}}, "description": text}
    for status, text in ((400, "Bad request"), (401, "Unauthorized"), (404, "Not found"), (422, "Data cannot be used"))
}
api = APIRouter(prefix="/v1", responses=_PROBLEMS, tags=["research"])
operations = APIRouter(tags=["operations"])
stream = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


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
def instrument(service: Shared) -> Any:
    """The locked instrument and its configuration after the service's flags."""
    config = service.catalog.base
    return responses.Instrument(
        **config.model_dump(mode="json"), price_decimals=config.price_decimals, tick_int=str(config.tick_int)
    )


@api.get("/signals", response_model=responses.Signals)
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
def datasets(service: Shared) -> responses.Datasets:
    """Every dataset of the lake, newest capture first."""
    return responses.Datasets(datasets=service.catalog.datasets())


@api.get("/datasets/{dataset_id}", response_model=responses.DatasetDetail)
def dataset(service: Shared, dataset_id: Annotated[str, Path()]) -> responses.DatasetDetail:
    """One dataset with its manifest."""
    return service.catalog.dataset(check_dataset_id(dataset_id, "dataset_id"))


@api.get("/datasets/{dataset_id}/overview", response_model=responses.DatasetOverview)
def dataset_overview(
    service: Shared, dataset_id: Annotated[str, Path()], points: Annotated[int, Query(ge=2, le=10_000)] = 600
) -> responses.DatasetOverview:
    """The whole capture in at most `points` points: mid, its range, trades and volume."""
    return service.catalog.overview(check_dataset_id(dataset_id, "dataset_id"), points)


@api.get("/serving", response_model=responses.ServingSpecs)
def serving_specs(service: Shared) -> responses.ServingSpecs:
    """Every serving spec of the instrument, authored and promoted."""
    return service.catalog.serving_specs(service.serving_reason)


@api.get("/serving/{name}", response_model=responses.ServingDetail)
def serving_spec(service: Shared, name: Annotated[str, Path()]) -> responses.ServingDetail:
    """One serving spec, as data and as YAML."""
    return service.catalog.serving_spec(check_name(name, "name"), service.serving_reason)


@api.get("/experiments/runs", response_model=responses.Runs)
def runs(service: Shared, query: Annotated[responses.RunsQuery, Query()]) -> responses.Runs:
    """Rows of the sweeps' results, best first."""
    return service.catalog.runs(query, service.run_reason)


@api.get("/experiments/runs/{run_id}/detail", response_model=responses.RunDetail)
def run_detail(service: Shared, run_id: Annotated[str, Path()]) -> Any:
    """One run with all its threshold rows."""
    return service.catalog.run_detail(check_run_id(run_id), service.run_reason)


@stream.websocket(STREAM_PATH)
async def vacuum_pressure(socket: WebSocket) -> None:
    """The stream of one replay."""
    service: Service = socket.app.state.service
    await service.stream(socket)
