"""The application: routes, guard, errors, and the built screens at `/`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from vp_serving.guard import Guard, cors_origins
from vp_serving.problems import add_problem_handlers
from vp_serving.query import StreamRequest
from vp_serving.read_only import ReadOnly
from vp_serving.readers import Replay
from vp_serving.routes import api, operations, stream
from vp_serving.service import Service
from vp_serving.settings import ServingSettings

MAIN_PAGE = "vacuum-pressure.html"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Spymaster</title>
<body style="background:#0C0E12;color:#E8EAEE;font:14px/1.6 system-ui,sans-serif;padding:40px;max-width:60ch">
<h1 style="font-size:20px">The screens are not built yet</h1>
<p>This service is running. Build the pages once with <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend/</code>, or <code>make setup</code>, then load this page again.</p>
<p><a style="color:#7FC8F3" href="/docs">Interface</a> · <a style="color:#7FC8F3" href="/ready">Readiness</a></p>
"""


class Screens:
    """The built frontend, looked for at every request, so that building it needs no restart."""

    def __init__(self, dist: Path) -> None:
        self._dist = dist
        self._files = StaticFiles(directory=dist, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file, or say that there is none to serve."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "no such stream"})
        elif (self._dist / MAIN_PAGE).is_file():
            await self._files(scope, receive, send)
        elif scope["path"].endswith(".html"):
            await HTMLResponse(_NOT_BUILT, 503)(scope, receive, send)
        else:
            raise HTTPException(404, "no such path")


def create_app(settings: ServingSettings, resolver: Callable[[StreamRequest], Replay] | None = None) -> FastAPI:
    """The application for these settings. `resolver` replaces how a request becomes a replay."""
    service = Service(settings, resolver)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
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
