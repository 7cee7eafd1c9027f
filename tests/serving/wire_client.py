"""What the tests of the service share: a real server on a loopback port, and a client that keeps what it was sent."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pyarrow as pa
import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from vp_serving.server.app import create_app
from vp_serving.server.cli import bound_socket, server_config
from vp_serving.settings import ServingSettings

PATH = "/v1/vacuum-pressure/stream"


class Server(NamedTuple):
    """A running service."""

    port: int
    service: Any

    @property
    def url(self) -> str:
        """Base of REST addresses."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self, query: str = "", **options: Any) -> ClientConnection:
        """A raw WebSocket to the stream."""
        options = {"compression": None, "max_size": 1 << 20, "close_timeout": 0.2, "proxy": None} | options
        return connect(f"ws://127.0.0.1:{self.port}{PATH}?{query}", **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """One REST request."""
        return httpx.get(self.url + path, trust_env=False, timeout=30, **options)

    def stream(self, query: str, bins: int | None = None, **options: Any) -> Stream:
        """Everything a stream sends, or its first bins."""
        with self.connect(query, **options) as socket:
            return read_stream(socket, bins)


class Stream(NamedTuple):
    """What came: the first message, (text, grid) per bin, the last text message, the close code."""

    config: dict[str, Any]
    bins: list[tuple[str, bytes]]
    last: dict[str, Any] | None
    code: int | None

    @property
    def updates(self) -> list[dict[str, Any]]:
        """The grid_update messages, decoded."""
        return [json.loads(text) for text, _ in self.bins]

    def table(self, at: int) -> pa.Table:
        """The grid of one bin."""
        return pa.ipc.open_stream(self.bins[at][1]).read_all()


def read_stream(socket: ClientConnection, bins: int | None = None) -> Stream:
    """Read to the close, or until this many bins came."""
    config: dict[str, Any] = {}
    frames: list[tuple[str, bytes]] = []
    last: dict[str, Any] | None = None
    try:
        while bins is None or len(frames) < bins:
            text = socket.recv(timeout=20)
            assert isinstance(text, str)
            kind = text[9 : text.index('"', 9)]
            if kind == "grid_update":
                grid = socket.recv(timeout=20)
                assert isinstance(grid, bytes)
                frames.append((text, grid))
            elif kind == "runtime_config":
                config = json.loads(text)
            else:
                last = json.loads(text)
        return Stream(config, frames, last, None)
    except ConnectionClosed:
        return Stream(config, frames, last, socket.close_code)


@contextlib.contextmanager
def serving(settings: ServingSettings, resolver: Callable[..., Any] | None = None, **pings: float) -> Iterator[Server]:
    """A server in a thread, on a port of its own, as `vp-serve` would run it. pings: as in `server_config`."""
    listener = bound_socket("127.0.0.1", 0)
    app = create_app(settings, resolver)
    server = uvicorn.Server(server_config(settings, app, **pings))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield Server(listener.getsockname()[1], app.state.service)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()
