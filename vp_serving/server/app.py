"""The application: routes, guard, errors, and the built screens at `/`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import RedirectResponse, Response

from vp_serving.replay.readers import Replayable
from vp_serving.rest.problems import add_problem_handlers
from vp_serving.server.guard import Guard, cors_origins
from vp_serving.server.read_only import ReadOnly
from vp_serving.server.routes import api, operations, stream
from vp_serving.server.screens import MAIN_PAGE, Screens
from vp_serving.server.service import Service
from vp_serving.settings import ServingSettings
from vp_serving.wire.query import StreamRequest

REST_THREADS = 6  # that answer requests at once: each may keep the streams from the interpreter


def create_app(settings: ServingSettings, resolver: Callable[[StreamRequest], Replayable] | None = None) -> FastAPI:
    """The application for these settings. `resolver` replaces how a request becomes a replay."""
    service = Service(settings, resolver)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = REST_THREADS
        service.pool.submit(service.warm_up)
        yield
        service.close()

    app = FastAPI(
        title="Spymaster",
        description="Replays of order-flow forces as a stream, and the research behind them.",
        version=version("spymaster"),
        lifespan=lifespan,
    )
    app.state.service = service
    add_problem_handlers(app)
    app.include_router(operations)
    app.include_router(api)
    app.include_router(stream)

    @app.get("/", include_in_schema=False)
    def main_page(request: Request) -> Response:
        """The main screen, with the query it was asked with."""
        query = request.url.query
        return RedirectResponse(f"/{MAIN_PAGE}?{query}" if query else f"/{MAIN_PAGE}", 307)

    app.mount("/", Screens(settings.frontend_dist))
    app.add_middleware(ReadOnly)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=cors_origins(settings),
        allow_methods=["GET", "HEAD"],
        allow_headers=["Authorization"],
    )
    app.add_middleware(Guard, settings=settings)
    return app
