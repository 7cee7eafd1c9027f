"""Keeping a lake in order: re-hash what is in it, sweep what dead writers left, drop what can be made again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, size, styled, table

PANEL = "Keeping house"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "verify", reads=True)(verify)
    command(app, "clean", reads=True)(clean)
    command(app, "gc", reads=True)(gc)
    app.command("bench", rich_help_panel=PANEL)(bench)


def verify(
    context: CommandContext,
    wanted: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A name, or 12 to 64 digits of an address; all there is by default."),
    ] = None,
) -> None:
    """Hash every stored byte again: raw days, books, datasets, results, models, promoted specs, campaigns.

    Exit 2 if anything differs from what vouches for it.
    """
    from vp_engine.errors import LakeError
    from vp_engine.lake.verify import jobs, verify

    lake = context.lake
    ahead = jobs(lake, wanted)
    found: list[dict[str, Any]] = []
    with context.progress("verifying") as report:
        for position, job in enumerate(ahead):
            kind, name, problem = verify(job)
            found.append({"kind": kind, "name": name, "ok": problem is None, "problem": problem})
            report("files and folders", position + 1, len(ahead))

    def render(console: Any) -> None:
        shown = table("Verified", "kind", "name", "state")
        for row in found:
            shown.add_row(row["kind"], row["name"], "whole" if row["ok"] else styled("differs", "red"))
        console.print(shown if found else f"Nothing to verify in {lake.root}.")
        for row in broken:  # below the table, where nothing wraps
            console.print(row["problem"], style="red", soft_wrap=True)

    broken = [row for row in found if not row["ok"]]
    if len(found) == 1 and broken:
        raise LakeError(broken[0]["problem"])
    context.finish(found, render)
    if broken:
        raise LakeError(f"{len(broken)} of {len(found)} stored things differ from what vouches for them")


def bench() -> None:
    """Measure this machine, print the table, append it to benchmarks/BENCHMARKS.md of the checkout."""
    import subprocess
    import sys
    from pathlib import Path

    from vp_engine.errors import ConfigError

    checkout = Path(__file__).parents[2]
    if not (checkout / "benchmarks" / "run.py").exists():
        raise ConfigError("benchmarks are not installed with the package; run `make bench` in a checkout")
    raise typer.Exit(subprocess.run([sys.executable, "-m", "benchmarks.run"], cwd=checkout, check=False).returncode)


def clean(context: CommandContext) -> None:
    """Delete temporary names whose writers are dead; what a living writer is making stays."""
    gone = context.lake.sweep_temporaries()

    def render(console: Any) -> None:
        for path in gone:
            console.print(f"removed {path}")
        console.print(f"{len(gone)} leftover{'' if len(gone) == 1 else 's'} removed from {context.lake.root}.")

    context.finish({"removed": [str(path) for path in gone]}, render)


def gc(
    context: CommandContext,
    keep_days: Annotated[
        int | None, typer.Option(help="Drop days older than this as well; stale versions alone if left out.", min=0)
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only this kind: results, models, dataset, book; repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Drop them; without it they are only listed.")] = False,
) -> None:
    """Drop derived data that can be made again: first versions that no spec asks for any more, then old days.

    Raw days, promoted specs and what those stand on stay.
    """
    import datetime as dt

    from vp_assets.research import collection
    from vp_assets.research.requests import Chain
    from vp_engine.errors import ConfigError
    from vp_engine.lake.lineage import inventory
    from vp_engine.units import ET

    kinds = only or list(collection.DROPPED)
    for kind in kinds:
        if kind not in collection.DROPPED:
            raise ConfigError(f"`--only` must be one of {', '.join(collection.DROPPED)}, was {kind!r}")
    chain = Chain(context.settings, context.lake, context.specs)
    found = collection.candidates(
        chain, inventory(context.lake, context.note_damage), keep_days, kinds, dt.datetime.now(ET).date()
    )
    freed = collection.drop(chain, found) if yes else 0
    total = sum(one.thing.bytes for one in found)

    def render(console: Any) -> None:
        shown = table("Can be made again", "kind", "name", "", "size", right=("size",))
        for one in found:
            shown.add_row(one.thing.kind, one.thing.name, one.reason, size(one.thing.bytes))
        console.print(shown if found else f"Nothing to drop in {context.lake.root}.")
        if found and yes:
            console.print(f"{len(found)} dropped, {size(freed)} free.")
        elif found:
            console.print(f"{len(found)} would go, {size(total)}; `--yes` drops them.")

    rows = [
        {"kind": one.thing.kind, "name": one.thing.name, "address": one.thing.address, "reason": one.reason}
        | {"bytes": one.thing.bytes, "dropped": yes}
        for one in found
    ]
    context.finish({"things": rows, "bytes": total, "freed": freed}, render)
