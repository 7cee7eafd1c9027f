"""The WebSocket protocol of the server with an end for peers that read nothing.

uvicorn closes a connection by flushing what is buffered first. A peer that is gone without a word, or stopped, never
takes it, so the connection, and with it a session, would stay for as long as the system retries.
"""

from __future__ import annotations

import asyncio

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

FLUSH_S = 2.0  # for a peer that is gone to take what is buffered
GOODBYE_S = 15.0  # for a peer to answer the close of a stream that is over, after uvicorn's own 10 s


class StreamSocket(WebSocketsSansIOProtocol):
    """Drops a connection that does not take its close, and tells the session as soon as its peer is gone: it answers no
    ping, or has sent its last byte."""

    gone = False

    def data_received(self, data: bytes) -> None:
        """Take bytes; a handshake that cannot be read, as with lines beyond 8 kB, is answered, which uvicorn omits."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.handshake_initiated = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """Pass a message on; a client that is gone is no mistake of the session, for which uvicorn would take it."""
        if self.gone:
            raise ClientDisconnected
        await super().send(message)

    def keepalive_timeout(self) -> None:
        """No pong came: say so, then drop."""
        super().keepalive_timeout()
        self._leave(1011, "keepalive ping timeout")

    def eof_received(self) -> None:
        """The peer has hung up. What is buffered would be flushed first, and whoever reads nothing never takes it."""
        super().eof_received()
        self._leave(1006, "connection ended")

    def _leave(self, code: int, reason: str) -> None:
        self.gone = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.loop.call_later(FLUSH_S, self.transport.abort)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The session is over: the connection has a while to end."""
        super().on_task_complete(task)
        if not self.disconnected:
            self.loop.call_later(GOODBYE_S, self.transport.abort)
