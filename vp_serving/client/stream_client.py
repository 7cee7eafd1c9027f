"""A client of the stream: bins as (update, table), through lost connections and restarts of the service.

    async with StreamClient("http://127.0.0.1:8002", serving="mnq_60m_baseline", speed=0) as stream:
        async for update, table in stream:
            print(update["ts_ns"], table["composite"].to_numpy().max())

A lost connection is made again with growing waits, and the stream goes on at the bin after the last one that was
handed out, so a caller sees every bin once and in order; bins that the service skipped because the caller was slow are
told in `update["dropped"]`. 64-bit integers, which the wire spells as text, are Python ints here.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import pyarrow as pa

from vp_engine.errors import ConfigError
from vp_engine.units import NS_PER_MS
from vp_serving.client.socket import (
    ClientSocket,
    ConnectionLost,
    MessageIgnored,
    StreamChanged,
    StreamError,
    Unreachable,
    stream_address,
    told,
)
from vp_serving.wire.messages import SUBPROTOCOL, TOKEN_SUBPROTOCOL, UPDATE_FIELDS, is_int64_text

__all__ = ["Bin", "MessageIgnored", "StreamChanged", "StreamClient", "StreamError", "Unreachable", "replay"]

DEFAULT_URL = "http://127.0.0.1:8002"
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0  # between attempts to connect again; the limit doubles from one to the other
_INTS = tuple(field.name for field in UPDATE_FIELDS if is_int64_text(field))


class Bin(NamedTuple):
    """One bin: the `grid_update` message (GridUpdate in vp_serving.wire.messages), and its grid, one row per k."""

    update: dict[str, Any]
    table: pa.Table


class StreamClient:
    """One stream. Opening it raises Unreachable or StreamError; so does iterating, once it cannot go on.

    `query`: parameters of the stream, such as `serving`, `dataset`, `run_id`, `dt`, `state_model_*`; sequences are
    joined by commas, None is left out. `patience_s`: how long a lost service is waited for; at the start it is not.
    After the end, iterating stops; a seek then opens the stream again. One task iterates, any may pause, resume, seek
    or change the speed.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        speed: float = 1.0,
        from_bin: int = 0,
        patience_s: float = 60.0,
        **query: Any,
    ) -> None:
        self._address = stream_address(url)
        self._protocols = [SUBPROTOCOL] + ([TOKEN_SUBPROTOCOL + token] if token else [])
        self._query = {name: _text(value) for name, value in query.items() if value is not None}
        self._patience_s = patience_s
        self._speed, self._paused = _checked_speed(speed), False
        self._next_bin = from_bin
        self._sought: int | None = None  # until this bin comes, others are from before the seek
        self._connection: ClientSocket | None = None
        self._update: dict[str, Any] | None = None  # the last one, while its grid has not come yet
        self._config: dict[str, Any] = {}
        self._end: dict[str, Any] | None = None
        self.bins = self.dropped = self.reconnects = 0
        """Bins handed out, bins the service skipped for this client, connections made again."""
        self.behind = 0
        """Bins that the service still computes before the next one can come, as after a seek without a dataset."""

    @property
    def config(self) -> dict[str, Any]:
        """The `runtime_config` message (RuntimeConfig in vp_serving.wire.messages)."""
        return self._config

    @property
    def end(self) -> dict[str, Any] | None:
        """The `end` message once the capture is over, else None."""
        return self._end

    @property
    def next_bin(self) -> int:
        """The `bin_seq` that comes next: `from_bin` of a client that takes over."""
        return self._next_bin if self._sought is None else self._sought

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the stream; what has not been read is lost."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Bin:
        while self._end is None:
            if self._connection is None:
                await self._connect_again()
                continue
            try:
                message = await self._connection.receive()
            except ConnectionLost:
                self._lose()
                continue
            if isinstance(message, dict):
                await self._obey(message)
            elif (found := self._take(message)) is not None:
                return found
        raise StopAsyncIteration

    async def pause(self) -> None:
        """Hold the replay; bins under way still come."""
        self._paused = True
        await self._send(type="pause")

    async def resume(self) -> None:
        """Go on after a pause."""
        self._paused = False
        await self._send(type="resume")

    async def speed(self, value: float) -> None:
        """Replay at `value` times market time, 0 as fast as bins are taken; ConfigError below 0 or not finite."""
        self._speed = _checked_speed(value)
        await self._send(type="speed", value=self._speed)

    async def seek(self, ts_ns: int) -> None:
        """Go on at the bin that holds a time: it is the next one handed out, also while paused.

        ConfigError outside the capture.
        """
        start_ns, end_ns = (self._config["capture"][name] for name in ("start_ns", "end_ns"))
        if not start_ns <= ts_ns < end_ns:
            raise ConfigError(f"`ts_ns` {ts_ns} lies outside the capture, {start_ns} to {end_ns} (end excluded)")
        self._sought = (ts_ns - start_ns) // self._bin_ns
        if self._end is not None:
            await self.close()
            self._end = None
        await self._send(type="seek", ts_ns=str(ts_ns))

    @property
    def _bin_ns(self) -> int:
        return int(self._config["cell_width_ms"]) * NS_PER_MS

    async def _send(self, **message: Any) -> None:
        """Tell the service; where the connection is lost, the next one is opened with what was asked."""
        if self._connection is not None:
            try:
                await self._connection.send(**message)
            except ConnectionLost:
                self._lose()

    def _take(self, grid: bytes) -> Bin | None:
        """The bin that this grid completes; None for one from before a seek, or had already."""
        update, self._update = self._update, None
        if update is None:
            raise StreamError("protocol", "the service sent a grid without its update")
        seq, first = update["bin_seq"], update["bin_seq"] - update["dropped"]
        if self._sought is not None:
            if not first <= self._sought <= seq:
                return None
            self._next_bin, self._sought = self._sought, None
        if seq < self._next_bin:
            return None
        if first > self._next_bin:
            raise StreamError("protocol", f"bins {self._next_bin} to {first - 1} are missing and were not announced")
        self.bins += 1
        self.behind = 0
        self.dropped += seq - self._next_bin
        self._next_bin = seq + 1
        return Bin(update, pa.ipc.open_stream(grid).read_all())

    async def _obey(self, message: dict[str, Any]) -> None:
        """A text message of the service; StreamError where it says why the stream is over."""
        match message["type"]:
            case "grid_update":
                for name in _INTS:
                    message[name] = int(message[name])
                self._update = message
            case "warming":
                self.behind = message.get("behind") or 0
            case "end" if self._sought is None:
                self._end = message
            case "end":
                self._lose()  # it crossed a seek, which the next connection asks for
            case "error" if message["code"] == "bad_message":
                raise MessageIgnored(message["code"], message["message"])
            case "error":
                await self.close()
                raise told(message)

    async def _connect(self) -> None:
        """Open the stream at the bin that is next, up to its first message."""
        at, speed = self.next_bin, self._speed
        query = urlencode({**self._query, "speed": f"{speed:.17g}", "from_bin": at})
        connection = await ClientSocket.open(f"{self._address}?{query}", self._protocols)
        try:
            message = await connection.receive()
            while isinstance(message, dict) and message["type"] == "warming":
                message = await connection.receive()
            if not isinstance(message, dict) or message["type"] != "runtime_config":
                raise told(message if isinstance(message, dict) else {})
            self._begin(message, at)
        except ConnectionLost:
            raise Unreachable(f"the stream at {self._address} was closed before its first message") from None
        except BaseException:
            connection.abort()
            raise
        self._connection, self._update = connection, None
        if self._paused:
            await self._send(type="pause")
        if self._speed != speed:  # what was asked for while the connection was being made
            await self._send(type="speed", value=self._speed)
        if self._sought is not None:
            await self._send(type="seek", ts_ns=str(self._config["capture"]["start_ns"] + self._sought * self._bin_ns))

    def _begin(self, message: dict[str, Any], at: int) -> None:
        """Note the first message of a connection; StreamChanged where it is of another stream than before."""
        if self._config and _what(self._config) != _what(message):
            raise StreamChanged("the service came back with other data or another serving spec; open the stream anew")
        capture = message["capture"]
        times = {name: int(capture[name]) for name in ("start_ns", "end_ns")}
        self._config = message | {"tick_int": int(message["tick_int"]), "capture": capture | times}
        self._next_bin, self._sought = at, (None if self._sought == at else self._sought)

    async def _connect_again(self) -> None:
        """Open the stream again; Unreachable once patience has run out, StreamError where it is refused for good."""
        if self._config and self.next_bin >= self._config["capture"]["n_bins"]:  # lost between last bin and `end`
            self._end = {"type": "end", "reason": "complete", "bins": self.bins, "dropped": self.dropped}
            return
        loop = asyncio.get_running_loop()
        give_up, limit_s = loop.time() + self._patience_s, FIRST_WAIT_S
        while True:
            try:
                await self._connect()
                self.reconnects += 1
                return
            except StreamError as error:
                wait_s = random.uniform(limit_s / 2, limit_s)  # a restart brings all clients here at the same moment
                for_good = not isinstance(error, Unreachable) and error.code != "too_many_streams"
                if for_good or loop.time() + wait_s > give_up:
                    raise
            await asyncio.sleep(wait_s)
            limit_s = min(2 * limit_s, LONGEST_WAIT_S)

    def _lose(self) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._connection.abort()
        self._connection = self._update = None


def replay(url: str = DEFAULT_URL, **options: Any) -> Iterator[Bin]:
    """Bins of a stream where no event loop runs; options as of StreamClient."""
    with asyncio.Runner() as runner:
        client = StreamClient(url, **options)
        runner.run(client.__aenter__())
        try:
            while (found := runner.run(_next_of(client))) is not None:
                yield found
        finally:
            runner.run(client.close())


async def _next_of(client: StreamClient) -> Bin | None:
    return await anext(client, None)


def _what(config: dict[str, Any]) -> tuple[Any, ...]:
    """What a stream is of: data, spec and parameters."""
    return config["addresses"]["dataset"], config["serving"], config["config_version"]


def _checked_speed(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"`speed` must be 0 or more, was {value}")
    return float(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
