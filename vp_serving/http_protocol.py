"""The HTTP protocol of the server with an end for peers that are slow on purpose. uvicorn waits without end for a
request that was begun and for an answer to be read; here both have a while, counted from their beginning, so that a
byte now and then buys no time. Requests of this service have no bodies that anybody waits for.
"""

from __future__ import annotations

import asyncio

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

HEADERS_S = 10.0  # from the connection, or the first byte of another request, to the end of its headers
ANSWER_S = 60.0  # for a peer to make room for more of an answer
_TOO_LATE = b"the headers of the request did not come in time"


class BoundedHttp(HttpToolsProtocol):
    """Ends connections whose requests do not come, or whose answers are not taken."""

    _headers_due: asyncio.TimerHandle | None = None
    _room_due: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None

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
        if self._answered():
            self._await_headers()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins, perhaps in the same bytes as the one before."""
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        """The request is there."""
        self._have_headers()
        super().on_headers_complete()

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
        self._silence()
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
            head = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(_TOO_LATE)
            self.transport.write(STATUS_LINE[408] + head + _TOO_LATE)
            self.transport.close()
