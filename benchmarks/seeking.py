"""How soon a stream answers in a day of 23 hours, and what sessions cost that are apart from each other, or paused.

`python -m benchmarks.seeking [--lake DIR]` prints the rows alone. Without a lake one is made in a temporary folder: two
synthetic days and the bins of one, 6 GB. Answers are timed at the client, from the seek or the opening to the first bin
in full; the service is a fresh process for every request, so the first seeks find nothing kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.service import ROOT, Service, running
from vp_serving.client import StreamClient

DAYS = ("2026-02-05", "2026-02-06")  # UTC; the Eastern day below lies in both
PIPELINE = f"""
name: day23
capture: {{product_type: future_mbo, symbol: MNQH6, dt: "{DAYS[0]}", start_time: "00:00", end_time: "23:00"}}
"""
SIGNALS = {
    "none": "no signal",
    "derivative": "a signal with a bounded memory",
    "ads_pfp_svac": "a signal that remembers all",
    "erd": "one that reads scores of all",
}
SEEKS = 12
SESSIONS, APART_S, PAUSED_S = 50, 20.0, 10.0


def write_configs(folder: Path) -> Path:
    """One pipeline, and a serving spec for each signal."""
    for kind in ("pipelines", "serving"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    (folder / "pipelines" / "day23.yaml").write_text(PIPELINE)
    for name in SIGNALS:
        signal = "" if name == "none" else f"signal: {{name: {name}, threshold: 0.05}}\n"
        (folder / "serving" / f"day_{name}.yaml").write_text(f"name: day_{name}\npipeline: day23\n{signal}")
    return folder


def make_lake(lake: Path, configs: Path) -> None:
    """The day, by the commands a user has."""
    environ = dict(os.environ) | {"VP_LAKE_ROOT": str(lake), "VP_CONFIG_DIR": str(configs)}
    samples = [("sample", "--day", day, "--whole-day", "--events-per-s", "60") for day in DAYS]
    for words in (*samples, ("generate", "day23")):
        command = [sys.executable, "-m", "vp_assets.cli", *words]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environ)


async def answers(service: Service, serving: str, from_bin: int = 700_000) -> tuple[float, list[float]]:
    """Seconds to the first bin of a stream that opens late in the day, and of seeks all over it."""
    began = time.perf_counter()
    async with StreamClient(service.url, serving=serving, speed=1, from_bin=from_bin) as stream:
        await anext(stream)
        opened = time.perf_counter() - began
        capture = stream.config["capture"]
        places, sought = random.Random(7), []
        for _ in range(SEEKS):
            began = time.perf_counter()
            await stream.seek(places.randrange(capture["start_ns"], capture["end_ns"]))
            await anext(stream)
            sought.append(time.perf_counter() - began)
    return opened, sought


async def apart(service: Service) -> tuple[float, float]:
    """Cores and MB a session of many that play at market speed, each at a place of its own."""
    places = random.Random(11)
    before, until = service.resident_mb(), time.monotonic() + APART_S

    async def session(from_bin: int) -> None:
        async with StreamClient(service.url, serving="day_none", speed=1, from_bin=from_bin) as stream:
            while time.monotonic() < until:
                await anext(stream)

    sessions = asyncio.gather(*(session(places.randrange(800_000)) for _ in range(SESSIONS)))
    await asyncio.sleep(APART_S / 2)
    began, since = service.cpu_s(), time.monotonic()
    await asyncio.sleep(APART_S / 3)
    cores = (service.cpu_s() - began) / (time.monotonic() - since)
    held = service.resident_mb()
    await sessions
    return cores, (held - before) / SESSIONS


async def paused(service: Service) -> float:
    """Cores that many paused sessions take."""
    streams = [StreamClient(service.url, serving="day_none", speed=1) for _ in range(SESSIONS)]
    for stream in streams:
        await stream.__aenter__()
        await stream.pause()
    await asyncio.sleep(2.0)
    began = service.cpu_s()
    await asyncio.sleep(PAUSED_S)
    cores = (service.cpu_s() - began) / PAUSED_S
    for stream in streams:
        await stream.close()
    return cores


def computed(lake: Path, configs: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """The same day where there is no dataset of it: the first look at its end, and seeks once keyframes are there."""
    bare = folder / "bare"
    bare.mkdir()
    (bare / "raw").symlink_to(lake / "raw")
    with running(bare, folder / "computed.log", configs=configs) as service:
        opened, sought = asyncio.run(answers(service, "day_derivative", 827_000))
        kept = service.figures()["vp_cache_bytes"] / 1e6
    yield (
        f"the same through the engine, without a dataset: opened at its end first, then {SEEKS} seeks; kept",
        f"{opened:.0f} s; {statistics.median(sought):.2f} s, {max(sought):.2f} s; {kept:.0f} MB",
    )


def facts(lake: Path, configs: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Rows for the benchmark's table."""
    for name, words in SIGNALS.items():
        with running(lake, folder / f"{name}.log", configs=configs) as service:
            opened, sought = asyncio.run(answers(service, f"day_{name}"))
        yield (
            f"first bin in a 23-hour day, {words}: opened at its end, {SEEKS} seeks (median, most)",
            f"{opened:.2f} s; {statistics.median(sought):.2f} s, {max(sought):.2f} s",
        )
    yield from computed(lake, configs, folder)
    with running(lake, folder / "sessions.log", configs=configs) as service:
        cores, held_mb = asyncio.run(apart(service))
        yield (
            f"{SESSIONS} sessions at market speed, each at its own place: cores, MB a session",
            (f"{cores:.2f}, {held_mb:.1f}"),
        )
        yield f"{SESSIONS} paused sessions: cores", f"{asyncio.run(paused(service)):.3f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, help="a lake with the pipeline's bins, as an earlier run made it")
    lake = parser.parse_args().lake
    with tempfile.TemporaryDirectory() as place:
        configs = write_configs(Path(place) / "configs")
        if lake is None:
            lake = Path(place) / "lake"
            make_lake(lake, configs)
        for name, value in facts(lake, configs, Path(place)):
            print(f"{name}: {value}", flush=True)


if __name__ == "__main__":
    main()
