"""The endpoint by the letter of RFC 6455: handshake, framing, control frames, closing; and clients of other makes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from raw_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, close_frame, frame, handshake
from tornado.websocket import websocket_connect
from wire_client import PATH, Server, Stream

STREAM = f"{PATH}?serving=short_plain"
PAUSE, NONSENSE = b'{"type":"pause"}', b'{"type":"nonsense"}'
BAD_FRAME, BAD_TEXT, TOO_BIG = 1002, 1007, 1009


@pytest.fixture(scope="module", autouse=True)
def healthy_after(server: Server) -> Iterator[None]:
    """After everything here no stream is left, and a new one works."""
    yield
    deadline = time.monotonic() + 10
    while "vp_streams 0.0" not in server.get("/metrics").text:
        assert time.monotonic() < deadline, "streams are left"
        time.sleep(0.05)
    assert len(server.stream("serving=short_plain&speed=0").bins) == 600


@pytest.fixture
def raw(server: Server) -> Iterator[RawSocket]:
    """A stream under way."""
    with RawSocket(server.port) as connection:
        connection.open(server.port, STREAM)
        yield connection


def answer(raw: RawSocket) -> dict[str, Any]:
    """The next error message."""
    while True:
        message = json.loads(raw.until(TEXT).payload)
        if message["type"] == "error":
            return dict(message)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
        ({"Sec-WebSocket-Key": "!" * 24}, 400),
        ({"Sec-WebSocket-Version": "8"}, 400),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_handshakes_that_are_refused(server: Server, headers: dict[str, str | None], status: int) -> None:
    with RawSocket(server.port) as raw:
        raw.send(handshake(server.port, STREAM, **headers))
        got, answered = raw.response()
    assert got == status
    if status == 426:
        assert answered["sec-websocket-version"] == "13"


def test_a_plain_request_to_the_stream_is_no_stream(server: Server) -> None:
    for headers in ({"Upgrade": None}, {"Connection": None}, {"Upgrade": None, "Connection": None}):
        with RawSocket(server.port) as raw:
            raw.send(handshake(server.port, STREAM, **headers))
            assert raw.response()[0] in (400, 404, 426)


def test_no_extension_is_agreed_on(server: Server) -> None:
    with RawSocket(server.port) as raw:
        raw.send(handshake(server.port, STREAM, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
        status, headers = raw.response()
    assert status == 101
    assert "sec-websocket-extensions" not in headers


BAD_FRAMES = {
    "unmasked": [frame(TEXT, PAUSE, masked=False)],
    "unmasked ping": [frame(PING, masked=False)],
    "rsv1, as compressed": [frame(TEXT, PAUSE, rsv=4)],
    "rsv2": [frame(TEXT, PAUSE, rsv=2)],
    "rsv3": [frame(TEXT, PAUSE, rsv=1)],
    "rsv on a ping": [frame(PING, rsv=4)],
    **{f"reserved opcode {code}": [frame(code, b"x")] for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": [frame(PING, fin=False)],
    "fragmented close": [frame(CLOSE, b"\x03\xe8", fin=False)],
    "ping of 126 bytes": [frame(PING, bytes(126))],
    "pong of 126 bytes": [frame(PONG, bytes(126))],
    "close of 126 bytes": [frame(CLOSE, b"\x03\xe8" + bytes(124))],
    "continuation of nothing": [frame(CONTINUATION, PAUSE)],
    "unfinished continuation of nothing": [frame(CONTINUATION, PAUSE, fin=False)],
    "continuation after the end": [frame(TEXT, b"{", fin=False), frame(CONTINUATION, b"}"), frame(CONTINUATION, b"}")],
    "text amid a text": [frame(TEXT, PAUSE[:5], fin=False), frame(TEXT, PAUSE)],
    "binary amid a text": [frame(TEXT, PAUSE[:5], fin=False), frame(BINARY, PAUSE, fin=False)],
    "close of one byte": [frame(CLOSE, b"\x03")],
    **{f"close with {code}": [close_frame(code)] for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
    "a length of 63 bits and more": [b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(8)],
}
BAD_TEXTS = {
    "lone continuation byte": b"\x80",
    "cut short": b"\xe2\x82",
    "overlong slash": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond unicode": b"\xf4\x90\x80\x80",
    "never a byte": b"\xfe",
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frames_fail_the_connection(raw: RawSocket, name: str) -> None:
    raw.send(b"".join(BAD_FRAMES[name]))
    code = raw.close_code()
    assert code == BAD_FRAME or (name.startswith("a length") and code == TOO_BIG)


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_text_that_is_no_utf_8_fails_the_connection(server: Server, name: str) -> None:
    text = b'{"type":"' + BAD_TEXTS[name]
    pieces = [frame(TEXT, text[:-1], fin=False), frame(CONTINUATION, text[-1:])]
    for sent in ([frame(TEXT, text)], pieces, [close_frame(1000, BAD_TEXTS[name])]):
        with RawSocket(server.port) as raw:
            raw.open(server.port, STREAM)
            raw.send(b"".join(sent))
            assert raw.close_code() == BAD_TEXT


def test_messages_that_are_too_big_fail_the_connection(server: Server) -> None:
    half = bytes(3000)
    for sent in (
        frame(TEXT, bytes(5000)),
        frame(TEXT, half, fin=False) + frame(CONTINUATION, half),
        frame(TEXT, b"", claim=1 << 40),  # told before a byte of it came
        frame(TEXT, b"", claim=1 << 20),
    ):
        with RawSocket(server.port) as raw:
            raw.open(server.port, STREAM)
            raw.send(sent)
            assert raw.close_code() == TOO_BIG


def test_fragments_make_one_message_with_control_frames_between(raw: RawSocket) -> None:
    """Also where a character is cut in two, a fragment is empty, and bytes come one by one."""
    text = '{"type":"nonsénse"}'.encode()
    sent = [frame(TEXT, text[:13], fin=False), frame(PING, b"between"), frame(CONTINUATION, fin=False)]
    sent += [frame(PONG, b"nobody asked"), frame(CONTINUATION, text[13:])]
    raw.send(b"".join(sent[:2]))
    assert raw.until(PONG).payload == b"between"
    raw.send(b"".join(sent[2:]))
    assert "nonsénse" in answer(raw)["message"]
    for byte in frame(TEXT, NONSENSE, fin=False) + frame(CONTINUATION):
        raw.send(bytes([byte]))
    assert "nonsense" in answer(raw)["message"]


def test_every_byte_may_be_a_fragment(raw: RawSocket) -> None:
    first, *middle = [bytes([byte]) for byte in NONSENSE]
    frames = [frame(TEXT, first, fin=False), *(frame(CONTINUATION, byte, fin=False) for byte in middle)]
    raw.send(b"".join(frames) + frame(CONTINUATION))
    assert "nonsense" in answer(raw)["message"]


def test_pings_are_answered_with_what_they_held(raw: RawSocket) -> None:
    for payload in (b"", b"x", bytes(range(125))):
        raw.send(frame(PING, payload))
        assert raw.until(PONG).payload == payload
    raw.send(b"".join(frame(PING, bytes([at])) for at in range(10)))
    assert [raw.until(PONG).payload for _ in range(10)] == [bytes([at]) for at in range(10)]


def test_longer_length_forms_are_read(raw: RawSocket) -> None:
    long = b'{"type":"' + b"n" * 300 + b'"}'
    raw.send(frame(TEXT, long))
    assert answer(raw)["code"] == "bad_message"


def test_a_binary_message_is_none_of_the_protocol(raw: RawSocket) -> None:
    raw.send(frame(BINARY, PAUSE))
    assert answer(raw)["code"] == "bad_message"


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(raw: RawSocket, code: int) -> None:
    raw.send(close_frame(code, b"because " * 15) + frame(TEXT, PAUSE))  # what follows a close is not read
    assert raw.close_code() == code


def test_a_close_without_a_code_is_answered(raw: RawSocket) -> None:
    raw.send(frame(CLOSE))
    assert raw.close_code() in (1000, 1005)


def test_the_server_closes_with_1000_and_waits_for_the_answer(server: Server) -> None:
    with RawSocket(server.port) as raw:
        raw.open(server.port, f"{STREAM}&speed=0&from_bin=598")
        kinds = []
        while (found := raw.frame()).opcode != CLOSE:
            kinds.append((found.opcode, found.fin))
        assert kinds == [(TEXT, True), *[(TEXT, True), (BINARY, True)] * 2, (TEXT, True)]
        assert found.payload[:2] == b"\x03\xe8"
        raw.send(close_frame(1000))
        raw.wait_end()


def test_connections_that_end_without_a_close_free_their_stream(server: Server) -> None:
    for how in ("fin", "half a frame", "reset"):
        with RawSocket(server.port) as raw:
            raw.open(server.port, STREAM)
            raw.until(TEXT)
            if how == "half a frame":
                raw.send(frame(TEXT, PAUSE)[:7])
            if how == "reset":
                raw.socket.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER: no goodbye


async def with_aiohttp(url: str, query: str) -> list[str | bytes]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}{PATH}?{query}", max_msg_size=0) as socket:
        await socket.ping(b"here")
        got = [message.data async for message in socket]
        assert socket.close_code == 1000
        return got


async def with_tornado(url: str, query: str) -> list[str | bytes]:
    socket = await websocket_connect(f"{url.replace('http', 'ws')}{PATH}?{query}", max_message_size=1 << 24)
    got: list[str | bytes] = []
    while (message := await socket.read_message()) is not None:
        got.append(message)
    assert socket.close_code == 1000
    return got


@pytest.mark.parametrize("read", [with_aiohttp, with_tornado])
def test_clients_of_other_makes_get_the_same_bytes(server: Server, read: Any) -> None:
    query = "serving=short_derivative&speed=0&from_bin=300"
    mine: Stream = server.stream(query)
    theirs = asyncio.run(read(server.url, query))
    assert list(zip(theirs[1:-1:2], theirs[2:-1:2], strict=True)) == mine.bins
    assert json.loads(theirs[0]) == mine.config
    assert json.loads(theirs[-1]) == mine.last


def test_another_client_talks_back(server: Server) -> None:
    async def talk() -> list[int]:
        url = server.url + STREAM
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
            config = await socket.receive_json()
            target = int(config["capture"]["start_ns"]) + 500 * 100_000_000
            await socket.send_json({"type": "seek", "ts_ns": str(target)})
            await socket.send_json({"type": "speed", "value": 0})
            updates = [message.data async for message in socket if message.type == aiohttp.WSMsgType.TEXT][:-1]
        return [json.loads(update)["bin_seq"] for update in updates]

    seen = asyncio.run(talk())
    assert seen[-100:] == list(range(500, 600))
    assert len(seen) < 110
