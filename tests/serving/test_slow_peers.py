"""Peers that are slow on purpose: half a request, an answer that is not read. Nobody else is held up by them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from raw_socket import RawSocket
from small_house import House
from wire_client import PATH, serving

from vp_serving.server import http_protocol


def test_requests_that_are_never_finished_are_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred sockets with half a request, some sending a byte now and then; others are answered meanwhile."""
    monkeypatch.setattr(http_protocol, "HEADERS_S", 0.5)
    half = f"GET {PATH}?serving=short_plain HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ".encode()
    whole = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with serving(house.settings()) as slow, contextlib.ExitStack() as opened:
        held = [opened.enter_context(RawSocket(slow.port)) for _ in range(100)]
        for at, raw in enumerate(held):
            raw.send((half, b"", b"\r\n", whole + half)[at % 4])
        dripping = held[:20]
        deadline = time.monotonic() + 10
        while dripping:
            assert time.monotonic() < deadline, "a byte now and then keeps a connection"
            assert slow.get("/health").status_code == 200
            dripping = [raw for raw in dripping if not over(raw)]
        for at, raw in enumerate(held[20:]):
            first, *more = raw.rest().split(b"HTTP/1.1 ")[1:]
            if at % 4 == 3:
                assert (first[:3], len(more)) == (b"200", 1)
            assert (first, *more)[-1].startswith(b"408")
        assert len(slow.stream("serving=short_plain&speed=0", 5).bins) == 5


def over(raw: RawSocket) -> bool:
    """Whether a connection has ended, which sending it one more byte shows."""
    try:
        raw.send(b"x")
        time.sleep(0.002)
    except OSError:
        return True
    return False


def established(port: int) -> int:
    """Connections that the server of this port holds, by the system's own table."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


def test_answers_that_nobody_takes_are_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_protocol, "ANSWER_S", 0.3)
    with serving(house.settings()) as other, contextlib.ExitStack() as opened:
        for _ in range(2):
            raw = opened.enter_context(RawSocket(other.port, receive_buffer=4096))
            raw.send(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 12)
        deadline = time.monotonic() + 10
        assert established(other.port) == 2
        while established(other.port):
            assert time.monotonic() < deadline, "connections are left"
            time.sleep(0.05)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
