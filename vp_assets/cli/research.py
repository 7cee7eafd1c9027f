"""Experiments: run a sweep, compare its runs, promote the winner."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command
from vp_assets.cli.pipelines import generate_day, print_steps, require_raw, steps_data
from vp_assets.cli.runs_table import (
    best_per_run,
    most_trades,
    print_choice,
    print_leaders,
    print_runs,
    signals_without_trades,
)

if TYPE_CHECKING:
    from vp_assets.research.requests import Chain
    from vp_engine.evaluation.walk_forward import Choice, DayResults
    from vp_engine.lake.results import ResultsDB

_SHOWN = 5  # best runs after a sweep

PANEL = "Research"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "run")(run)
    command(app, "compare", reads=True)(compare)
    command(app, "promote", reads=True)(promote)


def run(
    context: CommandContext,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT.yaml", help="An experiment spec: its file or its name.")
    ],
    day: Annotated[
        list[str] | None, typer.Option(help="Eastern day, for a pipeline without its own `dt`; repeatable.")
    ] = None,
) -> None:
    """Sweep an experiment, computing book cache and bins first where they are missing."""
    from vp_assets.research.requests import Chain, spec_by_name_or_path

    chain = Chain(context.settings, context.lake, context.specs)
    name = spec_by_name_or_path(chain.specs, experiment, "experiment")
    members = chain.specs.members(name)
    wanted = [(one, at) for one in members for asked in day or (None,) for at in chain.days(one, asked)]
    for one, at in wanted:
        require_raw(chain, chain.specs.pipeline_of(one).name, at)
    for one in members:
        chain.check_experiment(one)

    from vp_assets.defs.assets.sweeps import sweep_key
    from vp_assets.runs.in_process import Runner

    steps = []
    with context.progress(name) as report, Runner(chain, report, f"vp run {name}") as runner:
        for one, at in wanted:
            steps += generate_day(chain, runner, chain.specs.pipeline_of(one).name, at, [sweep_key(one)])
    selection = chain.specs.experiments[members[0]].selection
    query = partial(
        chain.results.query_runs,
        sweep_address=[chain.sweep(one, at).address for one, at in wanted],
        sort=selection.sort,
        top_n=None,
    )
    rows = query(min_signals=selection.min_signals).to_pylist()
    every_row = query(min_signals=0).to_pylist()
    trades = {} if rows else most_trades(every_row)
    silent = signals_without_trades(every_row)
    best = best_per_run(rows)[:_SHOWN]
    over_days = {one: leading for one in members if (leading := _over_days(chain, one))}

    def render(console: Any) -> None:
        print_steps(console, steps)
        for signal in silent:
            console.print(
                f"Signal {signal} has no trade at any threshold, so its contract was checked on bins without firings.",
                soft_wrap=True,
            )
        for one, leading in over_days.items():
            print_leaders(console, f"Best trials of {one} over its train days by {selection.sort}", leading)
            print_choice(console, leading[0])
            first = () if len(members) == 1 else ("--run-id", str(leading[0].meta["run_id"]))
            console.print(f"Promote the first: {context.hints.vp('promote', experiment, *first)}", soft_wrap=True)
        if over_days:
            return
        print_runs(console, f"Best runs of {name} by {selection.sort}", best, rows, selection.min_signals, trades)
        if best:
            hint = context.hints.vp("promote", experiment, "--run-id", best[0]["run_id"])
            console.print(f"Promote one: {hint}", soft_wrap=True)

    days_data = [row for leading in over_days.values() for row in _rows_data(leading[0].by_day)]
    data = {"experiment": name, "steps": steps_data(steps), "best": _rows_data(best), "days": days_data}
    context.finish(data, render)


def compare(
    context: CommandContext,
    signal: Annotated[str | None, typer.Option(help="Runs of this signal only.")] = None,
    dataset_id: Annotated[str | None, typer.Option(help="Runs on this dataset only.")] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Runs of this experiment only, on all of its pipelines.")
    ] = None,
    sort: Annotated[str, typer.Option(help="Figure to rank by.")] = "net_mean_pnl_ticks",
    min_signals: Annotated[
        int | None, typer.Option(help="Least number of trades of a row.", min=0, show_default="each experiment's own")
    ] = None,
    top: Annotated[int, typer.Option(help="Rows shown.", min=1)] = 20,
    all_thresholds: Annotated[bool, typer.Option("--all-thresholds", help="Not only the best of each run.")] = False,
) -> None:
    """Rank the runs of every sweep in the lake, with intervals and corrected p-values."""
    from vp_engine.lake.results import ResultsDB
    from vp_engine.signals import get_signal

    context.load_signals()
    if signal is not None:
        get_signal(signal)
    db, asked = ResultsDB(context.lake, context.note_damage), dict[str, Any]()
    over_days: dict[str, list[Choice]] = {}
    if experiment is not None:
        addresses, over_days = _asked(context, experiment)
        # Results whose spec or code has changed since are found by name.
        asked = {"sweep_address": addresses} if addresses else {"experiment": experiment}
    every_row = db.query_runs(signal, dataset_id, sort, min_signals, None, **asked).to_pylist()
    if not every_row:
        _require_known(context, db, dataset_id, experiment)
    symbol = context.lock.symbol
    foreign = sorted({row["symbol"] for row in every_row} - {symbol})
    untold = _test_days_of_specs(over_days)  # of results whose version did not store a day's role
    held_out = untold | {row["dt"] for row in every_row if row["day_role"] == "test" and row["symbol"] == symbol}
    ranked = db.query_runs(signal, dataset_id, sort, min_signals, None, include_test=False, **asked).to_pylist()
    rows = [row for row in ranked if row["symbol"] == symbol and (row["day_role"] or row["dt"] not in untold)]
    shown = (rows if all_thresholds else best_per_run(rows))[:top]
    few = (
        {}
        if rows
        else most_trades(
            [
                row
                for row in db.query_runs(signal, dataset_id, sort, 0, None, include_test=False, **asked).to_pylist()
                if row["symbol"] == symbol and (row["day_role"] or row["dt"] not in untold)
            ]
        )
    )
    least = "each experiment's least number of" if min_signals is None else f"at least {min_signals}"
    title = f"{'Rows' if all_thresholds else 'Runs'} of {symbol} by {sort}, {least} trades"

    def render(console: Any) -> None:
        print_runs(console, title, shown, rows, min_signals, few)
        if held_out:
            console.print(f"Left out above: {', '.join(sorted(held_out))}. Test days report and have no say.")
        if foreign:
            console.print(f"Left out above: runs on {', '.join(foreign)}, other instruments than the locked one.")
        for one, leading in over_days.items():
            print_leaders(console, f"Best trials over the train days of {one}", leading)
            print_choice(console, leading[0])

    context.finish(_rows_data(shown), render)


def _test_days_of_specs(over_days: Mapping[str, Sequence[Choice]]) -> set[str]:
    """Test days by the specs at hand, for results of a version that did not store them."""
    choices = [choice for leading in over_days.values() for choice in leading]
    return {day["day"] for choice in choices for day in choice.by_day if day["role"] == "test"}


def promote(
    context: CommandContext,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT.yaml", help="An experiment spec: its file or its name.")
    ],
    run_id: Annotated[
        str | None, typer.Option(help="Run to promote; the best by the spec's `selection` if left out.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Threshold to pin; the run's best if left out.")] = None,
) -> None:
    """Make a serving spec of an experiment's winner, replayed before it is written; it streams by name."""
    from vp_assets.research.requests import Chain, spec_by_name_or_path

    chain = Chain(context.settings, context.lake, context.specs)
    name = _member(chain, spec_by_name_or_path(chain.specs, experiment, "experiment"), run_id)
    choice = _choice(chain, name, run_id, threshold)

    from vp_assets.defs.assets.promoted import promoted_key
    from vp_assets.runs.in_process import Runner

    config = {"run_id": run_id, "threshold": threshold}
    key = promoted_key(name)
    with context.progress(name) as report, Runner(chain, report, f"vp promote {name}") as runner:
        steps = runner.materialize([key], config={key: {k: v for k, v in config.items() if v is not None}})
    facts = steps[-1].metadata
    best = _promoted_rows(chain, facts["run_id"], facts["threshold"])

    def render(console: Any) -> None:
        print_runs(console, f"Promoted {facts['name']}", best, best, 0)
        if len(choice.by_day) > 1:
            print_choice(console, choice)
        console.print(f"{facts['path']}", soft_wrap=True)
        console.print(f"Stream it: {_stream_hint(context, facts['name'])}", soft_wrap=True)

    data = {"serving": facts["name"], "path": facts["path"], "run_id": facts["run_id"], "threshold": facts["threshold"]}
    data |= {"days": _rows_data(choice.by_day), "steps": steps_data(steps)}
    context.finish({**data, "figures": _rows_data(best)}, render)


def _stream_hint(context: CommandContext, serving: str) -> str:
    """What starts the service over this lake, and the page that shows a serving spec on it."""
    settings = context.settings
    signals = os.pathsep.join(str(path) for path in settings.signals_path)
    variables = {
        "VP_CONFIG_DIR": settings.config_dir,
        "VP_INSTRUMENT_CONFIG_PATH": settings.instrument,
        "VP_SIGNALS_PATH": signals or None,
    }
    before = "".join(f"{name}={shlex.quote(str(value))} " for name, value in variables.items() if value is not None)
    page = f"http://127.0.0.1:8002/vacuum-pressure.html?serving={serving}"
    return f"{before}vp-serve --lake-root {shlex.quote(settings.lake_root)}, then open {page}"


def _member(chain: Chain, experiment: str, run_id: str | None) -> str:
    """Of an experiment over several pipelines, the one that holds the run; ConfigError where that is open."""
    from vp_engine.errors import ConfigError

    members = chain.specs.members(experiment)
    if len(members) > 1:
        members = tuple(one for one in members if run_id in _run_ids(chain, one))
    if len(members) != 1:
        there = ", ".join(chain.specs.members(experiment))
        raise ConfigError(f"`{experiment}` is of several pipelines; name a run by `--run-id`, or one of: {there}")
    return members[0]


def _require_known(context: CommandContext, db: ResultsDB, dataset_id: str | None, experiment: str | None) -> None:
    """NotFoundError for a dataset or an experiment that has no run and is not there either: a name mistyped."""
    from vp_engine.errors import NotFoundError
    from vp_engine.lake.datasets import iter_datasets

    if dataset_id is not None and not db.query_runs(dataset_id=dataset_id, min_signals=0, top_n=1).num_rows:
        there = sorted(info.dataset_id for info in iter_datasets(context.lake, context.note_damage))
        if dataset_id not in there:
            raise NotFoundError(f"no dataset `{dataset_id}`; there are: {', '.join(there) or 'none'}")
    if experiment is not None and not db.query_runs(experiment=experiment, min_signals=0, top_n=1).num_rows:
        context.specs.members(experiment)  # says what there is


def _asked(context: CommandContext, experiment: str) -> tuple[list[str], dict[str, list[Choice]]]:
    """Addresses of an experiment's results, and its best trials over days by what it became; nothing of one whose spec
    is gone, though its results may be there."""
    from vp_assets.research.requests import Chain

    chain = Chain(context.settings, context.lake, context.specs)
    if experiment not in chain.specs.families and experiment not in chain.specs.experiments:
        return [], {}
    members = chain.specs.members(experiment)
    found = {one: leading for one in members if (leading := _over_days(chain, one))}
    return [address for one in members for address in _swept(chain, one)], found


def _swept(chain: Chain, experiment: str) -> list[str]:
    """Addresses of an experiment's results, whoever asked for them first."""
    return [chain.sweep(experiment, day).address for day in chain.swept_days(experiment)]


def _run_ids(chain: Chain, experiment: str) -> set[str]:
    return {run_id for at in _swept(chain, experiment) for run_id in chain.results.read(at)[0]["run_id"].to_pylist()}


def _choice(chain: Chain, experiment: str, run_id: str | None = None, threshold: float | None = None) -> Choice:
    """What an experiment's results so far choose, asked before Dagster starts: a wrong id leaves no failed run."""
    from vp_engine.errors import ConfigError
    from vp_engine.evaluation.walk_forward import choose

    if run_id is not None and not (len(run_id) == 16 and set(run_id) <= set("0123456789abcdef")):
        raise ConfigError(f"`--run-id` must be 16 hex digits, was {run_id!r}; `vp compare` lists them")
    return choose(chain.specs.experiments[experiment], _day_results(chain, experiment), run_id, threshold)


def _day_results(chain: Chain, experiment: str) -> dict[str, DayResults]:
    """Results by day, as far as there are any."""
    from vp_engine.evaluation.walk_forward import DayResults

    days = {}
    for day in chain.swept_days(experiment):
        request = chain.sweep(experiment, day)
        days[day] = DayResults(day, request.address, *chain.results.read(request.address))
    return days


def _over_days(chain: Chain, experiment: str) -> list[Choice]:
    """The best trials of an experiment that tells train days from test days; none for others, or without a choice."""
    from vp_engine.errors import VPError
    from vp_engine.evaluation.walk_forward import leaders

    spec = chain.specs.experiments.get(experiment)
    if spec is None or spec.days is None:
        return []
    try:
        return leaders(spec, _day_results(chain, experiment), _SHOWN)
    except VPError:
        return []


def _promoted_rows(chain: Chain, run_id: str, threshold: float) -> list[dict[str, Any]]:
    rows = chain.results.query_runs(min_signals=0, top_n=None).to_pylist()
    return [row for row in rows if row["run_id"] == run_id and row["threshold"] == threshold]


def _rows_data(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for machines: JSON columns as objects."""
    from vp_engine.lake.results import plain

    return [
        plain({name: value for name, value in row.items() if name != "serving_spec"} | _dollars(row)) for row in rows
    ]


def _dollars(row: Mapping[str, Any]) -> dict[str, float]:
    """What a trade makes in dollars, of a row that knows what a tick is worth."""
    if "tick_dollars" not in row:
        return {}
    return {"net_mean_pnl_dollars": row["net_mean_pnl_ticks"] * row["tick_dollars"]}
