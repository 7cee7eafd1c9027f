"""Many datasets at once: campaigns of pipeline variants, and a span of days made ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, count, seconds, styled, table
from vp_assets.cli.pipelines import generate_day

if TYPE_CHECKING:
    from vp_assets.research.requests import Chain

PANEL = "Datasets"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "campaign")(campaign)
    command(app, "warm")(warm)


def campaign(
    context: CommandContext,
    gold: Annotated[str, typer.Argument(metavar="GOLD.yaml", help="A campaign spec: its file or its name.")],
) -> None:
    """Compute the datasets of every variant of a pipeline, and write an index of them."""
    from vp_assets.research.campaign import commit_index, index_rows, load_campaign, plan
    from vp_assets.research.requests import Chain

    chain = Chain(context.settings, context.lake, context.specs)
    spec = load_campaign(chain, gold)
    planned = plan(chain, spec)

    from vp_assets.runs.in_process import Runner

    new = set()
    with context.progress(spec.name) as report, Runner(chain, report, f"vp campaign {spec.name}") as runner:
        for at, one in enumerate(planned):
            report("datasets", at, len(planned))
            steps = generate_day(chain, runner, one.variant.spec.name, one.day)
            if not steps[-1].store_hit:
                new.add(one.address)
        report("datasets", len(planned), len(planned))
    stored = {one.address: chain.stored_dataset(chain.bins(one.variant.spec.name, one.day)) for one in planned}
    rows = index_rows(planned, stored)
    path = commit_index(chain, spec, rows)

    def render(console: Any) -> None:
        shown = table(f"Campaign {spec.name}", "dataset", "bundle", "fields", "bins", "", right=("bins",))
        for row in rows:
            words = ", ".join(f"{name} {value}" for name, value in row["fields"].items())
            fresh = "new" if row["dataset_address"] in new else styled("was there", "dim")
            shown.add_row(row["dataset_id"], row["bundle"] or "–", words, count(row["n_bins"]), fresh)
        console.print(shown)
        console.print(f"Index: {path}", soft_wrap=True)

    context.finish({"campaign": spec.name, "index": str(path), "datasets": rows}, render)


def warm(
    context: CommandContext,
    first: Annotated[str, typer.Option("--from", help="First Eastern day.")],
    last: Annotated[str, typer.Option("--to", help="Last Eastern day.")],
    pipeline: Annotated[list[str] | None, typer.Option(help="Pipelines to warm; all if left out; repeatable.")] = None,
) -> None:
    """Make ready what later commands wait for: the book caches of a span of days, and the compiled kernels."""
    import datetime as dt
    import time

    from vp_assets.research.requests import Chain
    from vp_engine.errors import ConfigError, NotFoundError
    from vp_engine.units import parse_date

    begin, end = parse_date(first, "--from"), parse_date(last, "--to")
    if end < begin:
        raise ConfigError(f"`--to` must not lie before `--from`, was {end} against {begin}")
    chain = Chain(context.settings, context.lake, context.specs)
    names = [chain.specs.pipelines[name].name for name in pipeline or sorted(chain.specs.pipelines)]
    wanted = []
    for offset in range((end - begin).days + 1):
        day = (begin + dt.timedelta(days=offset)).isoformat()
        wanted += [(name, day) for name in names if chain.specs.pipelines[name].capture.dt in (None, day)]

    from vp_assets.defs.assets.books import book_key
    from vp_assets.runs.in_process import Runner

    rows: list[dict[str, Any]] = []
    with context.progress("warming") as report, Runner(chain, report, "vp warm") as runner:
        for at, (name, day) in enumerate(wanted):
            report("book caches", at, len(wanted))
            began = time.perf_counter()
            try:
                chain.book(name, day)
            except NotFoundError as error:
                rows.append({"pipeline": name, "day": day, "state": "no raw day", "problem": str(error)})
                continue
            step = runner.materialize([book_key(name)], day)[-1]
            state = "was there" if step.store_hit else "new"
            rows.append({"pipeline": name, "day": day, "state": state, "seconds": time.perf_counter() - began})
        report("book caches", len(wanted), len(wanted))
        ready = [(row["pipeline"], row["day"]) for row in rows if row["state"] != "no raw day"]
        report("kernels", 0, 1)
        began = time.perf_counter()
        warmed = _warm_kernels(chain, *ready[0]) if ready else 0
        kernels = {"signals": warmed, "seconds": time.perf_counter() - began}
        report("kernels", 1, 1)

    def render(console: Any) -> None:
        shown = table(f"Book caches, {begin} to {end}", "pipeline", "day", "", "time", right=("time",))
        for row in rows:
            shown.add_row(row["pipeline"], row["day"], row["state"], seconds(row.get("seconds")))
        console.print(shown if rows else f"No pipeline has a day between {begin} and {end}.")
        if ready:
            console.print(f"Kernels of the engine and of {warmed} signals: {kernels['seconds']:.1f} s.")

    context.finish({"books": rows, "kernels": kernels if ready else None}, render)


def _warm_kernels(chain: Chain, pipeline: str, day: str) -> int:
    """Stream the first bins of a warmed day through engine, scorer, every statistical signal and the outcomes, which
    compiles them or reads them from the cache on disk; the number of signals."""
    from vp_engine.evaluation.barriers import Barriers, market_of_bins
    from vp_engine.evaluation.detection import Detector
    from vp_engine.signals import list_signals, make_signal
    from vp_engine.spectrum.scoring import SpectrumScorer
    from vp_engine.stream import stream_events

    request = chain.bins(pipeline, day)
    book = chain.stored_book(request.book)
    config = request.config
    events = stream_events([raw.file() for raw in request.raws], config, request.capture, book, block_bins=50)
    block = next(iter(events))
    scores = SpectrumScorer(config).update(block)
    names = [info.name for info in list_signals() if info.kind == "statistical"]
    for name in names:
        values = make_signal(name, {}, config).update(block, scores)
        Detector(0.1, 5, 0).update(values, block.bins["book_valid"].copy(), block.bins["bin_seq"].copy())
    Barriers(market_of_bins(block.bins, config.tick_int)).outcomes(8.0, 4.0, 20)
    return len(names)
