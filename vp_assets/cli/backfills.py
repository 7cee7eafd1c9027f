"""Many days in one command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, seconds, styled, table

PANEL = "Datasets"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "backfill")(backfill)


def backfill(
    context: CommandContext,
    first: Annotated[str, typer.Option("--from", help="First Eastern day.")],
    last: Annotated[str, typer.Option("--to", help="Last Eastern day.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Pipelines, and experiments to sweep; every daily pipeline if none."),
    ] = None,
) -> None:
    """Compute a span of days. A day that fails stops no other, a day that is there costs a look-up."""
    from vp_assets.research.requests import Chain
    from vp_engine.errors import DataError
    from vp_engine.units import parse_date

    begin, end = parse_date(first, "--from"), parse_date(last, "--to")
    chain = Chain(context.settings, context.lake, context.specs)

    from vp_assets.runs import backfill as days

    work = days.tasks(chain, names or [], begin, end)

    from vp_assets.runs.in_process import Runner

    with context.progress("backfill") as report, Runner(chain, report, f"vp backfill {begin} {end}") as runner:
        done = days.run(chain, runner, work, report)
    counts = {state: sum(one.state == state for one in done) for state in (days.NEW, days.THERE, days.CLOSED)}
    failed = [one for one in done if one.state == days.FAILED]

    def render(console: Any) -> None:
        shown = table(f"Backfill, {begin} to {end}", "pipeline", "day", "", "time", "", right=("time",))
        for one in done:
            problem = styled(one.problem or "", "red")
            shown.add_row(one.task.pipeline, one.task.day, one.state, seconds(one.seconds), problem)
        console.print(shown if done else f"No pipeline has a day between {begin} and {end}.")
        spent = sum(one.seconds for one in done)
        words = ", ".join(f"{number} {state}" for state, number in counts.items())
        console.print(f"{words}, {len(failed)} failed, in {spent:.1f} s.")

    rows = [{**one.task._asdict(), **one._asdict(), "task": None} for one in done]
    for row in rows:
        del row["task"]
    context.finish({"days": rows, "failed": len(failed), **counts}, render)
    if failed:
        raise DataError(f"{len(failed)} of {len(done)} days failed; {failed[0].task.day}: {failed[0].problem}")
