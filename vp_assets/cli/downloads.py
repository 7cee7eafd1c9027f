"""Days from the vendor: download them, admit those that it doubts, list what is there."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, count, size, table

if TYPE_CHECKING:
    from vp_assets.databento import Arrival
    from vp_engine.lake.raw import RawManifest

PANEL = "Days"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "download")(download)
    command(app, "admit")(admit)
    command(app, "list-days", reads=True)(list_days)


def download(
    context: CommandContext,
    first: Annotated[str, typer.Option("--from", help="First UTC day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last UTC day, itself included.")],
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost", min=0, help="Dollars that this call may cost [VP_MAX_COST_USD, 10].", show_default=False
        ),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Day by day, instead of a batch job that may queue.")
    ] = False,
    admit: Annotated[bool, typer.Option("--admit", help="Let days in that Databento calls degraded.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Fetch days anew that are there already.")] = False,
) -> None:
    """Bring days of the locked contract from Databento. What is there is not asked for again."""
    days = days_between(first, last, dt.datetime.now(dt.UTC).date())

    from vp_assets.databento import Terms, failure, open_source

    settings = context.settings
    source = open_source(settings, context.lake, context.lock)
    terms = Terms(settings.max_cost_usd if max_cost is None else max_cost, admit, replace, stream)
    with context.progress(f"{context.lock.symbol} from Databento") as report:
        arrivals = source.bring(days, terms, report)
    context.finish([_arrival(one) for one in arrivals], lambda console: _print_arrivals(console, arrivals))
    error = failure(arrivals)
    if error is not None:
        raise error


def days_between(first: str, last: str, today: dt.date) -> list[dt.date]:
    """UTC days of a range that the vendor can have; ConfigError in one line otherwise."""
    from vp_assets.databento.admission import may_trade
    from vp_engine.errors import ConfigError
    from vp_engine.units import parse_date

    begin, end = parse_date(first, "--from"), parse_date(last, "--to")
    if begin > end:
        raise ConfigError(f"`--from` must not be after `--to`, was {begin} against {end}")
    if end >= today:
        raise ConfigError(f"`--to` must be a day that is over, {today - dt.timedelta(days=1)} at the latest, was {end}")
    days = [begin + dt.timedelta(days=n) for n in range((end - begin).days + 1)]
    if not any(may_trade(day) for day in days):
        raise ConfigError(f"{begin} is a Saturday, on which nothing trades; Sunday opens at 18:00 Eastern")
    return days


def _arrival(one: Arrival) -> dict[str, Any]:
    """A day's outcome for machines."""
    facts = one.manifest.model_dump(mode="json") if one.manifest is not None else {}
    return {
        **facts,
        "day": one.day.isoformat(),
        "state": one.state,
        "note": one.note,
        "address": one.manifest.address if one.manifest is not None else None,
        "path": str(one.path) if one.path is not None else None,
    }


def _print_arrivals(console: Any, arrivals: list[Arrival]) -> None:
    shown = table(
        "Days from Databento", "day (UTC)", "records", "size", "address", "", "note", right=("records", "size")
    )
    for one in arrivals:
        facts = one.manifest
        shown.add_row(
            str(one.day),
            count(facts.kept if facts is not None else None),
            size(facts.bytes if facts is not None else None),
            facts.address[:12] if facts is not None else "–",
            one.state,
            one.note,
        )
    console.print(shown)


def admit(
    context: CommandContext,
    day: Annotated[str, typer.Argument(metavar="DAY", help="UTC day, YYYY-MM-DD.")],
    note: Annotated[str, typer.Option(help="Why, for the manifest.")] = "admitted by hand",
    closed: Annotated[bool, typer.Option("--closed", help="The day has no data because it had no session.")] = False,
) -> None:
    """Let a quarantined day out, or note that a day had no session. Bytes and address stay as they are."""
    from vp_engine.lake.admission import admit_raw, write_no_session
    from vp_engine.units import parse_date

    utc_day = parse_date(day, "DAY")
    if closed:
        noted = write_no_session(context.lake, context.lock, utc_day, note)
        context.finish(noted.model_dump(mode="json"), lambda console: console.print(f"{utc_day}: no session ({note})"))
        return
    facts = admit_raw(context.lake, context.lock, utc_day, note).manifest
    said = facts.admitted or "nothing spoke against it"
    context.finish(facts.model_dump(mode="json"), lambda console: console.print(f"{utc_day}: {said}"))


def list_days(context: CommandContext) -> None:
    """Every raw day of the locked contract: what it holds, what the vendor says of it, which days had no session."""
    from vp_engine.lake.admission import list_no_session
    from vp_engine.lake.raw import list_raw

    held = sorted(
        (day.manifest for day in list_raw(context.lake, context.lock, context.note_damage)),
        key=lambda facts: (facts.day, facts.source),
    )
    closed = list_no_session(context.lake, context.lock, on_damage=context.note_damage)
    rows: list[tuple[dt.date, str, RawManifest | None, str]] = [
        (facts.day, facts.source, facts, _standing(facts)) for facts in held
    ]
    rows += [(note.day, note.source, None, f"no session: {note.reason}") for note in closed]
    rows.sort(key=lambda row: row[:2])

    def render(console: Any) -> None:
        shown = table("Raw days", "day (UTC)", "source", "records", "size", "address", "", right=("records", "size"))
        for day, source, facts, standing in rows:
            if facts is None:
                shown.add_row(str(day), source, "–", "–", "–", standing)
            else:
                shown.add_row(str(day), source, count(facts.kept), size(facts.bytes), facts.address[:12], standing)
        console.print(shown)

    context.finish(
        [
            {"day": day.isoformat(), "source": source, "standing": standing}
            | (facts.model_dump(mode="json") if facts is not None else {})
            for day, source, facts, standing in rows
        ],
        render,
    )


def _standing(facts: RawManifest) -> str:
    if facts.quarantine is not None:
        return f"quarantined: {facts.quarantine}"
    if facts.admitted is not None:
        return facts.admitted
    return "" if facts.complete_start else "book not known from the first record"
