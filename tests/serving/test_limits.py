"""Limits of what one peer may send: each has an answer in words of the protocol, and the connection ends."""

from __future__ import annotations

import contextlib
import threading

import pytest
from raw_socket import CLOSE, CONTINUATION, PING, TEXT, RawSocket, frame, handshake
from wire_client import PATH, Server

from vp_serving.server.http_protocol import MAX_BODY, MAX_HEAD, MAX_HEADERS, MAX_TARGET

GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BEYOND = {
    "headers": (GET + b"X: " + b"y" * (MAX_HEAD + 1) + b"\r\n\r\n", 431),
    "many headers": (GET + b"X: y\r\n" * MAX_HEADERS + b"\r\n", 431),
    "headers of an upgrade": (handshake(1, PATH, Cookie="y" * MAX_HEAD), 431),
    "many headers of an upgrade": (handshake(1, PATH)[:-2] + b"X: y\r\n" * MAX_HEADERS + b"\r\n", 431),
    "query of a stream": (handshake(1, f"{PATH}?symbol={'q' * MAX_TARGET}"), 414),
    "query": (b"GET /health?" + b"q" * MAX_TARGET + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
    "announced body": (POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
    "immense body": (POST + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n", 413),
}


@pytest.mark.parametrize(("request_bytes", "status"), BEYOND.values(), ids=BEYOND)
def test_a_request_beyond_a_limit_is_answered_and_ended(server: Server, request_bytes: bytes, status: int) -> None:
    with RawSocket(server.port) as raw:
        raw.send(request_bytes)
        assert raw.response()[0] == status
        raw.wait_end()


@pytest.mark.parametrize("head", [GET, b"GET /health?", handshake(1, PATH)[:-2]], ids=["headers", "query", "upgrade"])
def test_a_header_without_end_is_not_read_on(server: Server, head: bytes) -> None:
    """At most a few megabytes of what would be 64 are taken, buffers of both systems among them."""
    piece, sent = b"X" * 65_536, 0
    with RawSocket(server.port) as raw:
        raw.send(head)
        with contextlib.suppress(OSError):
            while sent < 64 << 20:
                raw.send(piece)
                sent += len(piece)
    assert sent < 16 << 20


def test_a_chunked_body_without_end_ends_the_connection(server: Server) -> None:
    chunk, sent = b"4000\r\n" + b"x" * 0x4000 + b"\r\n", 0
    with RawSocket(server.port) as raw, contextlib.suppress(OSError):
        raw.send(GET + b"Transfer-Encoding: chunked\r\n\r\n")
        while sent < 64 << 20:
            raw.send(chunk)
            sent += len(chunk)
    assert sent < 16 << 20


def test_requests_within_the_limits_are_answered(server: Server) -> None:
    with RawSocket(server.port) as raw:
        raw.send((GET + b"X: " + b"y" * (MAX_HEAD - 9000) + b"\r\n\r\n") + GET + b"\r\n")
        assert raw.response()[0] == 200
    with RawSocket(server.port) as raw:
        raw.send(POST + b"Content-Length: 60000\r\nConnection: close\r\n\r\n" + b"x" * 60_000)
        assert raw.response()[0] == 405


def test_requests_without_end_that_wait_for_answers_end_the_connection(server: Server) -> None:
    with RawSocket(server.port) as raw:
        with contextlib.suppress(OSError):
            raw.send((GET + b"\r\n") * 20_000)
        assert raw.rest().count(b"HTTP/1.1 200") < 20_000


@pytest.mark.parametrize(
    "flood",
    [frame(PING) * 5000, frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b"", fin=False) * 500, frame(0xA) * 5000],
    ids=["pings", "fragments", "pongs"],
)
def test_frames_without_end_are_closed_with_1008(server: Server, flood: bytes) -> None:
    with RawSocket(server.port) as raw:
        raw.open(server.port, f"{PATH}?serving=short_plain")
        sender = threading.Thread(target=_send, args=(raw, flood))
        sender.start()
        assert raw.until(CLOSE).payload[:2] == b"\x03\xf0"
        sender.join()


def _send(raw: RawSocket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        raw.send(data)
