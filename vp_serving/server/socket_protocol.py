"""The WebSocket protocol of the server with an end for peers that read nothing.

uvicorn closes a connection by flushing what is buffered first. A peer that is gone without a word, or stopped, never
takes it, so the connection, and with it a session, would stay for as long as the system retries.

A client has little to say, so its frames have a budget: FRAMES at once, FRAMES_PER_S in the long run, pings and
fragments among them. Whoever sends more is closed with 1008, before more of what was sent is looked at.
"""

from __future__ import annotations

import asyncio

from websockets.frames import Frame

from vp_serving.server.uvicorn_internals import ASGISendEvent, ClientDisconnected, WebSocketsSansIOProtocol

FLUSH_S = 2.0  # for a peer that is gone to take what is buffered
FRAMES = 1024
FRAMES_PER_S = 100.0
MAX_FRAGMENTS = 64  # of one message
_SLICE = 1024  # bytes that are parsed before the budget is looked at
GOODBYE_S = 15.0  # for a peer to answer the close of a stream that is over, after uvicorn's own 10 s


class StreamSocket(WebSocketsSansIOProtocol):
    """Drops a connection that does not take its close, and tells the session as soon as its peer is gone: it answers no
    ping, or has sent its last byte."""

    gone = False
    _budget = float(FRAMES)
    _counted_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Take bytes; a handshake that cannot be read, as with lines beyond 8 kB, is answered, which uvicorn omits."""
        if self.handshake_initiated:
            now = self.loop.time()
            self._budget = min(FRAMES, self._budget + (now - self._counted_at) * FRAMES_PER_S)
            self._counted_at = now
        size = _SLICE if self.handshake_initiated else max(len(data), 1)
        for at in range(0, len(data), size):
            if self.gone or self.transport.is_closing():
                return
            super().data_received(data[at : at + size])
            if self._budget < 0 or len(self.frames) > MAX_FRAGMENTS:
                self._close_flood()
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.handshake_initiated = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_text(self, event: Frame) -> None:
        """Count it."""
        self._budget -= 1
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count it."""
        self._budget -= 1
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count it."""
        self._budget -= 1
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Count it."""
        self._budget -= 1
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Count it."""
        self._budget -= 1
        super().handle_pong(event)

    def _close_flood(self) -> None:
        if not self.close_sent:
            self.close_sent = True
            self.conn.send_close(1008)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self._leave(1008, "too many frames")

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
