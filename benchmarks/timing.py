"""Medians of several runs, and the one-line description of the machine that goes beside them."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

RUNS = 5


class Measure(NamedTuple):
    """One row: what was done, how many units in how many seconds (median of `runs`), and the spread."""

    name: str
    unit: str
    amount: int
    seconds: float
    low: float
    high: float
    runs: int

    @property
    def rate(self) -> float:
        """Units a second at the median."""
        return self.amount / self.seconds


def measure(name: str, unit: str, work: Callable[[], int], runs: int = RUNS, warm: bool = True) -> Measure:
    """Time `work`, which returns how many units it did; one run before the counted ones if `warm`."""
    amount = work() if warm else 0
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        amount = work()
        seconds.append(time.perf_counter() - began)
    return Measure(name, unit, amount, statistics.median(seconds), min(seconds), max(seconds), runs)


def machine() -> str:
    """Processor, cores and interpreter."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
