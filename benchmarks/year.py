"""What a year of days costs in bytes and core-hours, from measured figures: sizes of a lake, rates of BENCHMARKS.md.

Usage: python -m benchmarks.year LAKE [--records 25000000] [--days 252]
prints the table of docs/deploy.md. Rates are the newest rows of their name; a row's rate is taken as if it had kept
two cores busy, which is the most it can.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets
from vp_engine.lake.paths import BOOKS

ROWS = Path(__file__).with_name("BENCHMARKS.md")
BOOK_ROW, BINS_ROW = "book and kinetics, sample day", "raw .zst to committed dataset"
CORES = 2
BINS_PER_HOUR = 36_000
HOURS = (5 / 60, 1.0, 6.5, 23.0)


def rate(name: str, text: str) -> float:
    """Units a second of the newest row of a name."""
    found = re.findall(rf"^\| {re.escape(name)} \| ([\d,]+) \w+/s", text, re.MULTILINE)
    if not found:
        raise SystemExit(f"{ROWS.name} has no row `{name}`; run `make bench`")
    return float(found[-1].replace(",", ""))


def sizes(lake: Lake) -> tuple[float, float, float]:
    """Bytes per raw record, per bin of a dataset, and of a book cache, on average over a lake."""
    raws, datasets = list_raw(lake), list_datasets(lake)
    books = lake.entries(lake.path(BOOKS), "*.arrow")
    if not (raws and datasets and books):
        raise SystemExit(f"{lake.root}: no raw days, book caches and datasets to measure; backfill some days first")
    per_record = sum(day.manifest.bytes for day in raws) / sum(day.manifest.records for day in raws)
    stored = sum(sum(info.manifest["bytes"].values()) for info in datasets)
    per_bin = stored / sum(info.n_bins for info in datasets)
    return per_record, per_bin, sum(map(lake.size, books)) / len(books)


def table(per_record: float, per_bin: float, per_book: float, records: float, days: int, text: str) -> list[str]:
    """Lines of the Markdown table."""
    book_s, bins_per_s = records / rate(BOOK_ROW, text), rate(BINS_ROW, text)
    lines = ["| | bytes a day | bytes a year | core-seconds a day | core-hours a year |", "|---|---:|---:|---:|---:|"]

    def line(what: str, stored: float, core_s: float) -> str:
        cells = (amount(stored), amount(stored * days), f"{core_s:,.0f}", f"{core_s * days / 3600:,.1f}")
        return f"| {what} | {' | '.join(cells)} |"

    lines.append(line(f"raw day of {records / 1e6:.0f} M records", records * per_record, 0.0))
    lines.append(line("book cache, one replay of the whole day", per_book, book_s))
    for hours in HOURS:
        bins = hours * BINS_PER_HOUR
        name = f"{hours:g} h" if hours >= 1 else f"{60 * hours:.0f} min"
        lines.append(line(f"dataset of {name}", bins * per_bin, CORES * bins / bins_per_s))
    return lines


def amount(value: float) -> str:
    """Bytes in decimal units, three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake", type=Path)
    parser.add_argument("--records", type=float, default=25e6, help="Records of a raw day.")
    parser.add_argument("--days", type=int, default=252, help="Sessions of a year.")
    given = parser.parse_args()
    measured = sizes(Lake(given.lake))
    print(
        f"Measured: {measured[0]:.1f} bytes a record, {measured[1]:,.0f} bytes a bin, {measured[2]:,.0f} a book cache."
    )
    print("\n".join(table(*measured, given.records, given.days, ROWS.read_text())))


if __name__ == "__main__":
    main()
