"""Connections: one client, one replay. Times in seconds of the event loop's clock, bins by `bin_seq`.

A connection has three tasks on the event loop. The pacer takes frames from the replay, which computes them in worker
threads, and puts each into a bounded queue when its absolute deadline has come. The sender empties the queue into the
socket. The reader takes the client's messages. At speed 0 there are no deadlines and the pacer waits for the sender, so
nothing is lost. At speed > 0 a full queue loses its oldest bin once that has lain there for as long as the queue's bins
take, and the next message says how many. Only the client's own lag counts: where the service is late, bins are held
against a client as if it had got them at CATCH_UP times the stream's speed from when the service had them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import structlog
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from vp_engine.errors import VPError
from vp_serving.metrics import Metrics
from vp_serving.replay.readers import FrameReader, Replayable
from vp_serving.stream.clock import Clock
from vp_serving.stream.latency import LatencyWriter
from vp_serving.wire.errors import close_code, error_message
from vp_serving.wire.frames import Frame
from vp_serving.wire.messages import (
    CLIENT_MESSAGE,
    CLOSE_INTERNAL,
    CLOSE_NORMAL,
    CLOSE_REFUSED,
    End,
    Pause,
    Resume,
    Seek,
    Speed,
    StreamError,
    Warming,
    Wire,
)

FAREWELL_S = 1.0
TELL_EVERY_S = 0.5  # a client that waits for bins to be computed
CATCH_UP = 2.0  # times the speed at which bins that the service has late must be taken
STANDSTILL_S = 0.1  # an event loop that wakes later than this was kept from working, and so was every sender
MAX_REPLIES = 16  # unread error answers before a client that talks nonsense is let go
log = structlog.get_logger("vp_serving")


class _Due(NamedTuple):
    """A frame, the loop time it was due at, and since when, in the connection's own time, it waits for the client."""

    frame: Frame
    at: float
    since: float


class _Finish(NamedTuple):
    """The end of the queue: how the stream is closed."""

    message: Wire | None
    code: int


class Connection:
    """One client's stream, from the first message to the close."""

    def __init__(
        self,
        socket: WebSocket,
        replay: Replayable,
        pool: ThreadPoolExecutor,
        metrics: Metrics,
        latency: LatencyWriter | None = None,
        *,
        speed: float,
        from_bin: int,
        queue_bins: int,
    ) -> None:
        self._socket, self._replay, self._pool = socket, replay, pool
        self._metrics, self._latency = metrics, latency
        self._clock = Clock(replay.bin_s, speed)
        self._next_bin = from_bin
        self._queue: deque[_Due | _Finish] = deque()
        self._queue_bins = queue_bins
        self._replies: deque[StreamError] = deque()
        self._notice: Warming | None = None  # the latest one, while it is not sent
        self._seek_to = 0
        self._sought_at = 0.0
        self._sought = asyncio.Event()  # a seek waits to be obeyed
        self._show_one = False  # after a seek one bin is sent even while paused
        self._control = asyncio.Event()  # speed, pause or seek changed
        self._filled = asyncio.Event()
        self._space = asyncio.Event()
        self._skipped = 0  # bins lost since the last one sent
        self._since = self._had = -math.inf  # when a client could have had the last bin, and can the next at soonest
        self._stood_still_s = 0.0  # that the event loop was late, all in all
        self._asked_at: float | None = None  # when the stream was opened or sought, until its first bin is sent
        self.sent = self.dropped = 0

    async def run(self) -> None:
        """Stream until the capture ends, the client goes, or something fails. The socket is accepted already."""
        self._asked_at = asyncio.get_running_loop().time()
        config = self._replay.runtime_config(self._clock.speed, self._next_bin)
        await self._socket.send_text(config.model_dump_json())
        tasks = [asyncio.create_task(work()) for work in (self._read, self._pace, self._send)]
        reader, _, sender = tasks
        try:
            await asyncio.wait((reader, sender), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result
        if results[0] is None and sender.cancelled():  # too much that means nothing; nobody else is writing any more
            with contextlib.suppress(TimeoutError, WebSocketDisconnect):
                async with asyncio.timeout(FAREWELL_S):  # who does not read may not take this either
                    await self._socket.close(CLOSE_REFUSED)

    async def _pace(self) -> None:
        """Put every frame into the queue at its deadline, then say how the stream ends."""
        finish: _Finish | None = None
        while finish is None:
            reader = self._replay.reader(self._pool, self._next_bin, lambda: self._clock.speed == 0)
            try:
                sought = await self._pace_from(reader)
                if not sought:
                    finish = _Finish(None, CLOSE_NORMAL)
            except Exception as error:
                finish = _Finish(error_message(error), close_code(error))
                if finish.code == CLOSE_INTERNAL:
                    log.exception("replay failed", replay=self._replay.name)
                else:
                    log.warning("replay ended", replay=self._replay.name, reason=str(error))
            finally:
                await reader.close()
        self._queue.append(finish)
        self._filled.set()

    async def _pace_from(self, reader: FrameReader) -> bool:
        """Pace until the end (False) or until a seek asks for another place (True)."""
        loop = asyncio.get_running_loop()
        tell_at = loop.time() + TELL_EVERY_S
        while True:
            asked = loop.time()
            batch = await self._take(reader)
            self._had = max(self._had, self._since + loop.time() - asked)
            if batch is None:
                break
            for frame in batch:
                due = await self._wait_due(frame.bin_seq)
                if self._take_seek():
                    return True
                await self._put(frame, due)
                self._next_bin = frame.bin_seq + 1
            if self._take_seek():
                return True
            if not batch and loop.time() >= tell_at:
                tell_at = loop.time() + TELL_EVERY_S
                self._notice = Warming(what="bins on the way to this place are computed", behind=reader.behind)
                self._filled.set()
        while self._queue and not self._sought.is_set():  # a client may still go back while it reads the last bins
            self._space.clear()
            await self._space.wait()
        return self._take_seek()

    async def _take(self, reader: FrameReader) -> list[Frame] | None:
        """The next batch; an empty one where a seek comes before it."""
        batch = asyncio.ensure_future(reader.take())
        sought = asyncio.ensure_future(self._sought.wait())
        try:
            await asyncio.wait((batch, sought), return_when=asyncio.FIRST_COMPLETED)
            return batch.result() if batch.done() else []
        finally:
            batch.cancel()
            sought.cancel()

    def _take_seek(self) -> bool:
        if not self._sought.is_set():
            return False
        self._sought.clear()
        self._next_bin = self._seek_to
        self._queue.clear()
        self._asked_at = self._sought_at
        self._clock.jump()
        self._since = self._had = -math.inf
        self._show_one = True
        return True

    async def _wait_due(self, bin_seq: int) -> float:
        """Wait for a bin's deadline, through pauses and changes of speed; returns early when a seek came."""
        loop = asyncio.get_running_loop()
        while not self._sought.is_set():
            if self._clock.paused and not self._show_one:
                await self._changed()
                continue
            now = loop.time()
            due = self._clock.due(bin_seq, now)
            if due <= now:
                self._show_one = False
                return due
            timer = loop.call_at(due, self._control.set)
            try:
                await self._changed()
            finally:
                timer.cancel()
            self._note_standstill(due)
        return loop.time()

    async def _changed(self) -> None:
        await self._control.wait()
        self._control.clear()

    async def _put(self, frame: Frame, due: float) -> None:
        """Append; a full queue waits for the client, at speed > 0 until its oldest bin is lost."""
        loop = asyncio.get_running_loop()
        speed = self._clock.speed
        self._since = max(due, self._had, self._since + (self._clock.bin_s / speed / CATCH_UP if speed else 0.0))
        while len(self._queue) >= self._queue_bins and not self._sought.is_set():
            oldest = self._queue[0]
            assert isinstance(oldest, _Due)
            lost_at = oldest.since + self._clock.seconds(self._queue_bins) + self._stood_still_s
            if loop.time() >= lost_at:
                self._queue.popleft()
                self._skipped += 1
                self.dropped += 1
                self._metrics.bins_dropped.inc()
                continue
            self._space.clear()
            timer = loop.call_at(lost_at, self._space.set) if lost_at < math.inf else None
            await self._space.wait()
            if timer is not None:
                timer.cancel()
            self._note_standstill(lost_at)
        self._queue.append(_Due(frame, due, self._since - self._stood_still_s))
        self._filled.set()
        if self._clock.speed > 0:
            now = loop.time()
            await asyncio.sleep(0)  # overdue bins come in bursts; the sender gets its turn between them
            self._note_standstill(now)

    def _note_standstill(self, planned: float) -> None:
        """Own time does not run while the event loop stands still: the client could not be sent anything then."""
        now = asyncio.get_running_loop().time()
        if now - planned > STANDSTILL_S:
            self._stood_still_s += now - planned
            self._had = now

    async def _send(self) -> None:
        """Empty the queue into the socket; ends after the closing message."""
        loop = asyncio.get_running_loop()
        while True:
            while self._replies:
                await self._socket.send_text(self._replies.popleft().model_dump_json())
            if self._notice is not None:
                notice, self._notice = self._notice, None
                await self._socket.send_text(notice.model_dump_json())
            if not self._queue:
                self._filled.clear()
                await self._filled.wait()
                continue
            item = self._queue.popleft()
            self._space.set()
            if isinstance(item, _Finish):
                message = item.message or End(bins=self.sent, dropped=self.dropped)
                await self._socket.send_text(message.model_dump_json())
                await self._socket.close(item.code)
                return
            skipped, self._skipped = self._skipped, 0
            await self._socket.send_text(item.frame.text_message(skipped))
            await self._socket.send_bytes(item.frame.grid)
            self.sent += 1
            lag_s = loop.time() - item.at
            self._metrics.sent(lag_s)
            if self._asked_at is not None:
                self._metrics.answer_seconds.observe(loop.time() - self._asked_at)
                self._asked_at = None
            if self._latency is not None:
                self._latency.add(item.frame, lag_s, len(self._queue), skipped)

    async def _read(self) -> None:
        """Obey the client until it goes (WebSocketDisconnect) or has sent too much that means nothing."""
        while len(self._replies) < MAX_REPLIES:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code", 1005))
            try:
                self._obey(received.get("text"))
            except VPError as error:
                self._reply(StreamError(code="bad_message", message=str(error)))

    def _obey(self, text: str | None) -> None:
        try:
            message = CLIENT_MESSAGE.validate_json(text or "")
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            said = f"{place}: {problem['msg']}" if place else problem["msg"]
            self._reply(StreamError(code="bad_message", message=f"ignored a message: {said}"))
            return
        match message:
            case Pause():
                self._clock.pause()
            case Resume():
                self._clock.resume()
            case Speed(value=value):
                self._clock.set_speed(value)
            case Seek(ts_ns=ts_ns):
                self._seek_to = self._replay.bin_at(int(ts_ns))
                self._sought_at = asyncio.get_running_loop().time()
                self._sought.set()
        self._control.set()
        self._space.set()

    def _reply(self, message: StreamError) -> None:
        self._replies.append(message)
        self._filled.set()
