"""A WebSocket client made of bytes, for frames that no library would send. Frames as RFC 6455, section 5.2."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import struct
import time
from typing import NamedTuple, Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Frame(NamedTuple):
    """One frame as it came."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, claim: int | None = None
) -> bytes:
    """One frame as bytes. claim: the length that is announced, if it is not that of the payload."""
    length = len(payload) if claim is None else claim
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if length < 126:
        head += bytes([masked << 7 | length])
    elif length < 1 << 16:
        head += bytes([masked << 7 | 126]) + struct.pack(">H", length)
    else:
        head += bytes([masked << 7 | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A close with a code."""
    return frame(CLOSE, struct.pack(">H", code) + reason)


def handshake(port: int, path: str, **headers: str | None) -> bytes:
    """An opening request; None leaves a header out, and underscores stand for dashes."""
    values: dict[str, str | None] = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    values |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in values.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class RawSocket:
    """A TCP connection with what is left of the last read."""

    def __init__(self, port: int, timeout_s: float = 5.0, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """All of it."""
        self.socket.sendall(data)

    def response(self) -> tuple[int, dict[str, str]]:
        """(status, headers) of an HTTP answer; names in lower case."""
        while b"\r\n\r\n" not in self._held:
            self._more()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value.strip() for name, value in pairs}

    def open(self, port: int, path: str) -> None:
        """A handshake that must succeed."""
        request = handshake(port, path)
        self.send(request)
        status, headers = self.response()
        assert status == 101, status
        key = next(line[19:] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))
        assert headers["sec-websocket-accept"] == base64.b64encode(hashlib.sha1(key + _ACCEPT_GUID).digest()).decode()
        assert "sec-websocket-extensions" not in headers

    def rest(self) -> bytes:
        """Everything to the end of the connection."""
        with contextlib.suppress(ConnectionError):
            while True:
                self._more()
        return self._held

    def frame(self) -> Frame:
        """The next frame; ConnectionError at the end of the connection."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return Frame(bool(first >> 7), first >> 4 & 7, first & 15, bool(second >> 7), self._take(length))

    def until(self, *opcodes: int) -> Frame:
        """The next frame of one of these kinds; others are skipped."""
        while True:
            found = self.frame()
            assert found.rsv == 0
            assert not found.masked
            if found.opcode in opcodes:
                return found

    def close_code(self) -> int:
        """The code of the server's close, then the end of the connection is waited for."""
        payload = self.until(CLOSE).payload
        self.wait_end()
        return int.from_bytes(payload[:2]) if payload else 1005

    def wait_end(self, seconds: float = 5.0) -> None:
        """The server must end the connection."""
        deadline = time.monotonic() + seconds
        try:
            while self.socket.recv(1 << 16):
                assert time.monotonic() < deadline, "the connection stays open"
        except ConnectionError:
            return

    def _take(self, n: int) -> bytes:
        while len(self._held) < n:
            self._more()
        taken, self._held = self._held[:n], self._held[n:]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the connection ended")
        self._held += data
