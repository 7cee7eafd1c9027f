"""How late a well-behaved client's bins are while another peer abuses the service.

    python -m benchmarks.abuse [--lake DIR] [--seconds 8]

One client streams at market speed from a service of its own; each abuse comes from another process for as long as the
client reads, then ends. The table gives the lateness of the client's bins alone and beside each abuse, in ms, and what
the abuse added at p99. Loopback only. All processes share the machine's cores, so an abuse that keeps a core busy in
its own process is seen in the figures too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from benchmarks.service import Service, running
from benchmarks.serving import SERVING, make_lake
from benchmarks.stream_clients import read
from benchmarks.timing import machine
from vp_serving.wire.messages import STREAM_PATH

GOAL_MS = 25
GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PIECE = b"x" * 65_536
HALF_OPEN, STATUES, LOOPS = 500, 60, 16
Abuse = Callable[[int, float], None]  # of a port, until a time of the monotonic clock


def _connected(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), 5)
    peer.settimeout(1)
    return peer


def _flood(head: bytes, piece: bytes, port: int, until: float) -> None:
    """Send a beginning and then pieces without end; begin again when the connection is closed."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError), _connected(port) as peer:
            peer.sendall(head)
            while time.monotonic() < until:
                peer.sendall(piece)


def header_flood(port: int, until: float) -> None:
    """A header that never ends."""
    _flood(GET + b"X: ", PIECE, port, until)


def many_headers(port: int, until: float) -> None:
    """Small headers that never end."""
    _flood(GET, b"X: y\r\n" * 10_000, port, until)


def body_flood(port: int, until: float) -> None:
    """A chunked body that never ends."""
    _flood(GET + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + PIECE + b"\r\n", port, until)


def pipelined(port: int, until: float) -> None:
    """Requests that never wait for an answer."""
    _flood(b"", (GET + b"\r\n") * 1000, port, until)


def _upgrade(port: int) -> socket.socket:
    peer = _connected(port)
    key = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    path = f"GET {STREAM_PATH}?serving={SERVING}&speed=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    peer.sendall(path.encode() + key)
    peer.recv(4096)
    return peer


def ping_flood(port: int, until: float) -> None:
    """Pings without end on a stream."""
    pings = struct.pack(">BBI", 0x89, 0x80, 0) * 10_000
    while time.monotonic() < until:
        with contextlib.suppress(OSError), _upgrade(port) as peer:
            while time.monotonic() < until:
                peer.sendall(pings)


def fragment_flood(port: int, until: float) -> None:
    """One message whose fragments never end."""
    first, more = struct.pack(">BBI", 0x01, 0x80, 0), struct.pack(">BBI", 0x00, 0x80, 0) * 10_000
    while time.monotonic() < until:
        with contextlib.suppress(OSError), _upgrade(port) as peer:
            peer.sendall(first)
            while time.monotonic() < until:
                peer.sendall(more)


def slow_peers(port: int, until: float) -> None:
    """A hundred peers that send a byte of a header now and then."""
    peers: list[socket.socket] = []
    while time.monotonic() < until:
        peers = [peer for peer in peers if _sent(peer)]
        with contextlib.suppress(OSError):
            while len(peers) < 100:
                peers.append(_connected(port))
        time.sleep(0.1)
    for peer in peers:
        peer.close()


def _sent(peer: socket.socket) -> bool:
    try:
        peer.sendall(b"G")
    except OSError:
        peer.close()
        return False
    return True


def half_open(port: int, until: float) -> None:
    """500 connections that say nothing."""
    peers = []
    with contextlib.suppress(OSError):
        peers = [_connected(port) for _ in range(HALF_OPEN)]
    time.sleep(max(until - time.monotonic(), 0))
    for peer in peers:
        peer.close()


def statues(port: int, until: float) -> None:
    """60 clients that open a stream and never read."""
    peers = []
    for _ in range(STATUES):
        with contextlib.suppress(OSError):
            peers.append(_upgrade(port))
    time.sleep(max(until - time.monotonic(), 0))
    for peer in peers:
        peer.close()


def rest_loops(port: int, until: float) -> None:
    """16 loops of REST requests."""

    def loop() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
            while time.monotonic() < until:
                for path in ("/v1/datasets", "/v1/serving", "/v1/experiments/runs"):
                    client.get(path)

    threads = [threading.Thread(target=loop) for _ in range(LOOPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


ABUSES: tuple[Abuse, ...] = (
    header_flood, many_headers, body_flood, pipelined, ping_flood, fragment_flood, slow_peers, half_open, statues,
    rest_loops,
)  # fmt: skip


def late_ms(service: Service, seconds: float) -> list[float]:
    """Lateness of each bin of one client in ms, from a process of its own."""
    receiver, sender = multiprocessing.get_context("spawn").Pipe(False)
    client = multiprocessing.get_context("spawn").Process(target=_client, args=(sender, service.url, seconds))
    client.start()
    if not receiver.poll(seconds + 60):
        client.kill()
        raise RuntimeError("the well-behaved client got no stream")
    found: list[float] = receiver.recv()
    client.join()
    return found


def _client(sender: multiprocessing.connection.Connection, url: str, seconds: float) -> None:
    sender.send(asyncio.run(read(url, f"serving={SERVING}&speed=1", seconds, 10**9)).late_ms)


def beside(service: Service, abuse: Abuse, seconds: float) -> list[float]:
    """Lateness while an abuse goes on, which begins two seconds before and is over soon after."""
    until = time.monotonic() + seconds + 6
    other = multiprocessing.get_context("spawn").Process(target=abuse, args=(service.port, until))
    other.start()
    try:
        time.sleep(2)
        return late_ms(service, seconds)
    finally:
        other.join(seconds + 30)
        if other.is_alive():
            other.kill()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, help="a lake with the synthetic day and the baseline's dataset")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--only", nargs="*", choices=[abuse.__name__ for abuse in ABUSES], help="some of the abuses")
    given = parser.parse_args()
    print(machine(), f"load {os.getloadavg()[0]:.1f}", sep="; ")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = given.lake or make_lake(folder / "lake")
        with running(lake, folder / "service.log") as service:
            late_ms(service, 2.0)  # what a first stream makes anew
            alone = np.quantile(late_ms(service, given.seconds), (0.5, 0.99, 1.0))
            print(
                "| beside | p50 ms | p99 ms | most ms | added at p99 ms | service MB |\n|---|---:|---:|---:|---:|---:|"
            )
            print(f"| nobody | {alone[0]:.1f} | {alone[1]:.1f} | {alone[2]:.1f} | | {service.resident_mb():.0f} |")
            for abuse in (one for one in ABUSES if not given.only or one.__name__ in given.only):
                p50, p99, most = np.quantile(beside(service, abuse, given.seconds), (0.5, 0.99, 1.0))
                what = (abuse.__doc__ or "").rstrip(".").lower()
                added, memory = p99 - alone[1], service.resident_mb()
                print(f"| {what} | {p50:.1f} | {p99:.1f} | {most:.1f} | {added:.1f} | {memory:.0f} |", flush=True)
    print(f"aimed at: under {GOAL_MS} ms added")


if __name__ == "__main__":
    main()
