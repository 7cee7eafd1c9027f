"""Cost against size: 10^5, 10^6 and 10^7 events through the book and through the whole chain. Draws the figure.

`python -m benchmarks.scaling` writes docs/figures/scaling.png. The market runs at 1,000 events/s, so 10^5 events are
1,000 bins.
"""

from __future__ import annotations

import datetime as dt
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.engine import _consume, _flowing
from benchmarks.timing import Measure, measure, measure_prepared
from vp_engine.sample import SampleSpec, sample_records, write_sample
from vp_engine.specs import Capture, VPRuntimeConfig, load_instrument, resolve_capture
from vp_engine.stream import build_checkpoint, stream_events

SIZES = (100_000, 1_000_000, 10_000_000)
BATCH = 18_724  # records of a megabyte
EVENTS_PER_S = 1_000
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "scaling.png"
KERNELS, CHAIN = "book and kinetics", "raw .zst to bins in memory"
_START = dt.datetime(2026, 2, 6, 9, 30)


def name(what: str, n_events: int) -> str:
    """Name of a row."""
    return f"{what}, {n_events:,} events"


def run() -> Iterator[Measure]:
    """Two rows for each size."""
    config = load_instrument()
    for n_events in SIZES:
        end = _START + dt.timedelta(seconds=n_events // EVENTS_PER_S)
        spec = SampleSpec(start=_START.time(), end=end.time(), events_per_s=float(EVENTS_PER_S))
        capture = resolve_capture(config, _START.date(), f"{_START:%H:%M:%S}", f"{end:%H:%M:%S}")
        yield _kernels(config, n_events)
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "day.mbo.dbn.zst"
            write_sample(raw, spec)
            yield _chain(raw, config, capture, n_events)


def _kernels(config: VPRuntimeConfig, n_events: int) -> Measure:
    """Records in memory, batch by batch as a file gives them."""
    records = sample_records(n_events, events_per_s=float(EVENTS_PER_S))
    records.setflags(write=False)
    batches = [records[at : at + BATCH] for at in range(0, records.size, BATCH)]
    return measure_prepared(
        name(KERNELS, n_events), "events", lambda: _flowing(config),
        lambda chain: sum(_consume(chain, batch) for batch in batches),
    )  # fmt: skip


def _chain(raw: Path, config: VPRuntimeConfig, capture: Capture, n_events: int) -> Measure:
    """The capture's bins from its file, none kept."""
    book = build_checkpoint(raw, config, capture)

    def work() -> int:
        events = stream_events([raw], config, capture, book)
        for _ in events:
            pass
        return events.n_events

    return measure(name(CHAIN, n_events), "events", work)


def exponent(rows: dict[str, Measure], what: str) -> float:
    """Power of the size that the best seconds grow with, between the smallest and the largest: 1 is linear."""
    first, last = (rows[name(what, size)] for size in (SIZES[0], SIZES[-1]))
    return math.log(last.low / first.low) / math.log(last.amount / first.amount)


def draw(rows: dict[str, Measure], path: Path = FIGURE) -> None:
    """Best seconds against events, both axes logarithmic, with a line of slope one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(5.2, 3.4), dpi=110)
    for what, marker in ((CHAIN, "s"), (KERNELS, "o")):
        held = [rows[name(what, size)] for size in SIZES]
        label = f"{what}: slope {exponent(rows, what):.2f}"
        axis.plot([row.amount for row in held], [row.low for row in held], marker=marker, label=label)
    largest = rows[name(KERNELS, SIZES[-1])]
    ends = [rows[name(KERNELS, SIZES[0])].amount, largest.amount]
    axis.plot(ends, [largest.low * n / largest.amount for n in ends], color="0.6", lw=1, ls=":", label="linear")
    axis.set(xscale="log", yscale="log", xlabel="events", ylabel="seconds", title="Cost grows with events and bins")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Measure, print, draw."""
    rows: dict[str, Measure] = {}
    for row in run():
        rows[row.name] = row
        print(f"{row.name}: {row.seconds:.3f} s, {row.rate:,.0f} {row.unit}/s", flush=True)
    for what in (KERNELS, CHAIN):
        print(f"{what}: seconds grow with events to the power {exponent(rows, what):.3f}")
    draw(rows)


if __name__ == "__main__":
    main()
