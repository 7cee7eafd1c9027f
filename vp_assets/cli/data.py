"""Raw days: write the synthetic one, import real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli import downloads, live
from vp_assets.cli.common import CommandContext, command, count, size, table

if TYPE_CHECKING:
    from vp_engine.lake.raw import Imported, RawManifest

PANEL = "Days"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "sample")(sample)
    command(app, "import")(import_files)
    downloads.register(app)
    live.register(app)


def sample(
    context: CommandContext,
    day: Annotated[str | None, typer.Option(help="UTC day, YYYY-MM-DD.", show_default="2026-02-06")] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="Many quick days instead: the first; days without a session left out.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last of many days.")] = None,
    start: Annotated[
        str | None, typer.Option(help="Active from this Eastern time, HH:MM.", show_default="08:50, 09:24 of many days")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(help="Active until this Eastern time, HH:MM.", show_default="10:30, 09:36 of many days"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    events_per_s: Annotated[
        float | None, typer.Option(help="Records a second while active, instead of the day's profile.")
    ] = None,
    whole_day: Annotated[
        bool, typer.Option("--whole-day", help="Active around the clock, by the day's profile.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a sample with other bytes.")] = False,
) -> None:
    """Write days of the synthetic exchange as DBN and bring them into the lake; those that are there stay."""
    from vp_assets.research.samples import QUICK, bring, span
    from vp_engine.errors import ConfigError
    from vp_engine.sample import SampleSpec
    from vp_engine.units import parse_clock, parse_date

    if whole_day and (start or end):
        raise ConfigError("`--whole-day` has no `--start` or `--end`")
    if (first is None) != (last is None) or (first is not None and day is not None):
        raise ConfigError("many days want both `--from` and `--to`, and no `--day`")
    given: dict[str, Any] = {
        "day": parse_date(day, "--day") if day else None,
        "start": parse_clock(start, "--start") if start else None,
        "end": parse_clock(end, "--end") if end else None,
        "events_per_s": events_per_s,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if first is not None and last is not None and not whole_day:
        given = QUICK | given
    if whole_day:
        given |= {"start": None, "end": None}
    spec = SampleSpec(symbol=context.lock.symbol, tick_size=context.lock.tick_size, seed=seed, **given)
    specs = [spec]
    if first is not None and last is not None:
        specs = span(spec, parse_date(first, "--from"), parse_date(last, "--to"))
    taken = []
    with context.progress("sample days") as report:
        for at, one in enumerate(specs):
            report("days", at, len(specs))
            # Of many days, one that is there with other activity stays: the others must not wait for it.
            taken.append(bring(context.lake, context.lock, one, replace, report, keep=first is not None))
        report("days", len(specs), len(specs))
    _show(context, "Sample", taken)


def import_files(
    context: CommandContext,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DBN files (.dbn or .dbn.zst).")],
    source: Annotated[str, typer.Option(help="Where the files come from; names a folder of the lake.")] = "databento",
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a day that has other bytes.")] = False,
) -> None:
    """Bring Databento files into the lake. Each is read to its end first and refused whole if a record is bad. Files of
    one UTC day are put together, a file of several days is cut into them, and repeated records come in once."""
    from vp_engine.errors import DataError
    from vp_engine.lake.raw_files import import_files as bring_in

    with context.progress("importing") as report:
        taken, left_out = bring_in(context.lake, context.lock, files, source, replace=replace, on_progress=report)
    _show(context, "Imported", taken)
    if left_out:
        raise DataError("; ".join(left_out))


def _show(context: CommandContext, title: str, taken: list[Imported]) -> None:
    """What came in, one row per raw day."""
    data: list[dict[str, Any]] = [
        {
            "path": str(item.path),
            "store_hit": item.hit,
            "address": item.manifest.address,
            **item.manifest.model_dump(mode="json"),
        }
        for item in taken
    ]

    def render(console: Any) -> None:
        shown = table(
            title, "day (UTC)", "symbol", "source", "records", "size", "address", "", right=("records", "size")
        )
        for item in taken:
            facts = item.manifest
            note = "was there" if item.hit else ("new" if facts.complete_start else "new, not usable: it starts late")
            shown.add_row(
                str(facts.day),
                facts.symbol,
                facts.source,
                count(facts.kept),
                size(facts.bytes),
                facts.address[:12],
                note,
            )
        console.print(shown)
        for item in taken:
            _say_findings(console, item.manifest)

    context.finish(data, render)


def _say_findings(console: Any, facts: RawManifest) -> None:
    """What a person should know of a day before building on it: a part of a day, signs of faults, quarantine."""
    from vp_engine.units import NS_PER_DAY, utc_text

    first_ns, last_ns = facts.coverage_start_ns, facts.coverage_end_ns
    if first_ns is not None and last_ns is not None and last_ns - first_ns < NS_PER_DAY:
        console.print(f"{facts.day} covers {utc_text(first_ns)} to {utc_text(last_ns)} UTC, not the whole day.")
    if facts.repeated:
        console.print(f"{facts.day}: repeated records left out: {facts.repeated:,}.")
    for line in facts.integrity.lines():
        console.print(f"{facts.day}: {line}.")
    if facts.quarantine is not None:
        console.print(f"{facts.day} is in quarantine; look at it, then `vp admit {facts.day}`")
