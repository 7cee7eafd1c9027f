"""`make bench`: run every measurement, print the table, append it to BENCHMARKS.md."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import engine, evaluation, memory, nautilus, plain_twin, scaling, serving, signals
from benchmarks.timing import Measure, machine

BOOK = Path(__file__).with_name("BENCHMARKS.md")


def ratios(rows: dict[str, Measure]) -> list[tuple[str, float]]:
    """What the absolute figures mean: quotients within this run."""
    kinetics, plain = rows["book and kinetics, sample day"], rows["plain Python book"]
    zstd, chain = rows["zstd decompression alone"], rows["raw .zst to committed dataset"]
    busy_zstd, busy_chain = rows[engine.BUSY_ZSTD], rows[engine.BUSY_CHAIN]
    other = rows.get(nautilus.NAME)
    against = [(f"book and kinetics against {nautilus.NAME}, events/s", kinetics.rate / other.rate)] if other else []
    return [
        *against,
        ("book and kinetics against the plain Python book, events/s", kinetics.rate / plain.rate),
        ("book and kinetics against the plain Python twin, events/s", kinetics.rate / rows[plain_twin.NAME].rate),
        ("book and kinetics against zstd decompression, events/s", kinetics.rate / zstd.rate),
        ("busy data: chain against zstd decompression, seconds", busy_chain.seconds / busy_zstd.seconds),
        ("whole chain against zstd decompression, seconds", chain.seconds / zstd.seconds),
        ("whole chain against the market's own pace, 100 ms bins", chain.rate / 10.0),
        *evaluation.ratios(rows),
    ]


def facts(rows: dict[str, Measure]) -> list[tuple[str, str]]:
    """What is no quotient: memory, and how cost grows."""
    grows = [
        (f"{what}: seconds grow with events to the power", f"{scaling.exponent(rows, what):.2f}")
        for what in (scaling.KERNELS, scaling.CHAIN)
    ]
    return grows + memory.facts() + serving.facts()


def shown(row: Measure) -> tuple[str, str, str, str, str]:
    """Cells of one row."""
    each = f"{row.micros:,.3f} µs" if row.micros < 1000 else f"{row.micros / 1e6:.2f} s"
    return (
        f"{row.rate:,.0f} {row.unit}/s" if row.rate > 1 else "", each, f"{row.seconds:.3f}",
        f"{row.low:.3f} to {row.high:.3f}", str(row.runs),
    )  # fmt: skip


def main() -> None:
    """Measure, print, append."""
    console = Console()
    rows: dict[str, Measure] = {}
    modules = (nautilus, engine, signals, evaluation, scaling, serving)
    for row in itertools.chain.from_iterable(module.run() for module in modules):
        rows[row.name] = row
        console.print(f"{row.name}: {shown(row)[0]} {shown(row)[1]}", highlight=False)
    table = Table("what", "rate, median", "each", "seconds", "min to max", "runs")
    lines = [
        f"\n## {dt.datetime.now(dt.UTC).date().isoformat()}\n",
        f"{machine()}. `make bench`, sample day, {engine.WINDOW[0]} to {engine.WINDOW[1]} Eastern.\n",
        "| what | rate, median | each | seconds | min to max | runs |\n|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows.values():
        table.add_row(row.name, *shown(row))
        lines.append(f"| {row.name} | " + " | ".join(shown(row)) + " |")
    lines.append("\n| ratio | |\n|---|---:|")
    for name, value in ratios(rows):
        table.add_row(name, f"{value:,.1f} x")
        lines.append(f"| {name} | {value:,.1f} |")
    lines.append("\n| fact | |\n|---|---:|")
    for name, text in facts(rows):
        table.add_row(name, text)
        lines.append(f"| {name} | {text} |")
    scaling.draw(rows)
    console.print(table)
    with BOOK.open("a", encoding="utf-8") as book:
        book.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
