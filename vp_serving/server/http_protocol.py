"""The HTTP protocol of the server with an end for peers that are slow on purpose. uvicorn waits without end for a
request that was begun and for an answer to be read; here both have a while, counted from their beginning, so that a
byte now and then buys no time. Requests of this service have no bodies that anybody waits for.

Sizes have limits too, in bytes of one request. A request beyond one is answered (414, 431, 413) where no earlier answer
is under way on its connection, and the connection ends either way.
"""

from __future__ import annotations

import asyncio

from vp_serving.server.uvicorn_internals import (
    STATUS_LINE,
    ASGI3Application,
    HttpToolsProtocol,
    RequestResponseCycle,
)

HEADERS_S = 10.0  # from the connection, or the first byte of another request, to the end of its headers
ANSWER_S = 60.0  # for a peer to make room for more of an answer
MAX_TARGET = 16 << 10  # path and query
MAX_HEAD = 64 << 10  # request line and headers
MAX_HEADERS = 100
MAX_BODY = 64 << 10
MAX_PIPELINED = 16  # requests that wait for the answer to an earlier one
LINGER_S = 1.0  # for a refused peer to read why
# Bytes of a refused peer that are read and thrown away, since closing on unread bytes loses the answer.
_LINGER_BYTES = 1 << 20
_SLICE = 2 << 10  # bytes that are parsed before the limits are looked at
_TOO_LATE = "the headers of the request did not come in time"
_PHRASES = {
    413: f"the body of the request is larger than {MAX_BODY} bytes",
    414: f"path and query of the request are longer than {MAX_TARGET} bytes",
    431: f"the headers of the request are larger than {MAX_HEAD} bytes or more than {MAX_HEADERS}",
}


class BoundedHttp(HttpToolsProtocol):
    """Ends connections whose requests do not come, or whose answers are not taken."""

    _headers_due: asyncio.TimerHandle | None = None
    _room_due: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None
    _in_head = False
    _head_bytes = _header_bytes = _body_bytes = _discarded = 0  # received; of whole headers
    _excess: int | None = None  # status of the limit that the request at hand is beyond
    _too_many = False  # requests that wait for an earlier answer
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A peer has come: its request is waited for."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone."""
        self._have_headers()
        self._silence()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; between requests they are the beginning of one."""
        if self._refused:
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.transport.abort()
            return
        if self._answered():
            self._await_headers()
        for at in range(0, len(data), _SLICE):
            part = data[at : at + _SLICE]
            super().data_received(part)
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            if self._in_head:
                self._head_bytes += len(part)
                if self._head_bytes > MAX_HEAD:
                    self._excess = self._excess or 431
            if self._excess is not None:
                self._refuse(self._excess, _PHRASES[self._excess])
                return
            if self._too_many:
                self._drop()
                return

    def on_message_begin(self) -> None:
        """A request begins, perhaps in the same bytes as the one before."""
        super().on_message_begin()
        self._in_head, self._head_bytes, self._header_bytes, self._body_bytes = True, 0, 0, 0
        self._await_headers()

    def on_url(self, url: bytes) -> None:
        """Some of the request's target."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET:
            self._excess = self._excess or 414

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the request."""
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value) + 4
        if len(self.headers) > MAX_HEADERS or self._header_bytes > MAX_HEAD:
            self._excess = self._excess or 431
        elif name.lower() == b"content-length" and value.isdigit() and int(value[:20]) > MAX_BODY:
            self._excess = self._excess or 413

    def on_headers_complete(self) -> None:
        """The request is there; one beyond a limit goes no further."""
        self._in_head = False
        self._have_headers()
        self._too_many = self._too_many or len(self.pipeline) >= MAX_PIPELINED
        if self._excess is None and not self._too_many:
            super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """The request wants a stream; one beyond a limit goes no further."""
        if self._excess is None and not self._too_many:
            super().handle_websocket_upgrade()

    def on_body(self, body: bytes) -> None:
        """Some of a body, which nobody waits for."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY:
            self._excess = self._excess or 413
        if self._excess is None and not self._too_many:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has ended."""
        if self._excess is None and not self._too_many:
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The peer does not read as fast as it is answered."""
        super().pause_writing()
        if self._room_due is None:
            self._room_due = self.loop.call_later(ANSWER_S, self._drop)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self._room_due is not None:
            self._room_due.cancel()
            self._room_due = None

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more was asked: go, even where the last of the answer is not taken."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(ANSWER_S, self._drop)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle  # of requests that came together, the one that is answered now
        super()._start_asgi_task(cycle, app)

    def _drop(self) -> None:
        self._refused = True
        self._silence()
        self.pipeline.clear()
        self.transport.abort()

    def _silence(self) -> None:
        """What is still answered writes nothing more."""
        for cycle in (self._answering, self.cycle):
            if cycle is not None:
                cycle.disconnected = True

    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(HEADERS_S, self._give_up)

    def _have_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up(self) -> None:
        self._headers_due = None
        if not self._answered():  # an earlier request of this connection is still being answered
            self._await_headers()
        elif not self.transport.is_closing():
            self._refuse(408, _TOO_LATE)

    def _refuse(self, status: int, text: str) -> None:
        """Answer a request that cannot be taken, unless part of another answer would stand before it, and go."""
        self._refused = True
        self._have_headers()
        if not self._answered() and (self.pipeline or self._answering is not self.cycle or self.cycle.response_started):
            self._drop()
            return
        self._silence()
        head = f"content-type: text/plain\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + text.encode())
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)
