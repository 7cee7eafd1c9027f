"""A `vp-serve` process that benchmarks and soak runs look at from outside: its figures, memory, processor time, log.

Loopback only; the process ends with the context that started it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_CLOSED = re.compile(r"event='stream closed' client='[^']*:(\d+)'.* sent=(\d+) dropped=(\d+)")


class Closed(NamedTuple):
    """What the service's log says of one stream that is over."""

    port: int
    sent: int
    dropped: int


class Service(NamedTuple):
    """A running service; `log` is the file its lines go to."""

    port: int
    pid: int
    log: Path

    @property
    def url(self) -> str:
        """Base of its addresses."""
        return f"http://127.0.0.1:{self.port}"

    def figures(self) -> dict[str, float]:
        """What `/metrics` says, by name with labels."""
        text = httpx.get(f"{self.url}/metrics", trust_env=False, timeout=30).text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def resident_mb(self) -> float:
        """Resident memory in MB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096 / 1e6

    def cpu_s(self) -> float:
        """Processor seconds used so far, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def threads(self) -> int:
        """Threads now."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def files(self) -> int:
        """Open files and sockets now."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def closed(self) -> list[Closed]:
        """Every stream that is over, in order."""
        return [Closed(*map(int, found)) for found in _CLOSED.findall(self.log.read_text())]


@contextlib.contextmanager
def running(
    lake: Path, log: Path, environ: Mapping[str, str] | None = None, *flags: str, configs: Path = ROOT / "configs"
) -> Iterator[Service]:
    """A service over a lake, ready; asked to end, and made to if it does not within ten seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "vp_serving", "--port", str(port), "--lake-root", str(lake), *flags]
    values = dict(os.environ) | {"VP_CONFIG_DIR": str(configs)} | dict(environ or {})
    with log.open("w") as lines:
        process = subprocess.Popen(command, cwd=ROOT, env=values, stderr=lines, stdout=lines)
    try:
        service = Service(port, process.pid, log)
        _wait_ready(service, process)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(service: Service, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended: {service.log.read_text()[-500:]}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{service.url}/ready", trust_env=False, timeout=10).status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the service did not get ready: {service.log.read_text()[-500:]}")
