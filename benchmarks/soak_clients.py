"""Restless clients in a process of their own: streams that are paused, sought, read slowly, left and cut, all counted.

`python -m benchmarks.soak_clients URL QUERIES CLIENTS SECONDS SEED LIFE` prints one JSON line per stream that is over.
QUERIES is a JSON list. Every client opens one stream after the other, for about LIFE seconds each, until the
time is up; what it does is drawn from the seed. Receive buffers are small, so that a slow reader is noticed soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import sys
from collections import deque
from typing import NamedTuple
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.stream_clients import first_message, number_after
from vp_serving.client.socket import MAX_MESSAGE, stream_address

RECEIVE_BUFFER = 1 << 17  # bytes
SPEEDS = (1.0, 1.0, 1.0, 2.0, 5.0)
BURST_BINS = 400  # now and then, at speed 0
AWAY_S, WITHIN_S = 0.5, 1.28  # a reader that was kept away for so much of a time in which a queue fills has been slow
WATCH_S = 0.05
KINDS = ("end", "close", "close", "close", "cut", "cut")  # how a stream is left; `end`: its last bins, read to the end
LAST_BINS = 30  # of a stream that is read to the end


class Life(NamedTuple):
    """One stream as its client saw it: its port, how it was left, bins and drops counted and as the `end` message said
    (-1 without one), whether it read slowly, jumps in `bin_seq` beyond its seeks, error messages, close code."""

    port: int
    kind: str
    bins: int
    dropped: int
    end_bins: int
    end_dropped: int
    slow: bool
    jumps: int
    errors: int
    code: int


class Client:
    """One stream and its counts."""

    def __init__(self, link: ClientConnection, kind: str, dice: random.Random) -> None:
        self._link, self._kind, self._dice = link, kind, dice
        self._bins = self._dropped = self._jumps = self._seeks = self._errors = 0
        self._end = {"bins": -1, "dropped": -1}
        self._capture: dict[str, str] = {}
        self._expected: int | None = None
        self._slow = False

    async def live(self, seconds: float) -> Life:
        """Read and meddle for so long, or to the end."""
        port = self._link.local_address[1]
        loop = asyncio.get_running_loop()
        leave = loop.call_later(seconds, self._leave) if self._kind != "end" else None
        tasks = [asyncio.create_task(self._meddle())] if self._kind != "end" else []
        self._tasks = tasks
        try:
            while True:
                self._count(await self._link.recv())
                if self._kind != "end" and self._dice.random() < 0.002:
                    self._slow = True
                    await asyncio.sleep(self._dice.uniform(0.2, 1) * seconds)
        except ConnectionClosed:
            pass
        finally:
            if leave is not None:
                leave.cancel()
            for task in tasks:
                task.cancel()
        return Life(
            port, self._kind, self._bins, self._dropped, self._end["bins"], self._end["dropped"],
            self._slow, max(0, self._jumps - self._seeks), self._errors, self._link.close_code or 0,
        )  # fmt: skip

    def kept_away(self) -> None:
        """The whole process was."""
        self._slow = True

    def _leave(self) -> None:
        if self._kind == "cut":
            self._link.transport.abort()
        else:
            self._tasks.append(asyncio.create_task(self._link.close()))

    def _count(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._bins += 1
        elif message.startswith('{"type":"grid_update"'):
            seq, dropped = number_after(message, '"bin_seq":'), number_after(message, '"dropped":')
            self._dropped += dropped
            self._jumps += self._expected is not None and seq - dropped != self._expected
            self._expected = seq + 1
        elif message.startswith('{"type":"runtime_config"'):
            self._capture = json.loads(message)["capture"]
        elif message.startswith('{"type":"end"'):
            self._end = json.loads(message)
        elif not message.startswith('{"type":"warming"'):
            self._errors += 1

    async def _meddle(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self._dice.uniform(0.3, 4))
                match self._dice.choice(("pause", "seek", "speed", "burst", "ping")):
                    case "pause":
                        await self._say(type="pause")
                        await asyncio.sleep(self._dice.uniform(0.1, 3))
                        await self._say(type="resume")
                    case "seek" if self._capture:
                        self._seeks += 1
                        start, end = int(self._capture["start_ns"]), int(self._capture["end_ns"])
                        last = end - (end - start) // 20  # not so near the end that the stream is over at once
                        await self._say(type="seek", ts_ns=str(self._dice.randrange(start, last)))
                    case "speed":
                        await self._say(type="speed", value=self._dice.choice(SPEEDS))
                    case "burst":
                        before = self._bins
                        await self._say(type="speed", value=0)
                        while self._bins < before + BURST_BINS:
                            await asyncio.sleep(0.02)
                        await self._say(type="speed", value=1)
                    case _:
                        await self._link.ping()

    async def _say(self, **message: object) -> None:
        await self._link.send(json.dumps(message))


class Crowd:
    """Clients that come and go until the time is up."""

    def __init__(self, url: str, queries: list[str], life_s: float) -> None:
        self._url, self._queries, self._life_s = url, queries, life_s
        self._alive: set[Client] = set()
        self._n_bins: dict[str, int] = {}

    async def run(self, clients: int, seconds: float, seed: int) -> None:
        """Print every life."""
        until = asyncio.get_running_loop().time() + seconds
        for query in self._queries:
            async with await self._open(query) as link:
                self._n_bins[query] = json.loads(await first_message(link))["capture"]["n_bins"]
        watch = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._one(random.Random(seed * 1000 + at), until) for at in range(clients)))
        watch.cancel()

    async def _watch(self) -> None:
        """Notes it where this process itself was kept from reading, at once or in many small parts."""
        loop = asyncio.get_running_loop()
        away: deque[tuple[float, float]] = deque()
        while True:
            began = loop.time()
            await asyncio.sleep(WATCH_S)
            now = loop.time()
            away.append((now, now - began - WATCH_S))
            while away[0][0] < now - WITHIN_S:
                away.popleft()
            if sum(late for _, late in away) > AWAY_S:
                for client in self._alive:
                    client.kept_away()

    async def _one(self, dice: random.Random, until: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(dice.uniform(0, min(2.0, self._life_s)))
        while (left := until - loop.time()) > 0:
            kind, query = dice.choice(KINDS), dice.choice(self._queries)
            last = self._n_bins[query] - LAST_BINS
            place = last if kind == "end" else dice.randrange(last * 9 // 10)
            link = await self._open(f"{query}&speed={dice.choice(SPEEDS)}&from_bin={place}")
            client = Client(link, kind, dice)
            self._alive.add(client)
            life = await client.live(min(dice.uniform(0.3, 1.7) * self._life_s, max(left, 0.5)))
            self._alive.discard(client)
            print(json.dumps(life), flush=True)

    async def _open(self, query: str) -> ClientConnection:
        parts = urlsplit(self._url)
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (parts.hostname, parts.port))
        return await connect(
            f"{stream_address(self._url)}?{query}", sock=small, compression=None, proxy=None, max_size=MAX_MESSAGE,
            ping_interval=None, open_timeout=60, close_timeout=30,
        )  # fmt: skip


if __name__ == "__main__":
    address, asked, count, duration, drawn, life = sys.argv[1:]
    asyncio.run(Crowd(address, json.loads(asked), float(life)).run(int(count), float(duration), int(drawn)))
