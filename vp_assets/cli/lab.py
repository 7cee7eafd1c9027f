"""Looking closer: what a signal costs live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import Session, command, count, table

if TYPE_CHECKING:
    from vp_engine.evaluation.online import OnlineReport, Timing
    from vp_engine.lake import Dataset


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "online-sim")(online_sim)


def online_sim(
    session: Session,
    signal: Annotated[str | None, typer.Option(help="Signal with its default parameters.")] = None,
    serving: Annotated[
        str | None, typer.Option(help="Serving spec instead: its parameters, scoring and, if promoted, its models.")
    ] = None,
    dataset_id: Annotated[str | None, typer.Option(help="Dataset to feed; the only one if left out.")] = None,
    bin_budget_ms: Annotated[
        float | None, typer.Option(help="Time that a bin may take [the dataset's bin width].", show_default=False)
    ] = None,
    bins: Annotated[int | None, typer.Option(help="Feed this many bins only.", min=1)] = None,
) -> None:
    """Feed a dataset bin by bin to a signal and measure every update, refits of learning signals apart."""
    from vp_engine.errors import ConfigError
    from vp_engine.evaluation.online import simulate_online
    from vp_engine.signals import load_signals
    from vp_engine.units import NS_PER_MS

    load_signals(session.settings.signals_path)
    if (signal is None) == (serving is None):
        raise ConfigError("name either `--signal` or `--serving`")
    dataset = dataset_of(session, dataset_id)
    name, params, scoring, models = (signal, {}, {}, None) if signal else _of_serving(session, serving or "")
    assert name is not None
    with session.progress(f"{name} live") as progress:
        report = simulate_online(
            dataset,
            name,
            params,
            scoring,
            budget_ms=dataset.config.bin_ns / NS_PER_MS if bin_budget_ms is None else bin_budget_ms,
            max_bins=bins,
            models=models,
            on_progress=lambda done, total: progress("bins", done, total),
        )
    data = {key: part._asdict() if hasattr(part, "_asdict") else part for key, part in report._asdict().items()}
    data["budget_share"] = report.budget_share
    session.finish(data, lambda console: _print_timing(console, report))


def dataset_of(session: Session, dataset_id: str | None) -> Dataset:
    """The dataset named, or the lake's only one; ConfigError where that is not one."""
    from vp_engine.errors import ConfigError
    from vp_engine.lake import list_datasets, open_dataset

    if dataset_id is not None:
        return open_dataset(session.lake, dataset_id)
    names = [info.dataset_id for info in list_datasets(session.lake)]
    if len(names) != 1:
        there = "none; `vp generate PIPELINE` makes one" if not names else ", ".join(names)
        raise ConfigError(f"name a dataset by `--dataset-id`; there are: {there}")
    return open_dataset(session.lake, names[0])


def _of_serving(session: Session, name: str) -> tuple[str, dict[str, Any], dict[str, Any], Any]:
    """(signal, parameters, scoring, models) of a serving spec."""
    from vp_engine.errors import ConfigError
    from vp_engine.lake.models import open_models
    from vp_engine.signals import get_signal

    spec = session.specs.serving[name]
    if spec.signal is None:
        raise ConfigError(f"serving spec `{name}` has no signal")
    kept = spec.promoted.models if spec.promoted is not None else None
    models = open_models(session.lake, kept, spec.signal.name) if kept is not None else None
    params = get_signal(spec.signal.name).spec_params(spec.state_model) | spec.signal.params
    return spec.signal.name, params, dict(spec.scoring), models


def _print_timing(console: Any, report: OnlineReport) -> None:
    numbers = ("updates", "p50 ms", "p95 ms", "p99 ms", "max ms", "mean ms", "p99 of budget", "max of budget")
    shown = table(
        f"{report.signal} fed {report.n_bins:,} bins of {report.dataset_id}, budget {report.budget_ms:g} ms a bin",
        "update", *numbers, right=numbers,
    )  # fmt: skip
    parts: list[tuple[str, Timing]] = [("whole", report.whole)]
    if report.scorer.n:
        parts += [("  of it scorer", report.scorer), ("  of it signal", report.signal_only)]
    if report.refit.n:
        parts.append(("with a refit", report.refit))
    for name, times in parts:
        figures = (f"{value:.3f}" for value in (times.p50, times.p95, times.p99, times.max, times.mean))
        shares = (f"{100 * value / report.budget_ms:.2f} %" for value in (times.p99, times.max))
        shown.add_row(name, count(times.n), *figures, *shares)
    console.print(shown)
    over = "No update" if report.over_budget == 0 else f"{report.over_budget:,} updates"
    same = "the same bits as" if report.same_bits else "[red]other values than[/red]"
    console.print(f"{over} over the budget. One at a time gives {same} the whole dataset at once.")
