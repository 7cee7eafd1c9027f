"""Looking closer: what a signal costs live, what a dataset is like before any signal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, count, number, table

if TYPE_CHECKING:
    from vp_engine.evaluation.analysis import Analysis, ProjectionTrial
    from vp_engine.evaluation.online import OnlineReport, Timing
    from vp_engine.lake import Dataset

PANEL = "Research"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "online-sim", reads=True)(online_sim)
    command(app, "analyze", reads=True)(analyze)


def online_sim(
    context: CommandContext,
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
    from vp_engine.errors import ConfigError, SignalError
    from vp_engine.evaluation.contracts import Asked, require_contract
    from vp_engine.evaluation.groups import BLOCK_BINS
    from vp_engine.evaluation.online import simulate_online
    from vp_engine.signals import get_signal
    from vp_engine.signals.source import place_of_signal
    from vp_engine.units import NS_PER_MS

    context.load_signals()
    if (signal is None) == (serving is None):
        raise ConfigError("name either `--signal` or `--serving`")
    dataset = dataset_of(context, dataset_id)
    name, params, scoring, models = (signal, {}, {}, None) if signal else _of_serving(context, serving or "")
    assert name is not None
    with context.progress(f"{name} live") as progress:
        check = partial(progress, "check of signals")
        require_contract(context.lake, dataset, [Asked(name, params, scoring)], check)
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
    data["same_bits"] = report.same_bits
    context.finish(data, lambda console: _print_timing(console, report))
    if report.first_other is not None:
        at, single, in_blocks = report.first_other
        raise SignalError(
            f"signal `{name}` ({place_of_signal(get_signal(name))}) depends on how its input is cut: bin {at:,} is "
            f"{single!r} one at a time and {in_blocks!r} in blocks of {BLOCK_BINS}"
        )


def dataset_of(context: CommandContext, dataset_id: str | None) -> Dataset:
    """The dataset named, or the lake's only one; ConfigError where that is not one."""
    from vp_engine.errors import ConfigError
    from vp_engine.lake import open_dataset
    from vp_engine.lake.datasets import iter_datasets

    if dataset_id is not None:
        return open_dataset(context.lake, dataset_id)
    names = [info.dataset_id for info in iter_datasets(context.lake, context.note_damage)]
    if len(names) != 1:
        there = "none; `vp generate PIPELINE` makes one" if not names else ", ".join(names)
        raise ConfigError(f"name a dataset by `--dataset-id`; there are: {there}")
    return open_dataset(context.lake, names[0])


def _of_serving(context: CommandContext, name: str) -> tuple[str, dict[str, Any], dict[str, Any], Any]:
    """(signal, parameters, scoring, models) of a serving spec."""
    from vp_engine.errors import ConfigError
    from vp_engine.lake.models import open_models
    from vp_engine.signals import get_signal

    spec = context.specs.serving[name]
    if spec.signal is None:
        raise ConfigError(f"serving spec `{name}` has no signal")
    kept = spec.promoted.models if spec.promoted is not None else None
    models = open_models(context.lake, kept, spec.signal.name) if kept is not None else None
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
    same = "the same bits as" if report.same_bits else "other values than"
    console.print(f"{over} over the budget.")
    style = None if report.same_bits else "red"
    console.print(f"One at a time gives {same} the whole dataset at once.", style=style)


def analyze(
    context: CommandContext,
    dataset: Annotated[str | None, typer.Argument(help="Dataset; the lake's only one if left out.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the plots [./analysis/DATASET].", show_default=False)
    ] = None,
) -> None:
    """State shares by cell, regimes, and the projection against what came: tables, and plots as PNG."""
    from vp_assets.research.plots import PLOTS
    from vp_engine.evaluation.analysis import analyze as analysed

    chosen = dataset_of(context, dataset)
    with context.progress("analysis") as progress:
        found = analysed(chosen, on_progress=lambda done, total: progress("projection models", done, total))
        folder = out or Path("analysis") / chosen.dataset_id
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, plot in PLOTS.items():
            (folder / name).write_bytes(plot(found))
            files.append(str(folder / name))
    data = {
        "dataset_id": found.dataset_id,
        "n_bins": found.n_bins,
        "n_valid": found.n_valid,
        "state_shares": found.state_shares.tolist(),
        "regimes": [regime._asdict() for regime in found.regimes],
        "transitions": found.transitions.tolist(),
        "projection": [
            {**trial._asdict(), "horizons": [horizon._asdict() for horizon in trial.horizons], "own": at == 0}
            for at, trial in enumerate((found.projection, *found.sweep))
        ],
        "plots": files,
    }
    context.finish(data, lambda console: _print_analysis(console, found, files))


def projection_verdict(own: ProjectionTrial, tried: Sequence[ProjectionTrial]) -> str:
    """In words: whether the dataset's own projection is worth more than a guess of 0, and the best of those tried."""

    def beats(trial: ProjectionTrial) -> list[str]:
        return [f"{horizon.horizon_ms} ms" for horizon in trial.horizons if horizon.skill_zero > 0]

    known = [horizon.skill_zero for horizon in own.horizons if horizon.skill_zero == horizon.skill_zero]
    if not known:
        return "Too little was projected to judge the projection."
    useful = beats(own)
    if not useful:
        low, high = 1 - max(known), 1 - min(known)
        span = f"{low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:.1f} to {high:.1f}"
        said = (
            f"The dataset's own projection (bold) is worse than always guessing 0, at every horizon: its squared error "
            f"is {span} times as large. It says where the last bins point and is no forecast."
        )
    elif len(useful) == len(own.horizons):
        said = "The dataset's own projection (bold) beats a guess of 0 at every horizon."
    else:
        said = f"The dataset's own projection (bold) beats a guess of 0 at {', '.join(useful)} only."
    best = max(tried, key=lambda trial: sum(horizon.skill_zero for horizon in trial.horizons), default=None)
    if best is None:
        return said
    better = beats(best)
    end = f"beats a guess of 0 at {', '.join(better)}" if better else "does not beat a guess of 0 either"
    return f"{said} The best of those tried, damping {best.damping_lambda:g}/s and cubic {best.cubic_scale:.3g}, {end}."


def _print_analysis(console: Any, found: Analysis, files: list[str]) -> None:
    from vp_engine.evaluation.analysis import STATE_NAMES

    radius = found.state_shares.shape[1] // 2
    zones = {"below": slice(0, radius), "at spot": slice(radius, radius + 1), "above": slice(radius + 1, None)}
    numbers = ("below", "at spot", "above", "dominant", "runs", "mean s", "median s", "longest s")
    shown = table(f"States and regimes, {found.n_valid:,} valid bins", "state", *numbers,
                  right=numbers)  # fmt: skip
    console.print(found.dataset_id)
    for at, (name, regime) in enumerate(zip(STATE_NAMES, found.regimes, strict=True)):
        shares = (f"{100 * found.state_shares[at, zone].mean():.1f} %" for zone in zones.values())
        times = (number(value, 2) for value in (regime.mean_s, regime.median_s, regime.longest_s))
        shown.add_row(name, *shares, f"{100 * regime.share:.1f} %", count(regime.runs), *times)
    console.print(shown)
    horizons = [f"{horizon.horizon_ms} ms" for horizon in found.projection.horizons]
    skills = table(
        "Projection: root mean square error, skill against a guess of 0",
        "damping /s", "cubic", *horizons, right=("damping /s", "cubic", *horizons),
    )  # fmt: skip
    own = found.projection
    others = [trial for trial in found.sweep if trial[:2] != own[:2]]  # its own setting is among those tried
    for at, trial in enumerate((own, *others)):
        cells = (f"{number(h.rmse)}  {number(h.skill_zero, 2, sign=True)}" for h in trial.horizons)
        skills.add_row(
            f"{trial.damping_lambda:g}", f"{trial.cubic_scale:.3g}", *cells, style="bold" if at == 0 else None
        )
    console.print(skills)
    console.print(projection_verdict(found.projection, found.sweep))
    for file in files:
        console.print(file, soft_wrap=True)
