"""What browser tests and screenshots share: a small lake made by the command line, a real `vp-serve`, Chromium."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import httpx
from playwright.sync_api import Browser, Page, Playwright

from tests.support.programs import PROGRAMS, find_chromium

ROOT = Path(__file__).parents[2]
DIST = Path(os.environ.get("VP_FRONTEND_DIST") or ROOT / "frontend" / "dist")
KEPT = ROOT / "test-results" / "screens"
# Software rendering must stay on: WebGL2 runs on it where there is no graphics card.
CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip

SPECS = {
    "pipelines/tour.yaml": """
name: tour
capture: {product_type: future_mbo, symbol: MNQH6, dt: "2026-02-06", start_time: "09:30", end_time: "09:32"}
pipeline: {warmup_hours: 0.02}
""",
    "serving/tour_derivative.yaml": """
name: tour_derivative
pipeline: tour
scoring: {zscore_min_periods: 30}
state_model: {zscore_min_periods: 30}
signal: {name: derivative, params: {zscore_min_periods: 30}, threshold: null, cooldown_bins: 20}
""",
    "experiments/tour_sweep.yaml": """
name: tour_sweep
serving: tour_derivative
signals: [derivative]
eval: {tp_ticks: [4], sl_ticks: [4], max_hold_bins: 300, warmup_bins: 60, cooldown_bins: [20, 30], min_signals: 1}
sweep: {per_signal: {derivative: {d2_weight: [0.0, 0.3]}}}
selection: {sort: net_mean_pnl_ticks, min_signals: 1}
tracking: {backend: none}
""",
}
EXPERIMENT = "tour_sweep"


class Lake(NamedTuple):
    """A lake with its specs, and the instrument it is of (None: the packaged one)."""

    root: Path
    configs: Path
    instrument: Path | None = None

    @classmethod
    def under(cls, folder: Path) -> Lake:
        """The small lake of that folder."""
        return cls(folder / "lake", folder / "configs")

    def environ(self) -> dict[str, str]:
        """The environment of every command on it."""
        paths = {"VP_LAKE_ROOT": str(self.root), "VP_CONFIG_DIR": str(self.configs)}
        if self.instrument is not None:
            paths["VP_INSTRUMENT_CONFIG_PATH"] = str(self.instrument)
        home = self.root / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        return os.environ | paths | {"DAGSTER_HOME": str(home)}

    def vp(self, *arguments: str) -> None:
        """Run one `vp` command to its end."""
        command = [str(Path(sys.executable).parent / "vp"), *arguments]
        done = subprocess.run(command, env=self.environ(), cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")


def small_lake(folder: Path) -> Lake:
    """Six minutes of the synthetic exchange, two of them as bins, swept and promoted by the commands people use."""
    lake = Lake.under(folder)
    for name, text in SPECS.items():
        path = lake.configs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    lake.vp("sample", "--start", "09:28", "--end", "09:34", "--events-per-s", "400")
    lake.vp("run", EXPERIMENT)
    lake.vp("promote", EXPERIMENT)
    return lake


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float, log: IO[bytes]) -> None:
    """Until the address answers with 200; RuntimeError with the log's end if the process dies or never does."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False, timeout=2).status_code == 200:
                return
        time.sleep(0.2)
    log.seek(0)
    raise RuntimeError(f"{url} does not answer:\n{log.read().decode(errors='replace')[-2000:]}")


@contextlib.contextmanager
def running(command: list[str], lake: Lake, ready: str, seconds: float = 90) -> Iterator[None]:
    """A process of this project, once `ready` answers and until the block ends."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=lake.environ(), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(ready, process, seconds, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def service(lake: Lake, port: int | None = None) -> Iterator[str]:
    """A real `vp-serve` over the lake; its address."""
    port = port or free_port()
    command = [str(Path(sys.executable).parent / "vp-serve"), "--port", str(port), "--log-level", "warning"]
    url = f"http://127.0.0.1:{port}"
    with running(command, lake, f"{url}/ready"):
        yield url


def promoted(url: str) -> str:
    """Name of the promoted spec of the lake behind a service."""
    specs = httpx.get(f"{url}/v1/serving", trust_env=False, timeout=60).json()["serving"]
    return str(next(spec["name"] for spec in specs if spec["origin"] == "promoted"))


def keep(page: Page, name: str) -> None:
    """Keep what the page shows as test-results/screens/<name>.png, for eyes."""
    KEPT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=KEPT / f"{name}.png")


def chromium(playwright: Playwright) -> Browser:
    """Headless Chromium; RuntimeError with the command that installs it where there is none."""
    path = find_chromium()
    if path is None:
        raise RuntimeError(PROGRAMS["chromium"].reason())
    return playwright.chromium.launch(executable_path=path, headless=True, args=list(CHROMIUM_FLAGS))


def check_built() -> None:
    """RuntimeError unless the screens are built."""
    if not (DIST / "vacuum-pressure.html").is_file():
        raise RuntimeError("the screens are not built: run `make setup`, or `npm ci && npm run build` in frontend/")
