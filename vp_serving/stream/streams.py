"""The streams under way: who is let in, what is said to those who are not, and one connection for everyone else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from vp_serving import memory
from vp_serving.metrics import Metrics
from vp_serving.replay.readers import Replayable
from vp_serving.settings import ServingSettings
from vp_serving.stream.connection import Connection
from vp_serving.stream.latency import LatencyWriter
from vp_serving.wire.errors import close_code, error_message
from vp_serving.wire.messages import CLOSE_INTERNAL, CLOSE_REFUSED, CLOSE_TRY_LATER, StreamError, Warming
from vp_serving.wire.query import StreamRequest, parse_query
from vp_serving.wire.tokens import socket_token, token_matches

WARMING_AFTER_S = 0.5
TRIM_AFTER_S = 30.0  # from the end of a stream until what it held goes back to the system
log = structlog.get_logger("vp_serving")


def client_name(socket: WebSocket) -> str:
    """Address and port of the other end."""
    return f"{socket.client.host}:{socket.client.port}" if socket.client is not None else "unknown"


class Streams:
    """Lets sockets in and runs their connections. `resolver` turns a request into a replay and may block."""

    def __init__(
        self,
        settings: ServingSettings,
        resolver: Callable[[StreamRequest], Replayable],
        pool: ThreadPoolExecutor,
        metrics: Metrics,
    ) -> None:
        self._settings, self._resolver, self._pool, self._metrics = settings, resolver, pool, metrics
        self._latency = LatencyWriter(settings.latency) if settings.latency is not None else None
        # Streams that wait for the same kernels wait in threads of their own, so that they hold up no others.
        self._preparing = ThreadPoolExecutor(settings.max_streams, thread_name_prefix="prepare")
        self._open = 0
        self._trim: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Release threads and write what is left of the latency log."""
        if self._trim is not None:
            self._trim.cancel()
        self._preparing.shutdown(wait=False, cancel_futures=True)
        if self._latency is not None:
            self._latency.close()

    async def serve(self, socket: WebSocket) -> None:
        """One WebSocket from accept to close."""
        token, subprotocol = socket_token(socket.scope)
        await socket.accept(subprotocol)
        if not token_matches(self._settings, token):
            message = "this service wants a token: subprotocol `vp.token.<VP_API_TOKEN>`, or a bearer header"
            await self._refuse(socket, StreamError(code="unauthorized", message=message), CLOSE_REFUSED)
        elif self._open >= self._settings.max_streams:
            message = f"all {self._settings.max_streams} streams are taken; try again later, or raise VP_MAX_STREAMS"
            await self._refuse(socket, StreamError(code="too_many_streams", message=message), CLOSE_TRY_LATER)
        else:
            self._open += 1
            self._metrics.streams.set(self._open)
            try:
                await self._serve(socket)
            except WebSocketDisconnect:
                pass
            finally:
                self._open -= 1
                self._metrics.streams.set(self._open)
                if self._trim is None:
                    self._trim = asyncio.get_running_loop().call_later(TRIM_AFTER_S, self._give_back)

    def _give_back(self) -> None:
        self._trim = None
        self._preparing.submit(memory.trim)

    async def _serve(self, socket: WebSocket) -> None:
        loop = asyncio.get_running_loop()
        try:
            request = parse_query(socket.query_params.multi_items())
            replay = await loop.run_in_executor(self._pool, self._resolver, request)
        except Exception as error:
            if close_code(error) == CLOSE_INTERNAL:
                log.exception("request failed", query=str(socket.query_params))
            await self._refuse(socket, error_message(error), close_code(error))
            return
        try:
            await self._prepare(socket, replay)
        except WebSocketDisconnect:
            raise
        except Exception as error:
            if close_code(error) == CLOSE_INTERNAL:
                log.exception("stream cannot be prepared", replay=replay.name)
            await self._refuse(socket, error_message(error), close_code(error))
            return
        connection = Connection(
            socket,
            replay,
            self._pool,
            self._metrics,
            self._latency,
            speed=request.speed,
            from_bin=request.from_bin,
            queue_bins=self._settings.queue_bins,
        )
        began = loop.time()
        said = log.bind(client=client_name(socket), replay=replay.name)
        said.info("stream opened", speed=request.speed, from_bin=request.from_bin)
        try:
            await connection.run()
        finally:
            seconds = round(loop.time() - began, 3)
            said.info("stream closed", sent=connection.sent, dropped=connection.dropped, seconds=seconds)

    async def _prepare(self, socket: WebSocket, replay: Replayable) -> None:
        """Have the replay make itself ready, and tell the client if that takes a while."""
        ready = asyncio.get_running_loop().run_in_executor(self._preparing, replay.prepare)
        done, _ = await asyncio.wait([ready], timeout=WARMING_AFTER_S)
        if not done:
            await socket.send_text(Warming(what=replay.needs).model_dump_json())
        await ready

    async def _refuse(self, socket: WebSocket, message: StreamError, close_code: int) -> None:
        self._metrics.streams_refused.labels(message.code).inc()
        log.info("stream refused", client=client_name(socket), code=message.code, message=message.message)
        try:
            await socket.send_text(message.model_dump_json())
            await socket.close(close_code)
        except WebSocketDisconnect:
            return
