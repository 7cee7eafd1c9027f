"""Plots of an analysis, and of a sweep, as PNG, in the colours of the screens: blue is bull, orange is bear, everything
else is ink.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vp_engine.evaluation.analysis import STATE_NAMES, STATES, Analysis, runs_of
from vp_engine.units import ns_to_et

_GROUND, _PANEL, _LINE = "#12151A", "#14171D", "#353C48"
_INK, _SECOND = "#E8EAEE", "#A9B1BD"
STATE_COLOURS = ("#914D1C", "#EDB067", "#353C48", "#7FC8F3", "#2D649E")  # by STATES
_SERIES = ("#7FC8F3", "#EDB067", "#A9B1BD", "#478FCA", "#D18A3C", "#E8EAEE")  # of what has no side
_WIDTH, _HEIGHT, _DPI = 9.0, 4.2, 110


def _figure(title: str, columns: int = 1, ratios: tuple[float, ...] | None = None) -> tuple[Any, list[Any]]:
    """A dark figure and its axes, titled."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, facecolor=_GROUND, layout="constrained")
    figure.suptitle(title, color=_INK, fontsize=11, x=0.01, ha="left")
    grid = figure.subplots(1, columns, width_ratios=ratios, squeeze=False)[0]
    for axes in grid:
        axes.set_facecolor(_PANEL)
        axes.tick_params(colors=_SECOND, labelsize=8, length=2)
        axes.title.set_color(_SECOND)
        for spine in axes.spines.values():
            spine.set_color(_LINE)
            spine.set_linewidth(0.6)
    return figure, list(grid)


def _png(figure: Any) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", facecolor=_GROUND)
    return target.getvalue()


def _label(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x, color=_SECOND, fontsize=9)
    axes.set_ylabel(y, color=_SECOND, fontsize=9)


def states_png(analysis: Analysis) -> bytes:
    """Share of time that each cell spends in each state, by distance from spot."""
    figure, (axes,) = _figure(f"State of each cell  ·  {analysis.dataset_id}")
    radius = analysis.state_shares.shape[1] // 2
    edges = np.arange(-radius, radius + 2) - 0.5
    shares = 100 * np.nan_to_num(analysis.state_shares)
    axes.stackplot(
        edges, np.column_stack([shares, shares[:, -1]]), labels=STATE_NAMES, colors=STATE_COLOURS, step="post",
        linewidth=0,
    )  # fmt: skip
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 100)
    _label(axes, "ticks from spot", "% of valid bins")
    figure.legend(
        *(list(reversed(part)) for part in axes.get_legend_handles_labels()), fontsize=8, labelcolor=_SECOND,
        facecolor=_GROUND, edgecolor=_LINE, loc="outside right center",
    )  # fmt: skip
    return _png(figure)


def regimes_png(analysis: Analysis) -> bytes:
    """The dominant state over time, and how long it lasts."""
    figure, (strip, spread) = _figure(f"Regimes of the dominant state  ·  {analysis.dataset_id}", 2, (1.5, 1))
    dominant, start = analysis.dominant, analysis.start_ns
    minute = (start - start[0]) // 60_000_000_000
    minutes = np.unique(minute)
    shares = np.array([[np.mean(dominant[minute == m] == code) for code in STATES] for m in [*minutes, minutes[-1]]])
    edges = np.append(minutes, minutes[-1] + 1)
    strip.stackplot(edges, 100 * shares.T, colors=STATE_COLOURS, step="post", linewidth=0)
    strip.set_ylim(0, 100)
    strip.set_xlim(0, int(edges[-1]))
    marks = np.unique(np.linspace(0, int(edges[-1]), 5).astype(int))
    strip.set_xticks(marks, [f"{ns_to_et(int(start[0]) + int(mark) * 60_000_000_000):%H:%M}" for mark in marks])
    _label(strip, "Eastern time", "% of a minute")
    state, length = runs_of(dominant)
    seconds = length * float(np.median(np.diff(start))) / 1e9 if start.size > 1 else length.astype(float)
    for code, name, colour in zip(STATES, STATE_NAMES, STATE_COLOURS, strict=True):
        own = np.sort(seconds[state == code])
        if own.size:
            spread.step(own, 100 * (1 - np.arange(own.size) / own.size), where="post", color=colour, label=name)
    spread.set_yscale("log")
    spread.set_xlim(left=0)
    _label(spread, "seconds", "% of runs that last longer")
    spread.legend(fontsize=8, labelcolor=_SECOND, facecolor=_PANEL, edgecolor=_LINE, loc="upper right")
    return _png(figure)


def projection_png(analysis: Analysis) -> bytes:
    """Error of every setting of the projection model by horizon, against two plain guesses."""
    figure, (error, skill) = _figure(f"Projection against the realised score  ·  {analysis.dataset_id}", 2)
    plain = [trial for trial in analysis.sweep if trial.cubic_scale == 0]
    blues = ("#21416D", "#2D649E", "#3C6E93", "#478FCA", "#7FC8F3", "#BFE3F9")
    for at, trial in enumerate(plain):
        ms = [horizon.horizon_ms for horizon in trial.horizons]
        colour = blues[min(at, len(blues) - 1)]
        words = f"damping {trial.damping_lambda:g}/s"
        error.plot(ms, [h.rmse for h in trial.horizons], color=colour, marker="o", markersize=3, label=words)
        skill.plot(ms, [h.skill_zero for h in trial.horizons], color=colour, marker="o", markersize=3)
    horizons = analysis.projection.horizons
    ms = [horizon.horizon_ms for horizon in horizons]
    still = [h.rmse / np.sqrt(1 - h.skill_still) for h in horizons]
    zero = [h.rmse / np.sqrt(1 - h.skill_zero) for h in horizons]
    error.plot(ms, still, color="#EDB067", linestyle="--", label="the score stays")
    error.plot(ms, zero, color=_INK, linestyle=":", label="the score is 0")
    skill.axhline(0, color=_INK, linestyle=":", linewidth=1)
    for axes in (error, skill):
        axes.set_xticks(ms)
    _label(error, "horizon, ms", "root mean square error")
    _label(skill, "horizon, ms", "skill against a guess of 0 (above 0 is better)")
    error.set_ylim(bottom=0)
    figure.legend(
        *error.get_legend_handles_labels(), fontsize=8, labelcolor=_SECOND, facecolor=_GROUND, edgecolor=_LINE,
        loc="outside right center",
    )  # fmt: skip
    return _png(figure)


def trials_png(title: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows of a sweep (columns of `runs` and `signal`), one at least: what each earns against what its trades are
    worth, and how many have a small p against how many would without any edge."""
    figure, (earned, small) = _figure(f"Trials  ·  {title}", 2, (1.5, 1))
    signals = sorted({str(row["signal"]) for row in rows})
    for at, signal in enumerate(signals):
        own = [row for row in rows if row["signal"] == signal]
        earned.scatter(
            [row["n_effective"] for row in own], [row["net_mean_pnl_ticks"] for row in own], s=9, linewidths=0.6,
            marker=("o", "s", "^", "D", "v")[at % 5], color=_SERIES[at % len(_SERIES)], label=signal,
        )  # fmt: skip
    earned.set_xscale("log")
    earned.axhline(0, color=_INK, linestyle=":", linewidth=1)
    _label(earned, "trades, by what overlapping ones are worth", "net ticks a trade")
    p_values = np.sort([row["p_value"] for row in rows if row["p_value"] == row["p_value"]])
    small.step(p_values, np.arange(1, p_values.size + 1) / max(p_values.size, 1), where="post", color=STATE_COLOURS[3])
    small.plot((0, 1), (0, 1), color=_INK, linestyle=":", linewidth=1)
    small.set_xlim(0, 1)
    small.set_ylim(0, 1)
    _label(small, "p, before correction", "share of rows at or below it; dotted: no edge")
    figure.legend(
        *earned.get_legend_handles_labels(), fontsize=8, labelcolor=_SECOND, facecolor=_GROUND, edgecolor=_LINE,
        loc="outside right center",
    )  # fmt: skip
    return _png(figure)


PLOTS: dict[str, Callable[[Analysis], bytes]] = {
    "states.png": states_png,
    "regimes.png": regimes_png,
    "projection.png": projection_png,
}
