"""How streams end: clients that vanish, stop reading or say too much, a server that stops, replays that break."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import threading
import time
import typing
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from small_house import House
from test_pacing import Bins, next_seq, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from wire_client import PATH, Server, serving

from vp_engine import errors
from vp_engine.errors import VPError
from vp_serving import memory
from vp_serving.server import socket_protocol
from vp_serving.server.app import create_app
from vp_serving.server.cli import MAX_CLIENT_MESSAGE, bound_socket, server_config
from vp_serving.stream import streams
from vp_serving.stream.connection import MAX_REPLIES
from vp_serving.wire.messages import ErrorCode

PINGS = {"ping_interval_s": 0.1, "ping_timeout_s": 0.2}


def upgraded(port: int, query: str) -> socket.socket:
    """A bare socket with an open stream, which answers nothing by itself."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(
        f"GET {PATH}?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert peer.recv(64, socket.MSG_PEEK).startswith(b"HTTP/1.1 101")
    return peer


def open_streams(server: Server) -> float:
    text = server.get("/metrics").text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("vp_streams ")))


def close_code(held: ClientConnection) -> int | None:
    """What the server closed with, once it has."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            held.recv(timeout=5)
    return held.close_code


@pytest.fixture
def bins() -> Bins:
    return Bins(100_000)


@pytest.fixture
def impatient(house: House, bins: Bins, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that pings ten times a second and soon gives up."""
    monkeypatch.setattr(socket_protocol, "FLUSH_S", 0.1)
    monkeypatch.setattr(socket_protocol, "GOODBYE_S", 0.3)
    with serving(house.settings(), lambda request: bins, **PINGS) as server:
        yield server


@pytest.mark.parametrize("query", ["speed=1", "speed=0"])
def test_a_peer_that_is_there_and_silent_is_let_go(impatient: Server, bins: Bins, query: str) -> None:
    """Half-open or stopped: nothing is read, so at speed 0 every buffer on the way is full when the ping times out."""
    with contextlib.closing(upgraded(impatient.port, query)):
        wait_until(lambda: bins.taken > 0)
        wait_until(lambda: open_streams(impatient) == 0)


def test_a_peer_that_answers_pings_stays(impatient: Server) -> None:
    with impatient.connect("speed=1") as held:
        next_seq(held)
        held.send('{"type":"pause"}')
        time.sleep(1.0)
        assert open_streams(impatient) == 1
        held.send('{"type":"resume"}')
        next_seq(held)


def test_a_peer_that_does_not_take_the_close_is_dropped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, and silent after it: the connection ends though nobody answers the close."""
    monkeypatch.setattr(socket_protocol, "GOODBYE_S", 0.3)
    with serving(house.settings()) as server, contextlib.closing(upgraded(server.port, "serving=nosuch")) as peer:
        peer.settimeout(5)
        while peer.recv(4096):
            pass  # ends at the server's FIN; a timeout would raise


def test_clients_that_go_at_any_point_leave_nothing(house: House) -> None:
    """Before the upgrade, while the request is resolved, while bins are on the way, while paused."""
    bins = Bins(100_000)
    resolving = threading.Event()

    def resolver(request: Any) -> Bins:
        resolving.wait(0.05)
        return bins

    with serving(house.settings(), resolver) as server:
        for wait_s in (0.0, 0.01, 0.06, 0.12):
            for query in ("speed=0", "speed=1"):
                peer = upgraded(server.port, query)
                time.sleep(wait_s)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                peer.close()  # a reset, as of a killed process
        bare = socket.create_connection(("127.0.0.1", server.port))
        bare.sendall(b"GET / HTTP/1.1\r\nHost:")
        bare.close()
        with server.connect("speed=10") as paused:
            next_seq(paused)
            paused.send('{"type":"pause"}')
        wait_until(lambda: open_streams(server) == 0)
        wait_until(lambda: bins.open == 0)
        assert server.stream("speed=0", 5).bins


def test_a_message_that_is_too_long_ends_the_stream(house: House) -> None:
    with serving(house.settings(), lambda request: Bins(100_000)) as server:
        with server.connect("speed=1") as held:
            next_seq(held)
            held.send("x" * MAX_CLIENT_MESSAGE)
            next_seq(held)
            held.send("x" * (MAX_CLIENT_MESSAGE + 1))
            assert close_code(held) == 1009
        wait_until(lambda: open_streams(server) == 0)


def test_a_client_that_talks_nonsense_and_does_not_listen_is_let_go(house: House) -> None:
    with serving(house.settings(), lambda request: Bins(100_000)) as server, server.connect("speed=0") as held:
        next_seq(held)
        time.sleep(0.3)  # until the way to the client is full
        with contextlib.suppress(ConnectionClosed):
            for _ in range(10 * MAX_REPLIES):
                held.send(b"\x00\xff")
        wait_until(lambda: open_streams(server) == 0)


def test_a_server_that_stops_tells_its_clients(house: House) -> None:
    """Playing, paused, and one that reads nothing: the server is gone within its grace."""
    listener = bound_socket("127.0.0.1", 0)
    app = create_app(house.settings(), lambda request: Bins(100_000))
    config = server_config(house.settings(), app)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    running = Server(listener.getsockname()[1], app.state.service)
    with running.connect("speed=10") as playing, running.connect("speed=10") as paused:
        for held in (playing, paused):
            next_seq(held)
        paused.send('{"type":"pause"}')
        silent = upgraded(running.port, "speed=0")
        time.sleep(0.3)
        server.should_exit = True
        for held in (playing, paused):
            assert close_code(held) == 1012
        thread.join(15)
        assert not thread.is_alive()
        silent.close()
    listener.close()


def raised(kind: type[VPError]) -> list[type[VPError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in raised(below))]


@pytest.mark.parametrize("kind", [kind for kind in raised(VPError) if kind.__module__ == errors.__name__])
def test_every_error_has_its_code_on_the_wire(house: House, kind: type[VPError]) -> None:
    """Raised while resolving, and in the midst of a replay."""

    def refuses(request: Any) -> Bins:
        raise kind("the words of it")

    assert kind.code in typing.get_args(ErrorCode)
    for resolver, sent in ((refuses, 0), (lambda request: Bins(200, fails_at=100, error=kind("the words of it")), 100)):
        with serving(house.settings(), resolver) as server:
            got = server.stream("speed=0")
        assert len(got.bins) == sent
        assert got.code == 1008
        assert got.last == {"type": "error", "code": kind.code, "message": "the words of it", "parameter": None}


def test_a_resolver_that_fails_unforeseen_tells_no_secrets(house: House) -> None:
    def fails(request: Any) -> Bins:
        raise RuntimeError("/etc/secret")

    with serving(house.settings(), fails) as server:
        got = server.stream("speed=0")
        assert got.code == 1011
        assert got.last is not None
        assert got.last["code"] == "internal"
        assert "secret" not in json.dumps(got.last)
        assert 'vp_streams_refused_total{code="internal"} 1.0' in server.get("/metrics").text


def test_figures_of_lag_and_answers(house: House) -> None:
    with serving(house.settings(), lambda request: Bins(2000)) as server:
        assert 'vp_lag_quantile_seconds{quantile="0.99"} NaN' in server.get("/metrics").text
        with server.connect("speed=100") as held:
            next_seq(held)
            for ts_ns in (500, 900):
                held.send(json.dumps({"type": "seek", "ts_ns": str(ts_ns)}))
                while next_seq(held) != ts_ns:
                    pass
        text = server.get("/metrics").text
        lags = [
            float(line.split()[1]) for line in text.splitlines() if line.startswith("vp_lag_quantile_seconds{quantile")
        ]
        assert len(lags) == 3
        assert 0 <= lags[0] <= lags[1] <= lags[2] < 10
        assert "vp_answer_seconds_count 3.0" in text  # the opening and two seeks
        assert "vp_cache_bytes 0.0" in text


def test_memory_goes_back_once_after_streams_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(streams, "TRIM_AFTER_S", 0.1)
    monkeypatch.setattr(memory, "trim", lambda: trims.append(1))
    with serving(house.settings(), lambda request: Bins(5)) as server:
        for _ in range(5):
            server.stream("speed=0")
        wait_until(lambda: trims)
        time.sleep(0.3)
    assert 1 <= len(trims) < 5
