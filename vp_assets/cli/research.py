"""Experiments: run a sweep, compare its runs, promote the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import Session, command, count, fitting, number, table
from vp_assets.cli.pipelines import generate_day, print_steps, require_raw, steps_data

if TYPE_CHECKING:
    from vp_assets.chain import Chain

_NUMBERS = ("θ", "n", "tp rate", "95 % interval", "break even", "net pnl", "p", "Holm p")
_SIGNIFICANT = 0.05
_BARRIERS = {"tp": "tp_ticks", "sl": "sl_ticks", "cooldown": "cooldown_bins", "day": "dt"}
_SHOWN = 5  # best runs after a sweep


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
    days = [one for asked in day or [None] for one in chain.days(name, asked)]
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
    best = _best_per_run(rows)[:_SHOWN]

    def render(console: Any) -> None:
        print_steps(console, steps)
        _print_runs(console, f"Best runs of {name} by {selection.sort}", best, rows, selection.min_signals)
        if best:
            console.print(f"Promote one: vp promote {name} --run-id {best[0]['run_id']}")

    session.finish({"experiment": name, "steps": steps_data(steps), "best": _rows_data(best)}, render)


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
    shown = (rows if all_thresholds else _best_per_run(rows))[:top]
    title = f"{'Rows' if all_thresholds else 'Runs'} by {sort}, at least {min_signals} trades"
    session.finish(_rows_data(shown), lambda console: _print_runs(console, title, shown, rows, min_signals))


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
    _require_choice(chain, name, run_id, threshold)

    from vp_assets.assets.promotion import promoted_key
    from vp_assets.runs import Runner

    config = {"run_id": run_id, "threshold": threshold}
    key = promoted_key(name)
    with session.progress(name) as report, Runner(chain, report, f"vp promote {name}") as runner:
        steps = runner.materialize([key], config={key: {k: v for k, v in config.items() if v is not None}})
    facts = steps[-1].metadata
    best = _promoted_rows(chain, facts["run_id"], facts["threshold"])

    def render(console: Any) -> None:
        _print_runs(console, f"Promoted {facts['name']}", best, best, 0)
        console.print(f"{facts['path']}", soft_wrap=True)
        console.print(f"Stream it: vp-serve, then choose {facts['name']}", soft_wrap=True)

    data = {"serving": facts["name"], "path": facts["path"], "run_id": facts["run_id"], "threshold": facts["threshold"]}
    session.finish({**data, "steps": steps_data(steps), "figures": _rows_data(best)}, render)


def _require_choice(chain: Chain, experiment: str, run_id: str | None, threshold: float | None) -> None:
    """Ask before Dagster starts whether there is such a run: a wrong id leaves no failed run behind."""
    from vp_assets.choice import DayResults, choose
    from vp_engine.errors import ConfigError

    spec = chain.specs.experiments[experiment]
    if run_id is not None and not (len(run_id) == 16 and set(run_id) <= set("0123456789abcdef")):
        raise ConfigError(f"`--run-id` must be 16 hex digits, was {run_id!r}; `vp compare` lists them")
    days = {}
    for day in chain.swept_days(experiment):
        request = chain.sweep(experiment, day)
        days[day] = DayResults(day, request.address, *chain.results.read(request.address))
    choose(spec, days, run_id, threshold)


def _promoted_rows(chain: Chain, run_id: str, threshold: float) -> list[dict[str, Any]]:
    rows = chain.results.query_runs(min_signals=0, top_n=None).to_pylist()
    return [row for row in rows if row["run_id"] == run_id and row["threshold"] == threshold]


def _rows_data(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for machines: JSON columns as objects."""
    from vp_engine.lake.results import plain

    return [plain({name: value for name, value in row.items() if name != "serving_spec"}) for row in rows]


def _best_per_run(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first row of each run, in the order of the rows."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        best.setdefault(row["run_id"], row)
    return list(best.values())


def _print_runs(
    console: Any,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    min_signals: int,
) -> None:
    """The table of `rows` and one plain sentence on what all that were `judged` prove."""
    from vp_engine.signals.registry import list_signals

    if not rows:
        console.print(f"No run has {min_signals} trades yet; `vp run EXPERIMENT` makes runs.")
        return
    usual = {info.name: info.params for info in list_signals()}
    own = [_own(row) for row in rows]
    shared = _common(own)
    alike = {signal: _common([o for r, o in zip(rows, own, strict=True) if r["signal"] == signal]) for signal in usual}

    def apart(signal: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What a run does not share with all others, nor with all of its signal as that signal usually is."""
        default = usual.get(signal, {})
        expected = {name: value for name, value in alike.get(signal, {}).items() if default.get(name, value) == value}
        kept = {name: value for name, value in parameters.items() if name not in shared}
        return {name: value for name, value in kept.items() if name in _BARRIERS or expected.get(name) != value}

    cells = [
        fitting(
            {
                "run": row["run_id"],
                "signal": row["signal"],
                "parameters": _words(apart(row["signal"], parameters)) or "–",
                "θ": f"{row['threshold']:g}",
                "n": count(row["n_signals"]),
                "tp rate": _percent(row["tp_rate"]),
                "95 % interval": _interval(row["tp_rate_low"], row["tp_rate_high"]),
                "break even": _percent(row["break_even_rate"]),
                "net pnl": number(row["net_mean_pnl_ticks"], 2, sign=True),
                "p": number(row["p_value"]),
                "Holm p": number(row["p_holm"], 2),
            },
            console,
            wide_only=("signal", "tp rate", "break even", "p"),
        )
        for row, parameters in zip(rows, own, strict=True)
    ]
    shown = table(title, *cells[0], right=_NUMBERS, whole=("run", "signal"))
    for row, line in zip(rows, cells, strict=True):
        shown.add_row(*line.values(), style="bold" if row["p_holm"] <= _SIGNIFICANT else None)
    console.print(shown)
    told = {name: value for name, value in shared.items() if usual.get(rows[0]["signal"], {}).get(name) != value}
    if told:
        console.print(f"[dim]All of them: {_words(told)}.[/dim]")
    console.print(_verdict(judged))


def _common(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of these runs have alike."""
    return {name: value for name, value in (runs[0] if runs else {}).items() if all(r.get(name) == value for r in runs)}


def _verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the table proves, in one sentence."""
    winners = sum(row["p_holm"] <= _SIGNIFICANT for row in rows)
    tried = max(row["n_trials"] for row in rows)
    best = _best_of_sweeps(rows)
    if winners:
        return (
            f"{winners} of {len(rows):,} rows significant at 5 % after Holm's correction for {tried:,} trials. {best}"
        )
    return (
        f"Nothing here is significant: none of {len(rows):,} rows has a Holm p of {_SIGNIFICANT} or less "
        f"after {tried:,} trials. {best} These runs may be luck."
    )


def _best_of_sweeps(rows: Sequence[Mapping[str, Any]]) -> str:
    """Hansen's SPA of the sweeps behind these rows, in words."""
    found = {row["sweep_address"]: row["spa_p_value"] for row in rows}
    known = sorted(p for p in found.values() if p == p)
    if not known:
        return "Hansen's SPA: the datasets are too short for it (under 20 holding times)."
    if len(found) == 1:
        return f"Hansen's SPA over the whole sweep: p {number(known[0])}."
    span = number(known[0]) if len(known) == 1 else f"{number(known[0])} to {number(known[-1])}"
    return f"Hansen's SPA over {len(known)} of {len(found)} sweeps: p {span}."


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    """What sets a run apart from others of its signal: parameters and scoring, barriers, day."""
    import json

    params = json.loads(row["parameters"])
    scoring = {f"scoring.{name}": value for name, value in params.pop("scoring", {}).items()}
    return {**params, **scoring, **{name: row[column] for name, column in _BARRIERS.items()}}


def _words(parameters: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in parameters.items()
    )


def _interval(low: float, high: float) -> str:
    return "–" if low != low else f"{100 * low:.1f} – {_percent(high)}"


def _percent(value: float) -> str:
    return "–" if value != value else f"{100 * value:.1f} %"
