"""Resident memory over a whole trading day: 23 hours of market, from two raw files to a committed dataset.

`python -m benchmarks.memory [--folder DIR]` needs about 8 GB of disk there. The measured process is one of its own; its
memory is read after every block of bins.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DAY, WINDOW = dt.date(2026, 2, 5), ("00:30", "23:30")
LIMIT_MB = 600
_PAGE_MB = 4096 / 1e6


class Memory(NamedTuple):
    """MB resident: at most, after a tenth of the bins, at the end; what was done, in how many seconds."""

    peak_mb: float
    early_mb: float
    last_mb: float
    bins: int
    events: int
    seconds: float


def resident_mb() -> float:
    """MB of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


def replay(folder: Path, day: dt.date, start: str, end: str) -> Memory:
    """In this process: raw files of `folder` to a dataset in it."""
    import time

    from vp_engine.lake import Lake
    from vp_engine.lake.datasets import write_dataset
    from vp_engine.schema import BinBlock
    from vp_engine.specs import load_instrument, resolve_capture
    from vp_engine.stream import stream_events

    config = load_instrument()
    capture = resolve_capture(config, day, start, end)
    events = stream_events(sorted(folder.glob("*.dbn.zst")), config, capture)
    held: list[float] = []

    def watched() -> Iterator[BinBlock]:
        for block in events:
            held.append(resident_mb())
            yield block

    began = time.perf_counter()
    write_dataset(
        Lake(folder / "lake"), watched(), config=config, capture=capture, pipeline="memory", address="0" * 64,
        inputs={}, counters=lambda: events.counters,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    return Memory(max(held), held[len(held) // 10], held[-1], capture.n_bins, events.n_events, seconds)


def in_a_process(folder: Path, day: dt.date, start: str, end: str) -> Memory:
    """The same in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--replay", str(folder), day.isoformat(), start, end]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def whole_day(folder: Path) -> Memory:
    """Two synthetic days below `folder`, and the Eastern day that lies in them."""
    from vp_engine.sample import SampleSpec, sample_file_name, write_sample

    for day in (DAY, DAY + dt.timedelta(days=1)):
        spec = SampleSpec(day=day, start=None, end=None)
        write_sample(folder / sample_file_name(spec), spec)
    return in_a_process(folder, DAY, *WINDOW)


def facts(folder: Path | None = None) -> list[tuple[str, str]]:
    """What the measurement says, for the benchmark's table."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        found = whole_day(Path(place))
    what = f"{found.bins:,} bins and {found.events:,} events, raw .zst to dataset"
    return [
        (f"resident memory, 23 hours: at most ({what})", f"{found.peak_mb:,.0f} MB of {LIMIT_MB}"),
        ("resident memory after a tenth of the day, and at its end", f"{found.early_mb:,.0f}, {found.last_mb:,.0f} MB"),
        ("the same day in seconds", f"{found.seconds:,.0f}, {found.bins / found.seconds:,.0f} bins/s"),
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--replay", nargs=4, metavar=("FOLDER", "DAY", "START", "END"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.replay:
        folder, day, start, end = args.replay
        print(json.dumps(replay(Path(folder), dt.date.fromisoformat(day), start, end)._asdict()))
        return
    for name, value in facts(args.folder):
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
