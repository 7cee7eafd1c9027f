"""Raw days: write the synthetic one, import real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli import vendor
from vp_assets.cli.common import Session, command, count, size, table

if TYPE_CHECKING:
    from vp_engine.lake.raw import Imported


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "sample")(sample)
    command(app, "import")(import_files)
    vendor.register(app)


def sample(
    session: Session,
    day: Annotated[str | None, typer.Option(help="UTC day, YYYY-MM-DD.", show_default="2026-02-06")] = None,
    start: Annotated[
        str | None, typer.Option(help="Active from this Eastern time, HH:MM.", show_default="08:50")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="Active until this Eastern time, HH:MM.", show_default="10:30")
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
    """Write a day of the synthetic exchange as DBN and bring it into the lake like any other."""
    import shutil

    from vp_engine.errors import ConfigError
    from vp_engine.lake.raw import import_raw
    from vp_engine.lake.store import temporary_name
    from vp_engine.sample import SampleSpec, sample_file_name, write_sample
    from vp_engine.units import parse_clock, parse_date

    if whole_day and (start or end):
        raise ConfigError("`--whole-day` has no `--start` or `--end`")
    given: dict[str, Any] = {
        "day": parse_date(day, "--day") if day else None,
        "start": parse_clock(start, "--start") if start else None,
        "end": parse_clock(end, "--end") if end else None,
        "events_per_s": events_per_s,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if whole_day:
        given |= {"start": None, "end": None}
    spec = SampleSpec(symbol=session.lock.symbol, tick_size=session.lock.tick_size, seed=seed, **given)
    lake = session.lake
    folder = lake.path(temporary_name("sample"))
    lake.make_folder(folder)
    try:
        with session.progress("sample day") as report:
            file = folder / sample_file_name(spec)
            write_sample(file, spec, lambda share: report("% of the records", round(100 * share), 100))
            report("admitted", 0, 1)
            taken = import_raw(lake, session.lock, file, "synthetic", day=spec.day, replace=replace)
            report("admitted", 1, 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _show(session, "Sample", [taken])


def import_files(
    session: Session,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DBN files (.dbn or .dbn.zst).")],
    source: Annotated[str, typer.Option(help="Where the files come from; names a folder of the lake.")] = "databento",
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a day that has other bytes.")] = False,
) -> None:
    """Bring Databento files into the lake. Each is read to its end first and refused whole if a record is bad."""
    from vp_engine.lake.raw import import_raw

    taken = []
    with session.progress("importing") as report:
        for position, file in enumerate(files):
            taken.append(import_raw(session.lake, session.lock, file, source, replace=replace))
            report("files", position + 1, len(files))
    _show(session, "Imported", taken)


def _show(session: Session, title: str, taken: list[Imported]) -> None:
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
            note = "was there" if item.hit else ("new" if facts.has_snapshot else "new, no opening snapshot")
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

    session.finish(data, render)
