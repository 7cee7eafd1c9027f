"""From raw day to bins: materialises the assets of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, count, fitting, seconds, size, styled, table

if TYPE_CHECKING:
    from rich.console import Console

    from vp_assets.research.requests import Chain
    from vp_assets.runs.in_process import Materialized, Runner

PANEL = "Datasets"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "generate")(generate)


def generate(
    context: CommandContext,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE.yaml", help="A pipeline spec: its file or its name.")],
    day: Annotated[str | None, typer.Option(help="Eastern day, for a pipeline without its own `dt`.")] = None,
) -> None:
    """Compute a pipeline's bins; what is in the lake already is not computed again."""
    from vp_assets.research.requests import Chain, spec_by_name_or_path

    chain = Chain(context.settings, context.lake, context.specs)
    name = spec_by_name_or_path(chain.specs, pipeline, "pipeline")
    capture = chain.capture(name, day)
    require_raw(chain, name, capture.dt.isoformat())

    from vp_assets.runs.in_process import Runner

    with context.progress(name) as report, Runner(chain, report, f"vp generate {name}") as runner:
        steps = generate_day(chain, runner, name, capture.dt.isoformat())
    show_steps(context, steps)


def require_raw(chain: Chain, pipeline: str, day: str) -> None:
    """Ask for what a day needs before Dagster starts: a missing file is said at once and leaves no failed run."""
    chain.bins(pipeline, day)


def generate_day(chain: Chain, runner: Runner, pipeline: str, day: str, then: Sequence[Any] = ()) -> list[Materialized]:
    """Materialise one day of a pipeline: its raw days, book cache, bins and the keys of `then`."""
    from vp_assets.runs.in_process import chain_keys

    return runner.materialize_day(pipeline, day, [*chain_keys(pipeline), *then])


def steps_data(steps: Sequence[Materialized]) -> list[dict[str, Any]]:
    """Steps for machines."""
    return [
        {"asset": step.key, "partition": step.partition, "address": step.address, "store_hit": step.store_hit}
        | {"metadata": step.metadata}
        for step in steps
    ]


def print_steps(console: Console, steps: Sequence[Materialized]) -> None:
    """Steps for people."""
    rows = [
        fitting(
            {
                "asset": step.key,
                "day": step.partition or "–",
                "address": step.address[:12],
                "rows": count(step.metadata.get("rows")),
                "size": size(step.metadata.get("bytes")),
                "time": seconds(step.metadata.get("seconds")),
                "events/s": count(step.metadata.get("events_per_s")),
                "": styled("was there", "dim") if step.store_hit else "new",
            },
            console,
            wide_only=("address", "size"),
        )
        for step in steps
    ]
    shown = table("Chain", *rows[0], right=("rows", "size", "time", "events/s"), whole=("asset", "day", "address", ""))
    for row in rows:
        shown.add_row(*row.values())
    console.print(shown)
    for line in dict.fromkeys(line for step in steps if (line := empty_capture(step))):
        console.print(line)


def empty_capture(step: Materialized) -> str | None:
    """A line on bins in which nothing can be seen: no book, or no event; None for others."""
    facts = step.metadata
    if "valid_bins" not in facts or (facts["valid_bins"] and facts.get("events", 1)):
        return None
    lacks = "the book is valid in none" if not facts["valid_bins"] else "no event falls into any"
    return (
        f"{step.key} on {step.partition}: {lacks} of its {facts['bins']:,} bins. Times of a spec are Eastern, so its "
        f"window is {facts['window']}; check `start_time` and `end_time`."
    )


def show_steps(context: CommandContext, steps: Sequence[Materialized]) -> None:
    """The result of a command that ends with its steps."""
    context.finish({"steps": steps_data(steps)}, lambda console: print_steps(console, steps))
