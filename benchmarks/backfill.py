"""Seconds a day of a backfill over five-minute captures: from the command line and from the API of the UI, the first
time and the second, when there is nothing to do.

Usage: python -m benchmarks.backfill [--days 60] [--lake FOLDER] [--only cli|ui]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.assets.house import House
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets

REPOSITORY = Path(__file__).parents[1]
FIRST = dt.date(2025, 11, 10)
PIPELINE = "mnq_5m"


def vp(lake: Path, *arguments: str) -> dict[str, object]:
    """One command; its JSON with the seconds it took."""
    environ = {**os.environ, "VP_LAKE_ROOT": str(lake), "VP_CONFIG_DIR": str(REPOSITORY / "configs")}
    began = time.monotonic()
    command = [sys.executable, "-m", "vp_assets.cli", *arguments, "--json"]
    said = subprocess.run(command, env=environ, cwd=REPOSITORY, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    return {"seconds": time.monotonic() - began, **(found if isinstance(found, dict) else {})}


def forget(lake: Path) -> None:
    """Back to raw days alone."""
    for name in ("cache", "research", "dagster"):
        shutil.rmtree(lake / name, ignore_errors=True)


def cli(lake: Path, days: list[str]) -> list[tuple[str, float]]:
    """Seconds of a first and a second backfill from the command line."""
    span = ("--from", days[0], "--to", days[-1])
    first = vp(lake, "backfill", PIPELINE, *span)
    second = vp(lake, "backfill", PIPELINE, *span)
    assert (first["new"], second["was there"]) == (len(days), len(days))
    return [("command line, first", float(str(first["seconds"]))), ("second", float(str(second["seconds"])))]


def ui(lake: Path, days: list[str]) -> list[tuple[str, float]]:
    """Seconds of a first and a second backfill launched through GraphQL in a real webserver and daemon."""
    assets = ["raw_dbn", f"{PIPELINE}/book_cache", f"{PIPELINE}/bins"]
    rows = []
    with House(lake, REPOSITORY / "configs") as house:
        for name in ("UI, first", "second"):
            began = time.monotonic()
            asked = house.launch(assets, days)
            status = house.wait(lambda asked=asked: house.ended(asked), 3_600)
            assert status == "COMPLETED_SUCCESS", status
            rows.append((name, time.monotonic() - began))
    assert len(list_datasets(Lake(lake))) == len(days)
    return rows


def main() -> None:
    """One line per way and time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument(
        "--lake", type=Path, help="A lake with raw days of a benchmark before; made where it is missing."
    )
    parser.add_argument("--only", choices=("cli", "ui"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backfill") as folder:
        lake = given.lake or Path(folder) / "lake"
        last = FIRST + dt.timedelta(days=int(given.days * 1.6) + 7)
        vp(lake, "sample", "--from", f"{FIRST}", "--to", f"{last}")
        days = sorted(str(day.manifest.day) for day in list_raw(Lake(lake)))[: given.days]
        for name, measure in (("cli", cli), ("ui", ui)):
            if given.only in (None, name):
                forget(lake)
                for what, seconds in measure(lake, days):
                    print(f"{what}: {len(days)} days in {seconds:.1f} s, {seconds / len(days):.3f} s a day", flush=True)


if __name__ == "__main__":
    main()
