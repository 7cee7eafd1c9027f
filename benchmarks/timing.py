"""Medians of several runs, and the one-line description of the machine that goes beside them."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

RUNS = 5
Ready = TypeVar("Ready")


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

    @property
    def micros(self) -> float:
        """Microseconds a unit at the median."""
        return 1e6 / self.rate


def measure_prepared(
    name: str, unit: str, prepare: Callable[[], Ready], work: Callable[[Ready], int], runs: int = RUNS
) -> Measure:
    """Time `work` alone, which gets what `prepare` made anew and returns how many units it did; one run to warm up."""
    amount = work(prepare())
    seconds = []
    for _ in range(runs):
        ready = prepare()
        began = time.perf_counter()
        amount = work(ready)
        seconds.append(time.perf_counter() - began)
    return Measure(name, unit, amount, statistics.median(seconds), min(seconds), max(seconds), runs)


def measure(name: str, unit: str, work: Callable[[], int], runs: int = RUNS) -> Measure:
    """Time `work`, which returns how many units it did."""
    return measure_prepared(name, unit, lambda: None, lambda _: work(), runs)


def machine() -> str:
    """Processor, cores and interpreter."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
