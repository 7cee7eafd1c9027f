"""One connection of a client to the stream: opened, read, refused or lost. It knows nothing of bins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from vp_engine.errors import ConfigError, VPError
from vp_serving.settings import is_loopback
from vp_serving.wire.messages import STREAM_PATH

QUIET_S = 30.0  # without a message the other end is asked whether it is still there
CLOSE_S = 1.0  # how long a goodbye is waited for
MAX_MESSAGE = 1 << 24  # bytes; a bin of the widest grid has under a quarter of that


class StreamError(VPError):
    """The service refused or ended the stream. `code`, `message` and `parameter` are what it said."""

    def __init__(self, code: str, message: str, parameter: str | None = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code, self.message, self.parameter = code, message, parameter


class Unreachable(StreamError):
    """There is no service at the address, or it stayed away longer than the client's patience. Code `unreachable`."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


class MessageIgnored(StreamError):
    """The service ignored a message of this client; iterating again goes on with the stream."""


class StreamChanged(StreamError):
    """After a lost connection the service replays something else under the same query. Code `changed`."""

    def __init__(self, message: str) -> None:
        super().__init__("changed", message)


class ConnectionLost(Exception):
    """The connection is gone, or its other end does not answer."""


def stream_address(url: str) -> str:
    """Where the stream of a service is, from http, https, ws or wss; ConfigError for anything else."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ConfigError(f"`url` must be the service's address, such as http://127.0.0.1:8002, was {url!r}")
    scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{STREAM_PATH}"


def told(message: dict[str, Any]) -> StreamError:
    """An `error` message as an exception."""
    return StreamError(message.get("code", "protocol"), message.get("message", "no reason"), message.get("parameter"))


class ClientSocket:
    """An open WebSocket. What fails raises ConnectionLost."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, address: str, protocols: Sequence[str]) -> Self:
        """Connect; Unreachable where there is no service, StreamError where it refuses."""
        parts = urlsplit(address)
        proxy: Literal[True] | None = None if is_loopback(parts.hostname or "") else True
        try:
            socket = await connect(
                address,
                subprotocols=[Subprotocol(name) for name in protocols],
                compression=None,
                max_size=MAX_MESSAGE,
                ping_interval=None,  # a slow reader's pongs wait behind its bins; `receive` asks when it is quiet
                close_timeout=CLOSE_S,
                proxy=proxy,
            )
        except InvalidStatus as error:
            raise _refused(error) from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(f"no stream at {parts.scheme}://{parts.netloc}: {why}; is vp-serve running?") from None
        return cls(socket)

    async def receive(self) -> dict[str, Any] | bytes:
        """The next message: a text one decoded, a binary one as it came. Safe to cancel."""
        try:
            while True:
                try:
                    async with asyncio.timeout(QUIET_S):
                        message = await self._socket.recv()
                        break
                except TimeoutError:
                    async with asyncio.timeout(QUIET_S):
                        await (await self._socket.ping())
        except (ConnectionClosed, TimeoutError) as error:
            raise ConnectionLost(str(error)) from None
        return message if isinstance(message, bytes) else _decoded(message)

    async def send(self, **message: Any) -> None:
        """Send one client message."""
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise ConnectionLost(str(error)) from None

    async def close(self) -> None:
        """Say goodbye and go."""
        await self._socket.close()

    def abort(self) -> None:
        """Go without a goodbye."""
        self._socket.transport.abort()


def _decoded(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict) or "type" not in message:
        raise StreamError("protocol", "the service sent something that is no message of this protocol")
    return message


def _refused(error: InvalidStatus) -> StreamError:
    """An HTTP answer in place of the stream; one of a service that is coming up is worth another try."""
    status = error.response.status_code
    said = (error.response.body or b"").decode(errors="replace").strip()[:200]
    if status >= 500:
        return Unreachable(f"the service answered HTTP {status}{f': {said}' if said else ''}")
    why = said or "its origin, host or path is not accepted"
    return StreamError(f"http_{status}", f"the service refused the connection with HTTP {status}: {why}")
