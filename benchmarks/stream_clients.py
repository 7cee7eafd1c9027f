"""Clients of one stream in a process of their own: what came, and how late, as one JSON line.

`python -m benchmarks.stream_clients URL QUERY CLIENTS SECONDS BINS` reads without decoding, so that what is measured is
the service, each client for so long or so many bins. Lateness of a bin is from its place on a line of 100 ms bins
through the client's earliest one, in ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from vp_serving.client.socket import MAX_MESSAGE, stream_address

BIN_S = 0.1
_SEQ = '"bin_seq":'


class Seen(NamedTuple):
    """Of all clients together: bins, bytes and seconds from the first bin to the last, bins told as dropped, lateness
    of each bin at speed 1 in ms."""

    bins: int
    bytes: int
    seconds: float
    dropped: int
    late_ms: list[float]


def number_after(text: str, key: str) -> int:
    """The whole number that follows a key in JSON text."""
    at = text.index(key) + len(key)
    end = at
    while end < len(text) and text[end].isdigit():
        end += 1
    return int(text[at:end])


async def first_message(socket: ClientConnection) -> str:
    """The `runtime_config` message; what comes before it says what is waited for."""
    while True:
        message = await socket.recv()
        assert isinstance(message, str)
        if message.startswith('{"type":"runtime_config"'):
            return message
        assert message.startswith('{"type":"warming"'), message


async def read(url: str, query: str, seconds: float, bins: int) -> Seen:
    """One client, from its first bin."""
    loop = asyncio.get_running_loop()
    stamps: list[tuple[int, float]] = []
    dropped = size = 0
    async with connect(
        f"{stream_address(url)}?{query}", compression=None, proxy=None, max_size=MAX_MESSAGE, open_timeout=60
    ) as socket:
        await first_message(socket)
        try:
            while not stamps or (len(stamps) < bins and loop.time() - stamps[0][1] < seconds):
                text = await socket.recv()
                assert isinstance(text, str)
                if not text.startswith('{"type":"grid_update"'):
                    break
                grid = await socket.recv()
                stamps.append((number_after(text, _SEQ), loop.time()))
                dropped += number_after(text, '"dropped":')
                size += len(text) + len(grid)
        except ConnectionClosed:
            pass
        socket.transport.abort()
    first = min(at - seq * BIN_S for seq, at in stamps)
    late = [1e3 * (at - seq * BIN_S - first) for seq, at in stamps]
    return Seen(len(stamps), size, stamps[-1][1] - stamps[0][1], dropped, late)


async def read_all(url: str, query: str, clients: int, seconds: float, bins: int) -> Seen:
    """Several clients, started a few ms apart as people would."""

    async def one(at: int) -> Seen:
        await asyncio.sleep(at * 0.013)
        return await read(url, query, seconds, bins)

    seen = await asyncio.gather(*(one(at) for at in range(clients)))
    return Seen(
        sum(one.bins for one in seen),
        sum(one.bytes for one in seen),
        max(one.seconds for one in seen),
        sum(one.dropped for one in seen),
        [late for one in seen for late in one.late_ms] if clients > 1 else [],
    )


if __name__ == "__main__":
    address, parameters, count, duration, most = sys.argv[1:]
    print(json.dumps(asyncio.run(read_all(address, parameters, int(count), float(duration), int(most)))))
