"""Kill -9 at random moments in a backfill, and what stands afterwards.

`vp backfill` runs in a process group of its own; the group is killed at a random moment and started again, until it has
been killed as often as asked. Where the days are done before, derived data are dropped and it begins anew. After every
kill, before anything else runs:

- nothing is half-visible: every dataset, book and raw day that can be seen verifies,
- what was committed before is the same file (inode and time) as it was, so it was not computed again,
- every dataset has the address it has without a kill.

At the end every day is there and verifies, no temporary name is left, and no run is under way.

Usage: python -m benchmarks.kill_drill [--rounds 20] [--days 20] [--seed 1]
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
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from vp_assets.runs import open_instance
from vp_assets.settings import load_settings
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets
from vp_engine.lake.paths import BOOKS
from vp_engine.lake.raw import verify_raw

PIPELINE = """
name: drill
capture: {product_type: future_mbo, symbol: MNQH6, dt: null, start_time: "09:30", end_time: "09:30:20"}
pipeline: {warmup_hours: 0.02}
"""
FIRST = "2026-01-05"  # a Monday
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


class Kill(NamedTuple):
    """One kill: seconds into the run, datasets committed by then and of these since the last kill, temporary names."""

    at_s: float
    committed: int
    fresh: int
    leftovers: int


class Drill:
    """A lake with `days` raw days; derived things come and go."""

    def __init__(self, root: Path, days: int) -> None:
        self.days = days
        self.root = root
        self.lake = Lake(root / "lake")
        (root / "configs" / "pipelines").mkdir(parents=True)
        (root / "configs" / "pipelines" / "drill.yaml").write_text(PIPELINE)
        self.environ = {**os.environ, "VP_LAKE_ROOT": str(self.lake.root), "VP_CONFIG_DIR": str(root / "configs")}
        self.environ.pop("DAGSTER_HOME", None)
        last = "2026-02-27"
        quick = ("--start", "09:28:30", "--end", "09:30:30", "--events-per-s", "60")
        self._vp("sample", "--from", FIRST, "--to", last, *quick).wait()
        held = sorted(str(day.manifest.day) for day in list_raw(self.lake))
        self.span = ("--from", held[0], "--to", held[days - 1])

    def _vp(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "vp_assets.cli", *arguments, "--json"]
        return subprocess.Popen(
            command, env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )

    def forget(self) -> None:
        """Back to raw days alone."""
        for name in ("cache", "research", "dagster"):
            shutil.rmtree(self.lake.root / name, ignore_errors=True)

    def backfill(self) -> float:
        """A whole backfill; seconds it took."""
        began = time.monotonic()
        process = self._vp("backfill", *self.span)
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
        return time.monotonic() - began

    def kill_at(self, seconds: float) -> None:
        """Start a backfill and kill -9 everything of it after so many seconds."""
        process = self._vp("backfill", *self.span)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def verified(self) -> dict[str, str]:
        """Address by day of every dataset that can be seen, after hashing everything that can be seen."""
        for day in list_raw(self.lake):
            verify_raw(day)
        for path in self.lake.entries(self.lake.path(BOOKS), "*.arrow"):
            BookCheckpoint.load(path)
        held = list_datasets(self.lake)
        for info in held:
            self.lake.verify_dir(info.path)
        return {str(info.capture.dt): info.address for info in held}

    def marks(self) -> dict[str, tuple[int, int]]:
        """Inode and time of the manifest and the grid of every dataset."""
        files = [info.path / name for info in list_datasets(self.lake) for name in ("manifest.json", "bins.parquet")]
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    def leftovers(self) -> list[Path]:
        """Temporary names anywhere in the lake."""
        return list(self.lake.root.rglob(".tmp-*"))

    def under_way(self) -> int:
        """Runs that Dagster believes to be running."""
        with open_instance(load_settings(self.lake.root, environ={})) as instance:
            return instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY))

    def kill(self, at_s: float, wanted: dict[str, str]) -> Kill:
        """One kill; AssertionError says what it broke."""
        before = self.marks()
        self.kill_at(at_s)
        seen, after = self.verified(), self.marks()
        assert {path: after.get(path) for path in before} == before, "a committed dataset was written again"
        assert all(wanted[day] == address for day, address in seen.items()), "another address after a kill"
        return Kill(at_s, len(seen), len(after.keys() - before.keys()) // 2, len(self.leftovers()))

    def finish(self, wanted: dict[str, str]) -> None:
        """Run to the end; AssertionError says what is missing or left over."""
        before = self.marks()
        self.backfill()
        after = self.marks()
        assert {path: after.get(path) for path in before} == before, "a committed dataset was written again"
        assert self.verified() == wanted, "days are missing after the restart"
        assert not self.leftovers(), "temporary names are left"
        assert self.under_way() == 0, "a dead run is still under way"


def main() -> None:
    """The drill; one line per kill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="kill_drill") as folder:
        drill = Drill(Path(folder), given.days)
        first_s = drill.backfill()
        wanted = drill.verified()
        assert len(wanted) == given.days
        again_s = drill.backfill()  # nothing to do: what a start costs
        day_s = max(first_s - again_s, 0.0) / given.days
        print(
            f"{given.days} days in {first_s:.1f} s, found in {again_s:.1f} s; killing {given.kills} times", flush=True
        )
        drill.forget()
        done: list[Kill] = []
        while len(done) < given.kills:
            one = drill.kill(chance.uniform(0.5 * again_s, again_s + 3 * day_s), wanted)
            done.append(one)
            print(
                f"{len(done):3d}: killed after {one.at_s:5.1f} s, {one.committed:2d} of {given.days} days committed, "
                f"{one.fresh} of them by this run, {one.leftovers} temporary names; all verified",
                flush=True,
            )
            if one.committed == given.days:
                drill.finish(wanted)
                drill.forget()
        drill.finish(wanted)
        hit = sum(one.leftovers > 0 for one in done)
        print(f"{len(done)} kills, {hit} of them inside a write: nothing lost, nothing half-visible, nothing twice")


if __name__ == "__main__":
    main()
