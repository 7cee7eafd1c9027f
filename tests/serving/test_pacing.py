"""Connections: deadlines, control messages, slow and vanishing clients. The replay is a stand-in with cheap bins."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import SHUT_RDWR
from types import SimpleNamespace
from typing import Any

import pytest
from small_house import House
from wire_client import Server, read_stream, serving

from vp_engine.errors import ConfigError, DataError
from vp_serving.replay.readers import Ahead
from vp_serving.stream import streams
from vp_serving.stream.clock import Clock
from vp_serving.wire.frames import Frame
from vp_serving.wire.messages import End
from vp_serving.wire.query import StreamRequest

GRID = bytes(22_000)
BIN_S = 0.1


class Bins:
    """A replay of `n_bins` bins; `fails_at` raises `error` there, `stall_s` is spent before bin 100."""

    name = "stand-in"
    needs = "a moment"
    held: threading.Event | None = None  # what `prepare` waits for
    bin_s = BIN_S

    def __init__(
        self,
        n_bins: int = 2000,
        fails_at: int | None = None,
        error: Exception | None = None,
        stall_s: float = 0.0,
        grid: bytes = GRID,
    ) -> None:
        self.n_bins, self.fails_at, self.error = n_bins, fails_at, error
        self.stall_s, self.grid = stall_s, grid
        self.taken = 0
        self.open = 0

    def runtime_config(self, speed: float, from_bin: int) -> Any:
        return SimpleNamespace(
            model_dump_json=lambda: json.dumps({"type": "runtime_config", "speed": speed}).replace(": ", ":")
        )

    def prepare(self) -> None:
        if self.held is not None:
            assert self.held.wait(10)

    def reader(self, pool: ThreadPoolExecutor, from_bin: int, patient: Callable[[], bool]) -> Ahead:
        return Ahead(pool, self.frames(from_bin))

    def frames(self, from_bin: int) -> Iterator[list[Frame]]:
        self.open += 1
        try:
            for first in range(from_bin, self.n_bins, 10):
                if self.fails_at is not None and first >= self.fails_at:
                    raise self.error or DataError("record 7 is corrupt")
                if first == 100:
                    time.sleep(self.stall_s)
                last = min(first + 10, self.n_bins)
                self.taken = last
                yield [
                    Frame(seq, seq, f'{{"type":"grid_update","bin_seq":{seq}', self.grid) for seq in range(first, last)
                ]
        finally:
            self.open -= 1

    def bin_at(self, ts_ns: int) -> int:
        if not 0 <= ts_ns < self.n_bins:
            raise ConfigError("`ts_ns` lies outside the capture")
        return ts_ns


@pytest.fixture
def bins() -> Bins:
    return Bins()


@pytest.fixture
def paced(house: House, bins: Bins) -> Iterator[Server]:
    """A server whose every stream is the stand-in."""
    with serving(house.settings({"VP_MAX_STREAMS": "2"}), lambda request: bins) as server:
        yield server


def wait_until(check: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def next_seq(socket: Any) -> int:
    """bin_seq of the next bin, its grid read as well."""
    while True:
        message = json.loads(socket.recv(timeout=10))
        if message["type"] == "grid_update":
            socket.recv(timeout=10)
            return int(message["bin_seq"])


def test_deadlines_are_absolute() -> None:
    clock = Clock(0.1, 2.0)
    assert clock.due(10, 5.0) == 5.0
    late = [clock.due(seq, 5.0 + 3.0) for seq in (11, 12, 30)]  # however late they are asked about
    assert late == pytest.approx([5.05, 5.10, 6.0])


def test_a_new_speed_keeps_the_distance_to_the_last_bin() -> None:
    clock = Clock(0.1, 1.0)
    clock.due(0, 5.0)
    clock.due(1, 5.1)
    clock.set_speed(10.0)
    assert clock.due(2, 5.1) == pytest.approx(5.2)
    assert clock.due(3, 5.1) == pytest.approx(5.21)
    clock.pause()
    clock.resume()
    assert clock.due(4, 60.0) == 60.0
    assert clock.due(5, 60.0) == pytest.approx(60.01)


def test_speed_is_a_multiple_of_market_time(paced: Server) -> None:
    """100 bins of 100 ms take about 1 s at speed 10 and half at 20; never less."""
    took = {}
    for speed in (10, 20):
        with paced.connect(f"speed={speed}") as socket:
            next_seq(socket)
            began = time.monotonic()
            read_stream(socket, 100)
            took[speed] = time.monotonic() - began
    assert 0.95 < took[10] < 2.0
    assert 0.45 < took[20] < 1.2
    assert took[10] > 1.3 * took[20]


def test_speed_0_loses_nothing_for_a_slow_reader(house: House) -> None:
    bins = Bins(1000)
    with serving(house.settings(), lambda request: bins) as server, server.connect("speed=0") as socket:
        next_seq(socket)
        time.sleep(0.5)
        assert bins.taken < 1000, "the producer waits for the client"
        got = read_stream(socket)
    assert [json.loads(text)["bin_seq"] for text, _ in got.bins] == list(range(1, 1000))
    assert got.last == {"type": "end", "reason": "complete", "bins": 1000, "dropped": 0}


def test_a_lagging_client_loses_the_oldest_bins_and_is_told(house: House) -> None:
    """At speed > 0 the sum of what came and what was dropped is every bin, in order, the last one included."""
    bins = Bins(4000)
    with serving(house.settings(), lambda request: bins) as server, server.connect("speed=400") as socket:
        next_seq(socket)
        wait_until(lambda: bins.taken >= 3000)
        got = read_stream(socket)
    updates = got.updates
    dropped = sum(update["dropped"] for update in updates)
    assert dropped > 100
    expected = 1
    for update in updates:
        assert update["bin_seq"] == expected + update["dropped"]
        expected = update["bin_seq"] + 1
    assert expected == 4000
    assert got.last == {"type": "end", "reason": "complete", "bins": 4000 - dropped, "dropped": dropped}
    assert got.code == 1000


def test_bins_that_are_late_together_are_not_lost_to_a_fast_client(house: House) -> None:
    """A stall makes more bins overdue than the queue holds; the sender gets its turn between them."""
    bins = Bins(600, stall_s=0.3, grid=bytes(100))
    with serving(house.settings(), lambda request: bins) as server:
        got = server.stream("speed=50")
    assert len(got.bins) == 600
    assert End.model_validate(got.last).dropped == 0


def test_pause_resume_and_speed(paced: Server) -> None:
    with paced.connect("speed=10") as socket:
        next_seq(socket)
        socket.send('{"type":"pause"}')
        last = 0
        with contextlib.suppress(TimeoutError):
            while True:
                message = socket.recv(timeout=0.3)
                if isinstance(message, str):
                    last = json.loads(message)["bin_seq"]
        assert last < 100, "the pause holds"
        socket.send('{"type":"resume"}')
        assert next_seq(socket) == last + 1
        socket.send('{"type":"speed","value":0}')
        assert len(read_stream(socket).bins) > 1900


def test_seek_goes_there_and_shows_it_while_paused(paced: Server) -> None:
    with paced.connect("speed=1") as socket:
        next_seq(socket)
        socket.send('{"type":"pause"}')
        socket.send('{"type":"seek","ts_ns":"1500"}')
        while next_seq(socket) < 1500:
            pass
        socket.send('{"type":"speed","value":0}')
        socket.send('{"type":"seek","ts_ns":"20"}')
        assert next_seq(socket) == 20
        socket.send('{"type":"resume"}')
        got = read_stream(socket)
        assert [update["bin_seq"] for update in got.updates] == list(range(21, 2000))


def test_seek_back_from_the_last_bins(house: House) -> None:
    """The producer is done, the client still reads: going back starts it again."""
    bins = Bins(30, grid=bytes(900_000))
    with serving(house.settings(), lambda request: bins) as server, server.connect("speed=0") as socket:
        next_seq(socket)
        wait_until(lambda: bins.taken == 30)
        time.sleep(0.1)
        socket.send('{"type":"seek","ts_ns":"5"}')
        got = read_stream(socket)
    sequence = [update["bin_seq"] for update in got.updates]
    assert sequence[-25:] == list(range(5, 30))
    assert len(sequence) < 29 + 25


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("hello", "JSON"),
        ('{"type":"stop"}', "stop"),
        ('{"type":"speed","value":-1}', "value"),
        ('{"type":"speed"}', "value"),
        ('{"type":"seek","ts_ns":5}', "ts_ns"),
        ('{"type":"seek","ts_ns":"99999999"}', "outside"),
        ('{"type":"pause","extra":1}', "extra"),
    ],
)
def test_other_messages_are_answered_and_ignored(paced: Server, message: str, says: str) -> None:
    with paced.connect("speed=10") as socket:
        next_seq(socket)
        socket.send(message)
        kind: dict[str, Any] = {}
        while kind.get("type") != "error":
            received = socket.recv(timeout=5)
            kind = json.loads(received) if isinstance(received, str) else kind
        assert kind["code"] == "bad_message"
        assert says in kind["message"]
        next_seq(socket)


def test_a_client_that_goes_frees_its_stream(paced: Server, bins: Bins) -> None:
    for _ in range(5):
        with paced.connect("speed=10") as socket:
            next_seq(socket)
    with paced.connect("speed=0") as socket:
        next_seq(socket)
        socket.socket.shutdown(SHUT_RDWR)  # without a goodbye
    wait_until(lambda: paced.get("/metrics").text.count("vp_streams 0.0") == 1)
    wait_until(lambda: bins.open == 0)


def test_one_stream_too_many_is_told_to_come_later(paced: Server) -> None:
    with paced.connect("speed=1") as one, paced.connect("speed=1") as two:
        next_seq(one)
        next_seq(two)
        refused = paced.stream("speed=1")
        assert refused.code == 1013
        assert refused.last is not None
        assert refused.last["code"] == "too_many_streams"


@pytest.mark.parametrize(
    ("error", "code", "close"),
    [(DataError("record 7 is corrupt"), "bad_data", 1008), (RuntimeError("x"), "internal", 1011)],
)
def test_a_replay_that_breaks_says_so_after_what_was_good(
    house: House, error: Exception, code: str, close: int
) -> None:
    bins = Bins(500, fails_at=200, error=error)
    with serving(house.settings(), lambda request: bins) as server:
        got = server.stream("speed=0")
    assert len(got.bins) == 200
    assert got.last is not None
    assert got.last["code"] == code
    assert got.code == close


def test_a_request_reaches_the_resolver(house: House) -> None:
    asked: list[StreamRequest] = []

    def resolver(request: StreamRequest) -> Bins:
        asked.append(request)
        return Bins(3)

    with serving(house.settings(), resolver) as server:
        server.stream("speed=0&serving=abc&from_bin=2")
    assert (asked[0].serving, asked[0].from_bin, asked[0].speed) == ("abc", 2, 0.0)


def test_a_stream_that_must_be_made_ready_says_what_it_waits_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many wait for the same thing, and one that needs it not streams past them."""
    monkeypatch.setattr(streams, "WARMING_AFTER_S", 0.05)
    held, quick = Bins(20), Bins(300)
    held.held = threading.Event()
    with (
        serving(house.settings(), lambda request: held if request.serving else quick) as server,
        contextlib.ExitStack() as open_ones,
    ):
        waiting = [open_ones.enter_context(server.connect("speed=0&serving=any")) for _ in range(20)]
        for socket in waiting:
            assert json.loads(socket.recv(timeout=5)) == {"type": "warming", "what": "a moment", "behind": None}
        got = server.stream("speed=0")
        assert got.config["type"] == "runtime_config"
        assert len(got.bins) == 300
        held.held.set()
        for socket in waiting:
            assert len(read_stream(socket).bins) == 20
