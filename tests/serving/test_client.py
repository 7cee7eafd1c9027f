"""The client: bins in order through kills, restarts and cut connections; control messages; refusals by their words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from small_house import House
from test_pacing import Bins
from websockets.asyncio.server import ServerConnection, serve
from wire_client import Server, Stream, serving

from vp_engine.errors import ConfigError
from vp_serving.client import MessageIgnored, StreamChanged, StreamClient, StreamError, Unreachable, replay
from vp_serving.client import socket as client_socket
from vp_serving.client import stream_client as client_module
from vp_serving.replay.readers import Ahead
from vp_serving.wire.frames import encode_table

TOKEN = "a-token-of-enough-letters"
BIN_NS = 100_000_000


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that comes back sooner than people would need."""
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(client_module, "LONGEST_WAIT_S", 0.1)


@pytest.fixture(scope="module")
def whole(server: Server) -> Stream:
    """The stream as it is without a mishap."""
    return server.stream("serving=short_derivative&speed=0")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def service(house: House, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`vp-serve` as a process of its own, killed without warning at the end."""
    command = [sys.executable, "-m", "vp_serving", "--port", str(port), "--lake-root", str(house.root)]
    environ = {"VP_CONFIG_DIR": str(house.configs), "PATH": ""}
    process = subprocess.Popen([*command, "--log-level", "error"], env=environ, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def as_sent(got: Stream) -> list[tuple[int, Any]]:
    """(ts_ns, grid) of every bin."""
    return [(int(update["ts_ns"]), got.table(at)) for at, update in enumerate(got.updates)]


async def seqs(stream: StreamClient, n: int) -> list[int]:
    return [(await anext(stream)).update["bin_seq"] for _ in range(n)]


def test_every_bin_with_its_grid(server: Server, whole: Stream) -> None:
    async def read() -> tuple[StreamClient, list[Any]]:
        async with StreamClient(server.url, serving="short_derivative", speed=0) as stream:
            return stream, [found async for found in stream]

    stream, got = asyncio.run(read())
    assert [(found.update["ts_ns"], found.table) for found in got] == as_sent(whole)
    assert got[7].update["best_bid_price_int"] == int(whole.updates[7]["best_bid_price_int"])
    assert stream.config["capture"]["start_ns"] == got[0].update["bin_start_ns"]
    assert stream.end == {"type": "end", "reason": "complete", "bins": 600, "dropped": 0}
    assert (stream.bins, stream.dropped, stream.reconnects, stream.next_bin) == (600, 0, 0, 600)


def test_without_an_event_loop(server: Server) -> None:
    options = {"serving": "short_plain", "speed": 0, "from_bin": 590, "projection_horizons_bins": [2, 5]}
    got = list(replay(server.url, **options))
    assert [update["bin_seq"] for update, _ in got] == list(range(590, 600))
    assert got[0].table.column_names[-2:] == ["proj_score_h200", "proj_score_h500"]


def test_a_service_killed_and_started_again_costs_no_bin(house: House, whole: Stream) -> None:
    port = free_port()
    with contextlib.ExitStack() as running:

        async def read() -> tuple[StreamClient, list[Any]]:
            first = running.enter_context(service(house, port))
            stream = StreamClient(f"127.0.0.1:{port}", serving="short_derivative", speed=0)
            for _ in range(600):
                with contextlib.suppress(Unreachable):
                    await stream.__aenter__()
                    break
                await asyncio.sleep(0.05)
            got = [await anext(stream) for _ in range(150)]
            first.kill()
            await asyncio.to_thread(first.wait, 10)
            running.enter_context(service(house, port))
            got += [found async for found in stream]
            await stream.close()
            return stream, got

        stream, got = asyncio.run(read())
    assert [(found.update["ts_ns"], found.table) for found in got] == as_sent(whole)
    assert stream.reconnects == 1


class Gate:
    """A TCP relay in front of a service that cuts what goes through it, at once or after some bytes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self.closed = False
        self.cut_after = 1 << 40

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        relay = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        finally:
            relay.close()
            self.cut()

    def cut(self) -> None:
        """Every connection is gone, without a goodbye."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            writer.transport.abort()
            return
        back, there = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, there]
        await asyncio.gather(self._pump(reader, there, 1 << 40), self._pump(back, writer, self.cut_after))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, budget: int) -> None:
        with contextlib.suppress(ConnectionError):
            while budget > 0 and (data := await source.read(min(budget, 1 << 16))):
                budget -= len(data)
                target.write(data)
                await target.drain()
        target.transport.abort()


def test_connections_cut_anywhere_cost_no_bin(server: Server, whole: Stream) -> None:
    """Every connection ends in the middle of some message; each brings the stream on."""

    async def read() -> tuple[int, list[Any]]:
        gate = Gate(server.port)
        gate.cut_after = 1_234_567
        async with gate.open() as url, StreamClient(url, serving="short_derivative", speed=0) as stream:
            return stream.reconnects, [found async for found in stream] + [stream.reconnects]

    before, got = asyncio.run(read())
    assert before == 0
    assert got.pop() >= 8
    assert [(found.update["ts_ns"], found.table) for found in got] == as_sent(whole)


def test_pause_speed_and_seek_outlive_a_connection(server: Server) -> None:
    async def talk() -> None:
        gate = Gate(server.port)
        async with gate.open() as url, StreamClient(url, serving="short_plain", speed=1) as stream:
            start_ns = stream.config["capture"]["start_ns"]
            assert await seqs(stream, 2) == [0, 1]
            gate.cut()
            await stream.speed(25)
            await stream.seek(start_ns + 400 * BIN_NS + 5)
            assert stream.next_bin == 400
            assert await seqs(stream, 100) == list(range(400, 500))
            await stream.speed(1)
            await stream.pause()
            with contextlib.suppress(TimeoutError):
                while True:
                    await asyncio.wait_for(anext(stream), 0.3)
            gate.cut()
            with contextlib.suppress(TimeoutError):  # paused again on the new connection
                while True:
                    await asyncio.wait_for(anext(stream), 0.5)
            assert stream.reconnects == 2
            held = stream.next_bin
            assert held < 600  # it was held before the end; how far it came by then is the machine's business
            await stream.speed(0)
            await stream.resume()
            assert [update["bin_seq"] async for update, _ in stream] == list(range(held, 600))
            await stream.seek(start_ns + 590 * BIN_NS)
            assert stream.end is None
            assert [update["bin_seq"] async for update, _ in stream] == list(range(590, 600))

    asyncio.run(talk())


@pytest.mark.parametrize("ahead", [1, 3, 40, 300, -100])
def test_a_seek_is_followed_by_its_bin_and_none_twice(server: Server, ahead: int) -> None:
    """However near: bins under way are told from those after the jump."""

    async def talk() -> list[int]:
        async with StreamClient(server.url, serving="short_plain", speed=0) as stream:
            await seqs(stream, 200)
            await stream.seek(stream.config["capture"]["start_ns"] + (199 + ahead) * BIN_NS)
            return [update["bin_seq"] async for update, _ in stream]

    assert asyncio.run(talk()) == list(range(199 + ahead, 600))


def test_a_slow_reader_is_told_what_it_lost(house: House) -> None:
    bins = Bins(4000)

    async def read() -> tuple[StreamClient, list[int]]:
        stream = StreamClient(fake.url, speed=2000)
        async with stream:
            got = await seqs(stream, 1)
            while bins.taken < 3000:
                await asyncio.sleep(0.01)
            got += [update["bin_seq"] async for update, _ in stream]
        return stream, got

    with serving(house.settings(), lambda request: _Streamable(bins)) as fake:
        stream, got = asyncio.run(read())
    assert got == sorted(got)
    assert stream.dropped > 100
    assert stream.bins + stream.dropped == 4000


class _Streamable:
    """A stand-in replay with the parts of a first message that the client reads."""

    def __init__(self, bins: Bins, dataset: Callable[[], str] = lambda: "0") -> None:
        self._bins, self._dataset = bins, dataset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bins, name)

    def runtime_config(self, speed: float, from_bin: int) -> Any:
        message = _first(self._bins.n_bins, self._dataset())
        return type("Config", (), {"model_dump_json": staticmethod(lambda: message)})()

    def reader(self, pool: ThreadPoolExecutor, from_bin: int, patient: Callable[[], bool]) -> Ahead:
        return Ahead(pool, self.frames(from_bin))

    def frames(self, from_bin: int) -> Iterator[list[Any]]:
        empty = _EMPTY.replace("{", "").replace("}", "")
        for batch in self._bins.frames(from_bin):
            yield [frame._replace(text=f"{frame.text},{empty}", grid=_grid()) for frame in batch]


_EMPTY = json.dumps({name: "0" for name in client_module._INTS})


def _grid() -> bytes:
    return bytes(encode_table(pa.schema([("k", pa.int32())]), [np.zeros(5000, np.int32)]))


def _first(n_bins: int, dataset: str = "0") -> str:
    return json.dumps(
        {
            "type": "runtime_config", "tick_int": "1", "cell_width_ms": 100, "serving": None, "config_version": "0",
            "addresses": {"dataset": dataset}, "capture": {"start_ns": "0", "end_ns": str(n_bins), "n_bins": n_bins},
        }
    )  # fmt: skip


def test_going_over_to_market_speed_costs_no_bin(server: Server) -> None:
    """The queue is full of bins that nobody was late for."""

    async def read() -> int:
        async with StreamClient(server.url, serving="short_plain", speed=0) as stream:
            await seqs(stream, 1)
            await asyncio.sleep(0.3)
            await stream.speed(5)
            await seqs(stream, 110)
            return stream.dropped

    assert asyncio.run(read()) == 0


def test_refusals_carry_what_the_service_said(house: House, server: Server) -> None:
    async def refused(url: str, **options: Any) -> StreamError:
        with pytest.raises(StreamError) as refusal:
            async with StreamClient(url, **options):
                pass
        return refusal.value

    async def all_of_them() -> None:
        error = await refused(server.url, serving="nosuch")
        assert (error.code, error.parameter) == ("not_found", "serving")
        assert "nosuch" in error.message
        assert (await refused(server.url, from_bin=600, serving="short_plain")).parameter == "from_bin"
        assert (await refused(server.url, speeed=3)).code == "unknown_parameter"
        assert (await refused(server.url + "/nosuch", serving="short_plain")).code == "http_403"
        error = await refused(f"http://127.0.0.1:{free_port()}", serving="short_plain")
        assert isinstance(error, Unreachable)
        assert "vp-serve" in error.message
        for url in ("ftp://127.0.0.1", "http://", ""):
            with pytest.raises(ConfigError, match="url"):
                StreamClient(url)
        with pytest.raises(ConfigError, match="speed"):
            StreamClient(speed=-1)

    asyncio.run(all_of_them())


def test_the_token_opens_what_it_guards(house: House) -> None:
    with serving(house.settings({"VP_API_TOKEN": TOKEN})) as guarded:
        assert len(list(replay(guarded.url, token=TOKEN, serving="short_plain", speed=0, from_bin=598))) == 2
        for wrong in (None, "not-the-token-at-all"):
            with pytest.raises(StreamError) as refusal:
                next(replay(guarded.url, token=wrong, serving="short_plain"))
            assert refusal.value.code == "unauthorized"


def test_an_ignored_message_is_raised_once_and_the_stream_goes_on(server: Server) -> None:
    async def talk() -> None:
        async with StreamClient(server.url, serving="short_plain", speed=10) as stream:
            with pytest.raises(ConfigError, match="outside"):
                await stream.seek(5)
            await stream._send(type="nonsense")
            with pytest.raises(MessageIgnored, match="nonsense"):
                await seqs(stream, 600)
            at = stream.next_bin
            assert await seqs(stream, 3) == [at, at + 1, at + 2]

    asyncio.run(talk())


async def _odd_service(handler: Callable[[ServerConnection], Any], **options: Any) -> list[int]:
    """What a client gets from a service that behaves as the handler does."""
    async with serve(handler, "127.0.0.1", 0, compression=None) as odd:
        port = odd.sockets[0].getsockname()[1]
        async with StreamClient(f"http://127.0.0.1:{port}", **options) as stream:
            return [update["bin_seq"] async for update, _ in stream]


def _bin(seq: int) -> str:
    return f'{{"type":"grid_update","bin_seq":{seq},"dropped":0,{_EMPTY[1:]}'


def test_a_silent_connection_is_asked_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stops, with the connection open, is noticed; the next one goes on where it stopped."""
    monkeypatch.setattr(client_socket, "QUIET_S", 0.1)
    asked = []

    async def handler(socket: ServerConnection) -> None:
        asked.append(socket.request.path.rpartition("=")[2])  # type: ignore[union-attr]
        await socket.send(_first(4))
        for seq in range(int(asked[-1]), len(asked) * 2):
            await socket.send(_bin(seq))
            await socket.send(_grid())
        if len(asked) == 1:
            socket.transport.pause_reading()  # no answer to a ping, and no end
            await asyncio.sleep(0.5)
            socket.transport.abort()
            return
        await socket.send('{"type":"end"}')

    assert asyncio.run(_odd_service(handler)) == [0, 1, 2, 3]
    assert asked == ["0", "2"]


def test_a_full_service_is_asked_again_only_while_the_stream_is_under_way(server: Server) -> None:
    full = json.dumps({"type": "error", "code": "too_many_streams", "message": "all 1 streams are taken"})
    calls = []

    async def handler(socket: ServerConnection) -> None:
        calls.append(1)
        if len(calls) in (2, 3):
            await socket.send(full)
            return
        await socket.send(_first(2))
        await socket.send(_bin(len(calls) // 2 // 2))
        await socket.send(_grid())
        if len(calls) > 1:
            await socket.send('{"type":"end"}')

    assert asyncio.run(_odd_service(handler)) == [0, 1]
    calls[:] = [1]
    with pytest.raises(StreamError) as refusal:
        asyncio.run(_odd_service(handler))
    assert refusal.value.code == "too_many_streams"


def test_a_service_that_warms_up_first_is_waited_for() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send('{"type":"warming","what":"kernels"}')
        await socket.send(_first(1))
        await socket.send('{"type":"of a later version"}')
        await socket.send(_bin(0))
        await socket.send(_grid())
        await socket.send('{"type":"end"}')

    assert asyncio.run(_odd_service(handler)) == [0]


def test_patience_ends() -> None:
    async def handler(socket: ServerConnection) -> None:
        handler.calls += 1  # type: ignore[attr-defined]
        if handler.calls == 1:  # type: ignore[attr-defined]
            await socket.send(_first(2))

    handler.calls = 0  # type: ignore[attr-defined]
    began = time.monotonic()
    with pytest.raises(Unreachable):
        asyncio.run(_odd_service(handler, patience_s=0.3))
    assert time.monotonic() - began < 5
    assert handler.calls > 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([], "unreachable"),
        (["hello"], "protocol"),
        (['{"type":"grid_update"}'], "protocol"),
        ([_first(9), b"grid"], "protocol"),
        ([_first(9), _bin(3), b"grid"], "protocol"),
        ([_first(9), "[]"], "protocol"),
        ([_first(9), '{"type":"error","code":"bad_data","message":"record 7"}'], "bad_data"),
    ],
)
def test_what_is_no_stream_is_said(messages: list[str | bytes], code: str) -> None:
    async def handler(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message)

    with pytest.raises(StreamError) as refusal:
        asyncio.run(_odd_service(handler))
    assert refusal.value.code == code


def test_other_data_after_a_restart_is_not_taken_for_the_same() -> None:
    async def handler(socket: ServerConnection) -> None:
        handler.calls += 1  # type: ignore[attr-defined]
        await socket.send(_first(9, str(handler.calls)))  # type: ignore[attr-defined]

    handler.calls = 0  # type: ignore[attr-defined]
    with pytest.raises(StreamChanged):
        asyncio.run(_odd_service(handler))


def test_a_cancelled_wait_loses_no_half_of_a_bin(server: Server) -> None:
    async def read() -> list[int]:
        got: list[int] = []
        async with StreamClient(server.url, serving="short_plain", speed=100) as stream:
            while stream.end is None:
                with contextlib.suppress(TimeoutError, StopAsyncIteration):
                    got.append((await asyncio.wait_for(anext(stream), 0.004)).update["bin_seq"])
            assert stream.bins == len(got) == 600 - stream.dropped
        return got

    got = asyncio.run(read())
    assert got == sorted(set(got))
