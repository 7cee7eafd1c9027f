"""The stream page in Chromium: frame times at 10 and at 200 bins a second, memory over an hour of bins, cost of a bin.

`python -m benchmarks.screen --lake DIR` prints the rows; the lake holds a dataset, best one of an hour. Without a
graphics card Chromium draws in software, on the same cores: then frame times are those of the worst case.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from benchmarks.service import running
from benchmarks.timing import machine
from vp_engine.lake import Lake, list_datasets

SIZE = ViewportSize(width=1440, height=900)
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WATCH_S = 10.0
HOUR_MOST_S = 300.0
MARKS = (0.25, 0.5, 1.0)  # shares of the capture at which memory is read


class Watched(NamedTuple):
    """A page at one pace. Milliseconds of its latest frames: of script, and whole, until they are handed over to be
    shown. Frames and bins per second that came, bins dropped, and microseconds of script a bin: decoding and keeping
    it."""

    script_ms: np.ndarray
    whole_ms: np.ndarray
    frames_per_s: float
    bins_per_s: float
    dropped: int
    bin_us: float


def view(page: Page) -> dict[str, Any]:
    """The page's own figures."""
    said: dict[str, Any] = json.loads(page.evaluate("JSON.stringify(vacuumPressure.view())"))
    return said


@contextlib.contextmanager
def opened(browser: Browser, url: str, dataset: str, speed: float) -> Iterator[tuple[Page, float]]:
    """The page on a dataset once bins come, and milliseconds until its first paint."""
    page = browser.new_page(viewport=SIZE)
    page.goto(f"{url}/vacuum-pressure.html?dataset={dataset}&speed={speed:g}")
    page.wait_for_function("window.vacuumPressure && vacuumPressure.view().received > 5", timeout=120_000)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    yield page, float(paint)
    page.close()


def watch(page: Page) -> Watched:
    """A page for WATCH_S seconds."""
    page.wait_for_timeout(2000)
    before, began = view(page), time.monotonic()
    page.wait_for_timeout(1000 * WATCH_S)
    after, passed = view(page), time.monotonic() - began
    bins = max(1, after["received"] - before["received"])
    spent_us = 1000 * (after["spentMs"] - before["spentMs"])
    script, whole = (np.array(after["frames"][kind]) for kind in ("script", "whole"))
    frames = (after["drawn"] - before["drawn"]) / passed
    return Watched(script, whole, frames, bins / passed, after["dropped"] - before["dropped"], spent_us / bins)


def renderers(browser_pid: int) -> float:
    """Resident MB of the processes under this one that draw pages."""
    total = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if b"--type=renderer" in command and _under(int(entry.name), browser_pid):
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return total


def _under(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def memory(page: Page, n_bins: int) -> list[tuple[int, float]]:
    """Bins received and resident MB of the page's process, at each of MARKS."""
    found = []
    deadline = time.monotonic() + HOUR_MOST_S
    for share in MARKS:
        while view(page)["received"] < share * n_bins - 1 and time.monotonic() < deadline:
            page.wait_for_timeout(200)
        found.append((int(view(page)["received"]), renderers(os.getpid())))
    return found


def p(values: np.ndarray, q: int) -> str:
    """A percentile in milliseconds."""
    return f"{np.percentile(values, q):.1f} ms"


def facts(lake: Path) -> Iterator[tuple[str, str]]:
    """Every figure, as words."""
    chosen = max(list_datasets(Lake(lake)), key=lambda entry: entry.n_bins)
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        with running(lake, Path(folder) / "service.log") as service:
            with opened(browser, service.url, chosen.dataset_id, 1):
                pass  # the first visit fills caches
            for speed, pace in ((1, 10), (20, 200)):
                with opened(browser, service.url, chosen.dataset_id, speed) as (page, paint):
                    seen = watch(page)
                if speed == 1:
                    yield "first paint", f"{paint:.0f} ms"
                name = f"{pace} bins/s wanted"
                yield name, f"{seen.bins_per_s:.0f} came, {seen.dropped} dropped"
                yield f"{name}: script of a frame, p50 and p95", f"{p(seen.script_ms, 50)}, {p(seen.script_ms, 95)}"
                yield f"{name}: whole frame, p50 and p95", f"{p(seen.whole_ms, 50)}, {p(seen.whole_ms, 95)}"
                yield f"{name}: frames", f"{seen.frames_per_s:.0f} a second"
                yield f"{name}: decode and keep a bin", f"{seen.bin_us:.0f} µs"
            with opened(browser, service.url, chosen.dataset_id, 0) as (page, _):
                for bins, megabytes in memory(page, chosen.n_bins):
                    yield f"memory of the page's process after {bins:,} bins", f"{megabytes:.0f} MB"
                ended = view(page)
                yield "decode and keep a bin at full speed", f"{1000 * ended['spentMs'] / ended['received']:.0f} µs"
        browser.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True, help="a lake with a dataset, best one of an hour")
    lake = parser.parse_args().lake
    print(machine())
    for name, text in facts(lake):
        print(f"{name}: {text}", flush=True)


if __name__ == "__main__":
    main()
