"""Kill -9 in the middle of a backfill, at random and on purpose inside a write, and what stands afterwards.

`vp backfill` runs in a process group of its own; the group is killed and started again, until it has been killed as
often as asked. Half of the kills come at a random moment, half a moment after something new is seen being written: a
temporary name in a lake on a disk, data without their manifest in a lake on an object store (a real S3 server over a
folder). Where the days are done before, derived data are dropped and it begins anew. After every kill, before anything
else runs:

- nothing is half-visible: every dataset, book and raw day that can be seen verifies,
- what was committed before was not written again (the time of its files is the same), so it was not computed again,
- every dataset has the address it has without a kill.

At the end every day is there and verifies, no temporary name and no object without a manifest is left, and no run is
under way.

Usage: python -m benchmarks.kill_drill [--kills 20] [--days 20] [--seed 1] [--on disk|s3]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import dagster as dg

from tests.object_stores import serving
from vp_assets.runs.in_process import open_instance
from vp_assets.settings import load_settings
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets
from vp_engine.lake.paths import BOOKS, DATASETS
from vp_engine.lake.store import MANIFEST
from vp_engine.lake.verify import verify_all

PIPELINE = """
name: drill
capture: {product_type: future_mbo, symbol: MNQH6, dt: null, start_time: "09:30", end_time: "09:30:30"}
pipeline: {warmup_hours: 0.02}
"""
FIRST = "2026-01-05"  # a Monday
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_LOOK_S = 0.001
_PATIENCE_S = 120.0


class Kill(NamedTuple):
    """One kill: whether it was aimed, seconds into the run, datasets committed by then and of these since the last
    kill, and what it left in the middle of being written."""

    aimed: bool
    at_s: float
    committed: int
    fresh: int
    torn: int


class Drill:
    """A lake with `days` raw days; derived things come and go. `served`: the folder behind an object store."""

    def __init__(self, root: Path, days: int, url: str | None = None, served: Path | None = None) -> None:
        self.days = days
        self.root = root
        self.folder = served if served is not None else root / "lake"
        self.remote = served is not None
        self.home = root / "dagster"
        self.lake = Lake(url or str(self.folder), root / "cache")
        (root / "configs" / "pipelines").mkdir(parents=True)
        (root / "configs" / "pipelines" / "drill.yaml").write_text(PIPELINE)
        self.environ = {
            **os.environ,
            "VP_LAKE_ROOT": url or str(self.folder),
            "VP_CACHE_DIR": str(root / "cache"),
            "VP_CONFIG_DIR": str(root / "configs"),
            "DAGSTER_HOME": str(self.home),
        }
        quick = ("--start", "09:28:30", "--end", "09:31", "--events-per-s", "60")
        made = self._vp("sample", "--from", FIRST, "--to", "2026-02-27" if days > 8 else "2026-01-16", *quick)
        _, said = made.communicate()
        assert made.returncode == 0, said.decode()
        held = sorted(str(day.manifest.day) for day in list_raw(self.lake))
        self.span = ("--from", held[0], "--to", held[days - 1])

    def _vp(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "vp_assets.cli", *arguments, "--json"]
        return subprocess.Popen(
            command, env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )

    def forget(self) -> None:
        """Back to raw days alone."""
        for name in ("cache", "research"):
            self.lake.remove(self.lake.path(name))  # not behind the back of the server, which remembers sizes
        shutil.rmtree(self.home, ignore_errors=True)

    def backfill(self) -> float:
        """A whole backfill; seconds it took."""
        began = time.monotonic()
        process = self._vp("backfill", *self.span)
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
        return time.monotonic() - began

    def kill_at(self, seconds: float) -> float:
        """Start a backfill and kill -9 everything of it after so many seconds."""
        process = self._vp("backfill", *self.span)
        time.sleep(seconds)
        return _killed(process, seconds)

    def kill_in_write(self, nth: int, later_s: float) -> float:
        """Start a backfill and kill it a moment after the nth new file or folder of a dataset is seen being written;
        seconds into it. Books are written in less than that moment: they are hit by chance."""
        before = self.torn(DATASETS)
        began = time.monotonic()
        process = self._vp("backfill", *self.span)
        seen: set[tuple[str, int]] = set()
        while len(seen) < nth and process.poll() is None and time.monotonic() - began < _PATIENCE_S:
            time.sleep(_LOOK_S)
            seen |= self.torn(DATASETS) - before
        time.sleep(later_s)
        return _killed(process, time.monotonic() - began)

    def torn(self, *kinds: PurePosixPath) -> set[tuple[str, int]]:
        """What is in the middle of being written, or was left so: temporary names, data without their manifest; with
        the time of each. kinds: folders of the lake, those of books and datasets by default."""
        folders = [self.folder / str(path) for path in kinds or (BOOKS, DATASETS)]
        found = [path for folder in folders for path in _entries(folder) if path.name.startswith(".tmp-")]
        if self.remote:
            for folder in _entries(self.folder / str(DATASETS)):
                inside = _entries(folder)
                if not any(path.name == MANIFEST for path in inside):
                    found += inside
        return {(str(path), at) for path in found if (at := _mtime(path)) is not None}

    def verified(self) -> dict[str, str]:
        """Address by day of every dataset that can be seen, after hashing everything that can be seen."""
        broken = [verdict for verdict in verify_all(self.lake) if verdict.problem is not None]
        assert not broken, f"half-visible: {broken}"
        return {str(info.capture.dt): info.address for info in list_datasets(self.lake)}

    def marks(self) -> dict[str, float]:
        """Time of the manifest and the bins of every dataset."""
        files = [
            path for info in list_datasets(self.lake) for path in (info.path / MANIFEST, info.file("bins.parquet"))
        ]
        return {str(path): held.mtime_s for path in files if (held := self.lake.entry(path)) is not None}

    def leftovers(self) -> list[Path]:
        """Temporary names anywhere, here or in the folder that the server keeps."""
        return [path for folder in (self.folder, self.root) for path in folder.rglob(".tmp-*")]

    def under_way(self) -> int:
        """Runs that Dagster believes to be running."""
        settings = load_settings(self.environ["VP_LAKE_ROOT"], environ={"DAGSTER_HOME": str(self.home)})
        with open_instance(settings) as instance:
            return instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY))

    def kill(self, wanted: dict[str, str], at_s: float | None, nth: int = 1, later_s: float = 0.0) -> Kill:
        """One kill after `at_s` seconds, or (None) inside a write; AssertionError says what it broke."""
        before, torn = self.marks(), self.torn()
        spent = self.kill_in_write(nth, later_s) if at_s is None else self.kill_at(at_s)
        left = len(self.torn() - torn)
        seen, after = self.verified(), self.marks()
        assert {path: after.get(path) for path in before} == before, "a committed dataset was written again"
        assert all(wanted[day] == address for day, address in seen.items()), "another address after a kill"
        return Kill(at_s is None, spent, len(seen), len(after.keys() - before.keys()) // 2, left)

    def finish(self, wanted: dict[str, str]) -> None:
        """Run to the end; AssertionError says what is missing or left over."""
        before = self.marks()
        self.backfill()
        after = self.marks()
        assert {path: after.get(path) for path in before} == before, "a committed dataset was written again"
        assert self.verified() == wanted, "days are missing after the restart"
        assert not self.leftovers(), f"temporary names are left: {self.leftovers()}"
        assert not self.torn(), f"data without a manifest are left: {self.torn()}"
        assert self.under_way() == 0, "a dead run is still under way"


def _killed(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Kill -9 a whole process group; the seconds that are given."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return seconds


def _entries(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


@contextmanager
def drill_on(kind: str, root: Path, days: int) -> Iterator[Drill]:
    """A drill on a disk, or on S3 served over a folder."""
    with serving("rclone", root / "served") if kind == "s3" else nullcontext() as bucket:
        url = f"{bucket}/drill" if bucket is not None else None
        yield Drill(root, days, url, root / "served" / "lake" / "drill" if bucket is not None else None)


def main() -> None:
    """The drill; one line per kill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on", choices=("disk", "s3"), default="disk")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="kill_drill"))
    try:
        with drill_on(given.on, root, given.days) as drill:
            rehearse(drill, given.kills, random.Random(given.seed))
    finally:
        shutil.rmtree(root)


def rehearse(drill: Drill, kills: int, chance: random.Random) -> None:
    """So many kills, aimed and not by turns, then a run to the end."""
    first_s = drill.backfill()
    wanted = drill.verified()
    assert len(wanted) == drill.days
    again_s = drill.backfill()  # nothing to do: what a start costs
    day_s = max(first_s - again_s, 0.0) / drill.days
    print(f"{drill.days} days in {first_s:.1f} s, found in {again_s:.1f} s; killing {kills} times", flush=True)
    drill.forget()
    done: list[Kill] = []
    while len(done) < kills:
        if len(done) % 2:
            one = drill.kill(wanted, chance.uniform(0.5 * again_s, again_s + 3 * day_s))
        else:
            one = drill.kill(wanted, None, chance.randint(1, 3), chance.uniform(0.0, 0.03))
        done.append(one)
        print(
            f"{len(done):3d}: {'aimed, ' if one.aimed else ''}killed after {one.at_s:5.1f} s, {one.committed:2d} of "
            f"{drill.days} days committed, {one.fresh} of them by this run, {one.torn} things half written; all that "
            "can be seen verified",
            flush=True,
        )
        if one.committed == drill.days:
            drill.finish(wanted)
            drill.forget()
    drill.finish(wanted)
    hit = sum(one.torn > 0 for one in done)
    print(f"{len(done)} kills, {hit} of them inside a write: nothing lost, nothing half-visible, nothing twice")


if __name__ == "__main__":
    main()
