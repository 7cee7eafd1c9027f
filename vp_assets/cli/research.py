"""Experiments: run a sweep, compare its runs, promote the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import Session, command
from vp_assets.cli.pipelines import generate_day, print_steps, require_raw, steps_data
from vp_assets.cli.runs_table import best_per_run, print_choice, print_leaders, print_runs

if TYPE_CHECKING:
    from vp_assets.chain import Chain
    from vp_engine.evaluation.walk_forward import Choice, DayResults

_SHOWN = 5  # best runs after a sweep

PANEL = "Research"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "run")(run)
    command(app, "compare")(compare)
    command(app, "promote")(promote)


def run(
    session: Session,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT.yaml", help="An experiment spec: its file or its name.")
    ],
    day: Annotated[
        list[str] | None, typer.Option(help="Eastern day, for a pipeline without its own `dt`; repeatable.")
    ] = None,
) -> None:
    """Sweep an experiment, computing book cache and bins first where they are missing."""
    from vp_assets.chain import Chain, spec_by_name_or_path

    chain = Chain(session.settings, session.lake, session.specs)
    name = spec_by_name_or_path(chain.specs, experiment, "experiment")
    pipeline = chain.specs.pipeline_of(name).name
    days = [one for asked in day or (None,) for one in chain.days(name, asked)]
    for one in days:
        require_raw(chain, pipeline, one)
    chain.check_experiment(name)

    from vp_assets.assets.sweeps import sweep_key
    from vp_assets.runs import Runner

    steps = []
    with session.progress(name) as report, Runner(chain, report, f"vp run {name}") as runner:
        for one in days:
            steps += generate_day(chain, runner, pipeline, one, [sweep_key(name)])
    selection = chain.specs.experiments[name].selection
    rows = [
        row
        for one in days
        for row in chain.results.query_runs(
            sweep_address=chain.sweep(name, one).address,
            sort=selection.sort,
            min_signals=selection.min_signals,
            top_n=None,
        ).to_pylist()
    ]
    best = best_per_run(rows)[:_SHOWN]
    over_days = _over_days(chain, name)

    def render(console: Any) -> None:
        print_steps(console, steps)
        if over_days:
            print_leaders(console, f"Best trials of {name} over its train days by {selection.sort}", over_days)
            print_choice(console, over_days[0])
            console.print(f"Promote the first: vp promote {name}")
            return
        print_runs(console, f"Best runs of {name} by {selection.sort}", best, rows, selection.min_signals)
        if best:
            console.print(f"Promote one: vp promote {name} --run-id {best[0]['run_id']}")

    days_data = _rows_data(over_days[0].by_day) if over_days else []
    data = {"experiment": name, "steps": steps_data(steps), "best": _rows_data(best), "days": days_data}
    session.finish(data, render)


def compare(
    session: Session,
    signal: Annotated[str | None, typer.Option(help="Runs of this signal only.")] = None,
    dataset_id: Annotated[str | None, typer.Option(help="Runs on this dataset only.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Runs of this experiment only.")] = None,
    sort: Annotated[str, typer.Option(help="Figure to rank by.")] = "net_mean_pnl_ticks",
    min_signals: Annotated[int, typer.Option(help="Least number of trades of a row.", min=0)] = 5,
    top: Annotated[int, typer.Option(help="Rows shown.", min=1)] = 20,
    all_thresholds: Annotated[bool, typer.Option("--all-thresholds", help="Not only the best of each run.")] = False,
) -> None:
    """Rank the runs of every sweep in the lake, with intervals and corrected p-values."""
    from vp_engine.lake.results import ResultsDB
    from vp_engine.signals import get_signal, load_signals

    load_signals(session.settings.signals_path)
    if signal is not None:
        get_signal(signal)
    db = ResultsDB(session.lake)
    rows = db.query_runs(signal, dataset_id, sort, min_signals, None, experiment=experiment).to_pylist()
    shown = (rows if all_thresholds else best_per_run(rows))[:top]
    title = f"{'Rows' if all_thresholds else 'Runs'} by {sort}, at least {min_signals} trades"

    def render(console: Any) -> None:
        print_runs(console, title, shown, rows, min_signals)
        if experiment is not None:
            from vp_assets.chain import Chain

            over_days = _over_days(Chain(session.settings, session.lake, session.specs), experiment)
            if over_days:
                print_leaders(console, f"Best trials over the train days of {experiment}", over_days)
                print_choice(console, over_days[0])

    session.finish(_rows_data(shown), render)


def promote(
    session: Session,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT.yaml", help="An experiment spec: its file or its name.")
    ],
    run_id: Annotated[
        str | None, typer.Option(help="Run to promote; the best by the spec's `selection` if left out.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Threshold to pin; the run's best if left out.")] = None,
) -> None:
    """Make a serving spec of an experiment's winner, replayed before it is written; it streams by name."""
    from vp_assets.chain import Chain, spec_by_name_or_path

    chain = Chain(session.settings, session.lake, session.specs)
    name = spec_by_name_or_path(chain.specs, experiment, "experiment")
    choice = _choice(chain, name, run_id, threshold)

    from vp_assets.assets.promotion import promoted_key
    from vp_assets.runs import Runner

    config = {"run_id": run_id, "threshold": threshold}
    key = promoted_key(name)
    with session.progress(name) as report, Runner(chain, report, f"vp promote {name}") as runner:
        steps = runner.materialize([key], config={key: {k: v for k, v in config.items() if v is not None}})
    facts = steps[-1].metadata
    best = _promoted_rows(chain, facts["run_id"], facts["threshold"])

    def render(console: Any) -> None:
        print_runs(console, f"Promoted {facts['name']}", best, best, 0)
        if len(choice.by_day) > 1:
            print_choice(console, choice)
        console.print(f"{facts['path']}", soft_wrap=True)
        console.print(f"Stream it: vp-serve, then choose {facts['name']}", soft_wrap=True)

    data = {"serving": facts["name"], "path": facts["path"], "run_id": facts["run_id"], "threshold": facts["threshold"]}
    data |= {"days": _rows_data(choice.by_day), "steps": steps_data(steps)}
    session.finish({**data, "figures": _rows_data(best)}, render)


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

    return [plain({name: value for name, value in row.items() if name != "serving_spec"}) for row in rows]
