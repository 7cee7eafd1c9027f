"""Who loses bins at speed > 0: a client that lets them lie, and nobody else. By clockwork, so every count is exact."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clockwork import Clockwork, run
from test_pacing import Bins

from vp_serving.metrics import Metrics
from vp_serving.stream.connection import STANDSTILL_S, Connection
from vp_serving.wire.frames import Frame

QUEUE_BINS = 64
BATCH = 50


class Socket:
    """A client that takes `bin_s(bin_seq)` seconds over each bin, and says things at certain times. What lies on the
    way to it holds nothing."""

    def __init__(self, bin_s: Callable[[int], float] = lambda seq: 0.0, says: dict[float, str] | None = None) -> None:
        self._bin_s, self._says = bin_s, sorted((says or {}).items())
        self._left = asyncio.Event()
        self._seq = -1
        self.seqs: list[int] = []
        self.told: list[int] = []
        self.at: list[float] = []

    async def send_text(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "grid_update":
            self._seq = message["bin_seq"]
            self.seqs.append(self._seq)
            self.told.append(message["dropped"])

    async def send_bytes(self, data: bytes) -> None:
        await asyncio.sleep(self._bin_s(self._seq))
        self.at.append(asyncio.get_running_loop().time())

    async def receive(self) -> dict[str, Any]:
        if not self._says:
            await self._left.wait()
        at, text = self._says.pop(0)
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        return {"type": "websocket.receive", "text": text}

    async def close(self, code: int) -> None:
        assert code == 1000


class Replay(Bins):
    """Bins that come in batches, the batch of bin `late_at` so many seconds after it was asked for."""

    def __init__(self, n_bins: int, late_at: int | None = None, late_s: float = 0.0) -> None:
        super().__init__(n_bins)
        self.late_at, self.late_s = late_at, late_s

    def reader(self, pool: ThreadPoolExecutor, from_bin: int, patient: Callable[[], bool]) -> Any:
        return _Reader(self, from_bin)


class _Reader:
    behind = 0

    def __init__(self, replay: Replay, from_bin: int) -> None:
        self._replay, self._first = replay, from_bin

    async def take(self) -> list[Frame] | None:
        first, self._first = self._first, min(self._first + BATCH, self._replay.n_bins)
        if self._replay.late_at is not None and first <= self._replay.late_at < self._first:
            await asyncio.sleep(self._replay.late_s)
        text = '{"type":"grid_update","bin_seq":'
        return [Frame(seq, seq, f"{text}{seq}", b"") for seq in range(first, self._first)] or None

    async def close(self) -> None:
        pass


def play(
    socket: Socket, replay: Replay, speed: float = 1.0, meanwhile: Callable[[Clockwork], None] | None = None
) -> Connection:
    """One session to its end."""
    connection = Connection(
        socket,  # type: ignore[arg-type]
        replay,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        Metrics(),
        speed=speed,
        from_bin=0,
        queue_bins=QUEUE_BINS,
    )

    async def under_way() -> None:
        if meanwhile is not None:
            meanwhile(asyncio.get_running_loop())  # type: ignore[arg-type]
        await connection.run()

    run(under_way())
    assert connection.dropped + connection.sent == replay.n_bins
    assert sum(socket.told) == connection.dropped
    return connection


def stalls(at: int, seconds: float) -> Callable[[int], float]:
    """A client that takes its time over one bin."""
    return lambda seq: seconds if seq == at else 0.0


def test_a_client_that_keeps_up_gets_every_bin_at_its_time() -> None:
    socket = Socket(lambda seq: 0.09)
    assert play(socket, Replay(600)).dropped == 0
    assert socket.at == pytest.approx([0.1 * seq + 0.09 for seq in range(600)])


@pytest.mark.parametrize("speed", [1.0, 5.0, 400.0])
def test_a_client_that_stops_loses_what_its_queue_does_not_hold(speed: float) -> None:
    """Over 100 bins' time: bin 10 is in its hands, and of the next the newest 64 stay."""
    socket = Socket(stalls(10, 100 * 0.1 / speed + 1e-6))
    assert play(socket, Replay(600), speed).dropped == 100 - QUEUE_BINS
    assert socket.seqs[11] == 11 + 100 - QUEUE_BINS
    assert socket.told[11] == 100 - QUEUE_BINS


def test_a_client_that_stops_for_less_loses_nothing() -> None:
    assert play(Socket(stalls(10, 6.3)), Replay(600)).dropped == 0


def test_a_client_too_slow_for_the_market_stays_within_its_queue() -> None:
    socket = Socket(lambda seq: 0.2)
    connection = play(socket, Replay(1000))
    assert connection.dropped == pytest.approx(500, abs=QUEUE_BINS)
    late = [at - 0.1 * seq for seq, at in zip(socket.seqs, socket.at, strict=True)]
    assert max(late[:-QUEUE_BINS]) < 0.1 * (QUEUE_BINS + 4)  # after the last bin nothing presses any more


@pytest.mark.parametrize("late_s", [5.0, 20.0, 60.0])
def test_bins_that_the_service_has_late_are_lost_to_nobody_who_reads(late_s: float) -> None:
    """Far more of them come at once than the queue holds, to a client that takes twenty times market speed."""
    socket = Socket(lambda seq: 0.005)
    assert play(socket, Replay(1500, late_at=100, late_s=late_s)).dropped == 0
    assert socket.at[-1] == pytest.approx(149.9 + 0.005)  # caught up, without drift


def test_bins_that_the_service_has_late_are_lost_to_who_is_slow_besides() -> None:
    socket = Socket(lambda seq: 0.15)
    connection = play(socket, Replay(1500, late_at=100, late_s=20.0))
    assert connection.dropped == pytest.approx(500, abs=2 * QUEUE_BINS)


@pytest.mark.parametrize("pause_s", [0.0, 1.0, 5.0])
def test_bins_queued_at_speed_0_are_not_lost_at_market_speed(pause_s: float) -> None:
    """The queue is full when the speed changes, and the client is busy with its last bin for a while."""
    socket = Socket(lambda seq: pause_s if seq == 300 else 0.001, {0.2995: '{"type":"speed","value":1}'})
    assert play(socket, Replay(600), speed=0).dropped == 0
    assert max(socket.at) > 20


@pytest.mark.parametrize("seconds", [2 * STANDSTILL_S, 3.0, 30.0])
def test_a_loop_that_stands_still_is_not_the_clients_lag(seconds: float) -> None:
    """It does so while a client that takes ten times market speed is working off a queue that is full."""

    def meanwhile(loop: Clockwork) -> None:
        for at in (6.1, 6.4, 7.0, 9.05):
            loop.call_at(at, loop.stand_still, seconds)

    socket = Socket(lambda seq: 6.0 if seq == 0 else 0.01)
    assert play(socket, Replay(900), meanwhile=meanwhile).dropped == 0


def test_a_seek_counts_no_bin_as_lost() -> None:
    """With a full queue before it, and a client that was away."""
    says = {9.05: '{"type":"seek","ts_ns":"500"}'}
    socket = Socket(stalls(5, 10.0), says)
    replay = Replay(600)
    connection = Connection(
        socket,  # type: ignore[arg-type]
        replay,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        Metrics(),
        speed=1.0,
        from_bin=0,
        queue_bins=QUEUE_BINS,
    )
    run(connection.run())
    assert connection.dropped == 90 - 5 - QUEUE_BINS
    assert socket.seqs[:6] == list(range(6))
    assert socket.seqs[-100:] == list(range(500, 600))
