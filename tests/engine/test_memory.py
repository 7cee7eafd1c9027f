"""Memory does not grow with the capture. (`python -m benchmarks.memory` measures a whole day.)"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

from vp_engine.sample import SampleSpec, write_sample

ROOT = Path(__file__).parents[2]
LIMIT_MB = 600
SLACK_MB = 40  # Parquet keeps a kilobyte or so for every column of every row group until the file is closed


def test_resident_memory_is_flat_and_small(tmp_path: Path) -> None:
    """An hour and a half of a lively market, from the file to a committed dataset in a fresh process."""
    spec = SampleSpec(start=dt.time(9), end=dt.time(11), events_per_s=60.0)
    write_sample(tmp_path / "day.dbn.zst", spec)
    command = [
        sys.executable,
        "-m",
        "benchmarks.memory",
        "--replay",
        str(tmp_path),
        spec.day.isoformat(),
        "09:30",
        "11:00",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["bins"] == 54_000
    assert found["events"] > 250_000
    assert found["peak_mb"] < LIMIT_MB, found
    assert found["last_mb"] - found["early_mb"] < SLACK_MB, found
