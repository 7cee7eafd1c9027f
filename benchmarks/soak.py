"""A soak of the service: fifty restless clients for minutes, then the books are balanced.

    python -m benchmarks.soak [--minutes 10] [--lake DIR]

Clients pause, seek, change speed, read slowly, leave and vanish (benchmarks/soak_clients.py), and two are statues that
open a stream and never read. It must hold that: resident memory is flat within 5 % after the first fifth; every stream
ends, and afterwards threads, open files and processor time are those of a service nobody uses; bins are dropped only
for readers that were slow; and the service's figures are what the clients counted, stream by stream. Loopback only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.service import ROOT, Closed, Service, running
from benchmarks.soak_clients import Life
from vp_serving.wire.messages import STREAM_PATH

CLIENTS, PROCESSES, STATUES = 50, 2, 2
LIFE_S = 12.0
FLAT = 0.05
TRY_LATER = 1013
SETTLE_S = 100.0  # at most, for statues to be given up: two pings of 20 s, and 60 s for an answer
UNREAD_BINS = 200  # of a cut stream: bins that were written and lie in buffers
QUERIES = (
    "serving=derivative_baseline",
    "serving=derivative_demo",
    "serving=derivative_baseline&state_model_d2_weight=1",
)


class Found(NamedTuple):
    """What a soak came to; `wrong` holds a line for everything that must not be."""

    streams: int
    bins: int
    dropped: int
    memory_mb: list[float]
    wrong: list[str]
    idle_cpu: float

    def lines(self) -> list[str]:
        """For people."""
        early, late = _halves(self.memory_mb)
        return [
            f"{self.streams} streams, {self.bins:,} bins, {self.dropped:,} dropped for slow readers",
            f"resident memory {early:,.0f} MB early, {late:,.0f} MB late, {max(self.memory_mb):,.0f} MB at most",
            f"processor time afterwards: {100 * self.idle_cpu:.1f} % of one core",
            *(f"WRONG: {line}" for line in self.wrong),
        ]


def soak(
    service: Service, seconds: float, queries: Sequence[str], *, clients: int = CLIENTS, processes: int = PROCESSES,
    statues: int = STATUES, life_s: float = LIFE_S, flat: float | None = FLAT, seed: int = 1,
) -> Found:  # fmt: skip
    """Run clients against a fresh service and balance the books. flat: how much memory may grow; None: not looked at,
    as in a run that ends before the service's stores are full."""
    threads, files = service.threads(), service.files()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        frozen = [_statue(service, queries[0]) for _ in range(statues)]
        crowds = [
            _crowd(service, folder / f"{at}.jsonl", queries, clients // processes, seconds, seed + at, life_s)
            for at in range(processes)
        ]
        memory = []
        give_up = time.monotonic() + seconds + 60
        while any(crowd.poll() is None for crowd in crowds) and time.monotonic() < give_up:
            memory.append(service.resident_mb())
            time.sleep(min(1.0, seconds / 50))
        stuck = [crowd for crowd in crowds if crowd.poll() is None]
        for crowd in stuck:
            crowd.kill()
        lives = [Life(*json.loads(line)) for at in range(processes) for line in _lines(folder / f"{at}.jsonl")]
    settled = _wait_settled(service, SETTLE_S if statues else 10.0)
    for one in frozen:
        one.close()
    wrong = [f"{len(stuck)} processes of clients did not end"] if stuck else []
    wrong += [f"clients failed with exit code {crowd.returncode}" for crowd in crowds if crowd.returncode]
    wrong += [] if settled else [f"{service.figures()['vp_streams']:.0f} streams are left"]
    wrong += balance(service.closed(), lives, service.figures())
    cpu, began = service.cpu_s(), time.monotonic()
    time.sleep(2)
    idle = (service.cpu_s() - cpu) / (time.monotonic() - began)
    if idle > 0.05:
        wrong.append(f"a service that nobody uses takes {100 * idle:.0f} % of a core")
    if service.files() > files + 2:
        wrong.append(f"{service.files() - files} more open files than before")
    if service.threads() > threads + 16:  # the pool's, started when they are first needed
        wrong.append(f"{service.threads() - threads} more threads than before")
    early, late = _halves(memory)
    if flat is not None and late > early * (1 + flat):
        wrong.append(f"resident memory grew from {early:.0f} to {late:.0f} MB")
    bins, dropped = (sum(life[at] for life in lives) for at in (2, 3))
    return Found(len(lives), bins, dropped, memory, wrong, idle)


def balance(closed: Sequence[Closed], lives: Sequence[Life], figures: dict[str, float]) -> list[str]:
    """What does not add up between the service's log and figures and what clients counted."""
    wrong = []
    for name, at in (("vp_bins_sent_total", 1), ("vp_bins_dropped_total", 2)):
        logged = sum(one[at] for one in closed)
        if figures[name] != logged:
            wrong.append(f"{name} is {figures[name]:.0f}, the log's streams come to {logged}")
    by_port: dict[int, list[Closed]] = {}
    for one in closed:
        by_port.setdefault(one.port, []).append(one)
    refused = [life for life in lives if life.code == TRY_LATER and not life.bins]
    told = figures.get('vp_streams_refused_total{code="too_many_streams"}', 0.0)
    if told != len(refused):
        wrong.append(f"{len(refused)} streams were told to come later, the service counts {told:.0f}")
    for life in lives:
        mine = by_port.get(life.port, [])
        if life in refused or (not life.bins and life.kind != "end"):
            continue  # told to come later, or left before the first bin, perhaps before there was a session
        if not any(_fits(life, one) for one in mine):
            wrong.append(f"{life} is none of {mine}")
        if life.dropped and not life.slow:
            wrong.append(f"a reader that was not slow lost bins: {life}")
        if life.jumps or life.errors:
            wrong.append(f"jumps or errors: {life}")
    return wrong


def _fits(life: Life, one: Closed) -> bool:
    """Whether a stream of the log can be this one."""
    if life.kind == "cut" or (life.slow and life.code == 1006):  # whoever takes too long over a goodbye is cut off
        return life.bins <= one.sent <= life.bins + UNREAD_BINS and life.dropped <= one.dropped
    if life.end_bins >= 0:
        return (one.sent, one.dropped) == (life.bins, life.dropped) == (life.end_bins, life.end_dropped)
    if life.kind == "end" or life.code not in (1000, 1011):
        return False
    # A slow reader's close waits behind what it has not read; what was dropped after its last bin it was not told.
    return one.sent == life.bins and life.dropped <= one.dropped and (life.slow or life.dropped == one.dropped)


def _crowd(
    service: Service, target: Path, queries: Sequence[str], clients: int, seconds: float, seed: int, life_s: float
) -> subprocess.Popen[bytes]:
    words = (service.url, json.dumps(queries), str(clients), str(seconds), str(seed), str(life_s))
    with target.open("w") as lines:
        return subprocess.Popen([sys.executable, "-m", "benchmarks.soak_clients", *words], cwd=ROOT, stdout=lines)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _statue(service: Service, query: str) -> socket.socket:
    """A client that opens a stream and never reads."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    made.connect(("127.0.0.1", service.port))
    head = (
        f"GET {STREAM_PATH}?{query}&speed=5 HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: c3BlY3RhdG9yIG9mIGl0Lg==", "", "",
    )  # fmt: skip
    made.sendall("\r\n".join(head).encode())
    return made


def _wait_settled(service: Service, seconds: float) -> bool:
    """Until no stream is left."""
    deadline = time.monotonic() + seconds
    while service.figures()["vp_streams"] and time.monotonic() < deadline:
        time.sleep(0.2)
    return not service.figures()["vp_streams"]


def _halves(memory: Sequence[float]) -> tuple[float, float]:
    """Median memory of the second fifth and of the last."""
    fifth = max(1, len(memory) // 5)
    return statistics.median(memory[fifth : 2 * fifth]), statistics.median(memory[-fifth:])


def main() -> int:
    """Command line; exit code 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--lake", type=Path, help="a lake with the demo's and the baseline's dataset")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if given.lake is None:
            from benchmarks.serving import make_lake

            given.lake = make_lake(folder / "lake")
        service = stack.enter_context(running(given.lake, folder / "service.log"))
        found = soak(service, 60 * given.minutes, QUERIES, seed=given.seed)
    print("\n".join(found.lines()))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
