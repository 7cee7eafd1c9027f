"""Seconds a day of a backfill over five-minute captures: from the command line and from the API of the UI, the first
time and the second, when there is nothing to do. In the UI's first one a raw day in the middle is damaged, which must
stop no other; mended, it is made alone.

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


def cli(lake: Path, days: list[str]) -> list[tuple[str, int, float]]:
    """(what, days, seconds) of a first and a second backfill from the command line."""
    span = ("--from", days[0], "--to", days[-1])
    first = vp(lake, "backfill", PIPELINE, *span)
    second = vp(lake, "backfill", PIPELINE, *span)
    assert (first["new"], second["was there"]) == (len(days), len(days))
    return [
        ("command line, first", len(days), float(str(first["seconds"]))),
        ("command line, second", len(days), float(str(second["seconds"]))),
    ]


def ui(lake: Path, days: list[str]) -> list[tuple[str, int, float]]:
    """The same of backfills launched through GraphQL in a real webserver and daemon."""
    assets = ["raw_dbn", f"{PIPELINE}/book_cache", f"{PIPELINE}/bins"]
    bad = days[len(days) // 2]
    (raw,) = (held.path for held in list_raw(Lake(lake)) if str(held.manifest.day) == bad)
    whole = raw.read_bytes()

    def backfill(house: House, wanted: list[str]) -> tuple[str, float]:
        """Status and seconds of one."""
        began = time.monotonic()
        asked = house.launch(assets, wanted)
        status = house.wait(lambda: house.ended(asked), 3_600)
        return status, time.monotonic() - began

    with House(lake, REPOSITORY / "configs") as house:
        try:
            raw.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            status, first_s = backfill(house, days)
        finally:
            raw.write_bytes(whole)
        made = {str(info.capture.dt): info.path.stat().st_mtime_ns for info in list_datasets(Lake(lake))}
        assert (status, set(made)) == ("COMPLETED_FAILED", set(days) - {bad}), (status, len(made))
        status, mended_s = backfill(house, [bad])
        assert status == "COMPLETED_SUCCESS", status
        status, second_s = backfill(house, days)
        assert status == "COMPLETED_SUCCESS", status
    again = {str(info.capture.dt): info.path.stat().st_mtime_ns for info in list_datasets(Lake(lake))}
    assert set(again) == set(days)
    assert {day: again[day] for day in made} == made, "a dataset was made twice"
    return [
        (f"UI, first, {bad} damaged", len(days), first_s),
        (f"UI, {bad} mended", 1, mended_s),
        ("UI, second", len(days), second_s),
    ]


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
                for what, n, seconds in measure(lake, days):
                    print(f"{what}: {n} days in {seconds:.1f} s, {seconds / n:.3f} s a day", flush=True)


if __name__ == "__main__":
    main()
