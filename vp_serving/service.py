"""One running service: settings, catalog, worker threads, figures, and the streams under way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from vp_engine.errors import VPError
from vp_engine.schema import empty_block
from vp_engine.signals import load_signals
from vp_engine.specs import ServingSpec
from vp_serving.catalog import Catalog
from vp_serving.guard import socket_token, token_matches
from vp_serving.hub import Replay as ReplayLike
from vp_serving.hub import Session, error_message
from vp_serving.latency import LatencyWriter
from vp_serving.links import Links
from vp_serving.metrics import Metrics
from vp_serving.protocol import CLOSE_INTERNAL, CLOSE_REFUSED, CLOSE_TRY_LATER, StreamError
from vp_serving.query import StreamRequest, parse_query
from vp_serving.replay import Chain, Replay
from vp_serving.resolve import resolve
from vp_serving.runs import RunShelf
from vp_serving.settings import ServingSettings

log = structlog.get_logger("vp_serving")


def client_name(socket: WebSocket) -> str:
    """Address and port of the other end."""
    return f"{socket.client.host}:{socket.client.port}" if socket.client is not None else "unknown"


class Service:
    """What the routes share. `resolver` turns a request into a replay and may block.

    ConfigError for own signals that cannot be loaded.
    """

    def __init__(
        self, settings: ServingSettings, resolver: Callable[[StreamRequest], ReplayLike] | None = None
    ) -> None:
        self.settings = settings
        load_signals(settings.signals_path)
        self.catalog = Catalog(settings)
        self.runs = RunShelf(self.catalog, Links(settings))
        self.metrics = Metrics()
        self.resolver = resolver or self._resolve
        self.pool = ThreadPoolExecutor((os.cpu_count() or 2) + 4, thread_name_prefix="replay")
        self.latency = LatencyWriter(settings.latency) if settings.latency is not None else None
        self.warm: str = "kernels are being loaded"
        self._streams = 0

    def close(self) -> None:
        """Release threads and the latency log."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        if self.latency is not None:
            self.latency.close()

    def warm_up(self) -> None:
        """Load or compile the kernels that every stream runs; a first compilation takes a while."""
        began = time.perf_counter()
        try:
            config = self.settings.base
            block = empty_block(2, config.grid_radius_ticks)
            block.bins["book_valid"] = 1
            Chain(config).score(block)
            self.warm = "ok"
        except Exception as error:
            log.exception("kernels cannot be loaded")
            self.warm = f"kernels cannot be loaded: {error}"
        log.info("kernels", state=self.warm, seconds=round(time.perf_counter() - began, 2))

    def checks(self) -> dict[str, str]:
        """What readiness depends on: "ok", or what is wrong."""
        return {"kernels": self.warm, "specs": self._check_specs(), "lake": self._check_lake()}

    def _check_specs(self) -> str:
        try:
            self.catalog.specs()
        except VPError as error:
            return str(error)
        return "ok"

    def _check_lake(self) -> str:
        root = self.catalog.lake.path()
        return "ok" if root.is_dir() and os.access(root, os.R_OK) else f"{root}: no such folder; VP_LAKE_ROOT names it"

    def why_not(self, **names: Any) -> str | None:
        """Why a stream of this serving spec or run would be refused; None if it would not."""
        try:
            resolve(self.catalog, StreamRequest(**names))
        except VPError as error:
            return str(error)
        return None

    def serving_reason(self, spec: ServingSpec) -> str | None:
        """Why a serving spec cannot be streamed; None if it can."""
        return self.why_not(serving=spec.name)

    def run_reason(self, run_id: str) -> str | None:
        """Why a run cannot be streamed; None if it can."""
        return self.why_not(run_id=run_id)

    def _resolve(self, request: StreamRequest) -> ReplayLike:
        return Replay(resolve(self.catalog, request))

    async def stream(self, socket: WebSocket) -> None:
        """One WebSocket from accept to close."""
        token, subprotocol = socket_token(socket.scope)
        await socket.accept(subprotocol)
        if not token_matches(self.settings, token):
            message = "this service wants a token: subprotocol `vp.token.<VP_API_TOKEN>`, or a bearer header"
            await self._refuse(socket, StreamError(code="unauthorized", message=message), CLOSE_REFUSED)
        elif self._streams >= self.settings.max_streams:
            message = f"all {self.settings.max_streams} streams are taken; try again later, or raise VP_MAX_STREAMS"
            await self._refuse(socket, StreamError(code="too_many_streams", message=message), CLOSE_TRY_LATER)
        else:
            self._streams += 1
            self.metrics.streams.set(self._streams)
            try:
                await self._stream(socket)
            except WebSocketDisconnect:
                pass
            finally:
                self._streams -= 1
                self.metrics.streams.set(self._streams)

    async def _stream(self, socket: WebSocket) -> None:
        loop = asyncio.get_running_loop()
        try:
            request = parse_query(socket.query_params.multi_items())
            replay = await loop.run_in_executor(self.pool, self.resolver, request)
        except VPError as error:
            await self._refuse(socket, error_message(error), CLOSE_REFUSED)
            return
        except Exception as error:
            log.exception("request failed", query=str(socket.query_params))
            await self._refuse(socket, error_message(error), CLOSE_INTERNAL)
            return
        session = Session(
            socket,
            replay,
            self.pool,
            self.metrics,
            self.latency,
            speed=request.speed,
            from_bin=request.from_bin,
            queue_bins=self.settings.queue_bins,
        )
        began = loop.time()
        said = log.bind(client=client_name(socket), replay=replay.name)
        said.info("stream opened", speed=request.speed, from_bin=request.from_bin)
        try:
            await session.run()
        finally:
            seconds = round(loop.time() - began, 3)
            said.info("stream closed", sent=session.sent, dropped=session.dropped, seconds=seconds)

    async def _refuse(self, socket: WebSocket, message: StreamError, close_code: int) -> None:
        self.metrics.streams_refused.labels(message.code).inc()
        log.info("stream refused", client=client_name(socket), code=message.code, message=message.message)
        try:
            await socket.send_text(message.model_dump_json())
            await socket.close(close_code)
        except WebSocketDisconnect:
            return
