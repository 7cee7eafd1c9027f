"""Draws impulse_response.png: what one added contract does to the derivative chain, and a check of its closed form.

Curves come from the engine's own kernels; the dots and the reference errors from a plain integration of the three
differential equations, which shares no line with them. Times in seconds, sizes in contracts.

    python docs/figures/impulse_response.py [target.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from vp_engine.field.kinetics import (
    ADD,
    N_TAUS,
    acceleration_nb,
    add_impulse_nb,
    advance_nb,
    chain_at_nb,
    jerk_nb,
    mass_nb,
    new_kinetics,
    velocity_nb,
    wake_nb,
)

TARGET = Path(__file__).with_suffix(".png")
TAUS = (2.0, 5.0, 10.0, 30.0)  # velocity, acceleration, jerk, rest: the defaults
NAMES = ("velocity", "acceleration", "jerk", "rest decay")
START_NS = 1_770_388_200_000_000_000  # any instant will do
NS = 1_000_000_000

INK, SECONDARY, RULE = "#0C0E12", "#353C48", "#C9CED6"
PLUS, PLUS_LINE, MINUS, MINUS_LINE = "#478FCA", "#2D649E", "#C07432", "#914D1C"
SHADES = ("#1B2130", "#2D4870", "#3C6E93", "#6CA2B0")
STYLE = {
    "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.edgecolor": RULE, "axes.labelcolor": SECONDARY, "text.color": INK, "axes.titlecolor": INK,
    "xtick.color": SECONDARY, "ytick.color": SECONDARY, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": RULE, "grid.linewidth": 0.5, "grid.alpha": 0.6, "figure.facecolor": "white",
}  # fmt: skip

Events = list[tuple[float, float]]  # (time in s, contracts), in order of time


def engine_values(events: Events, times: np.ndarray, also_at: np.ndarray | None = None) -> np.ndarray:
    """(mass, v, a, j) of one channel at each time, (4, n), by the engine. also_at: times it is woken at besides."""
    kinetics = new_kinetics(1, TAUS)
    clock = (kinetics.sums, kinetics.gain, kinetics.rates, kinetics.clock, kinetics.powers)
    chain = np.zeros(7)
    reads = [(ts, 1, at) for at, ts in enumerate(times.tolist())]
    wakes = [(ts, 2, 0) for ts in (also_at.tolist() if also_at is not None else [])]
    adds = [(ts, 0, at) for at, (ts, _) in enumerate(events)]  # an event counts at its own instant
    values = np.zeros((4, times.size))
    for ts, what, at in sorted(adds + reads + wakes):
        ts_ns = START_NS + round(ts * NS)
        advance_nb(ts_ns, *clock, kinetics.touched, kinetics.moved)
        if what == 0:
            wake_nb(kinetics.touched, kinetics.awake, kinetics.moved, 0)
            add_impulse_nb(kinetics.sums, kinetics.gain, 0, ADD, events[at][1])
        elif what == 1:
            chain_at_nb(kinetics, ts_ns, chain)
            for row, kernel in enumerate((mass_nb, velocity_nb, acceleration_nb, jerk_nb)):
                values[row, at] = kernel(kinetics.sums, chain, ADD, 0)
    return values


def slope(y: np.ndarray) -> np.ndarray:
    """Right side of the chain between events: v' = -v/τv, a' = (v' - a)/τa, j' = (a' - j)/τj."""
    v = -y[0] / TAUS[0]
    a = (v - y[1]) / TAUS[1]
    return np.array([v, a, (a - y[2]) / TAUS[2]])


def euler(y: np.ndarray, h: float) -> np.ndarray:
    """One explicit Euler step."""
    return y + h * slope(y)


def runge_kutta(y: np.ndarray, h: float) -> np.ndarray:
    """One classical fourth-order step."""
    k1 = slope(y)
    k2 = slope(y + h / 2 * k1)
    k3 = slope(y + h / 2 * k2)
    k4 = slope(y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def integrated(events: Events, times: np.ndarray, h: float, step=runge_kutta) -> np.ndarray:
    """(v, a, j) at each time, (3, n): an impulse lifts v by Δ/τv, a by that over τa, j by that over τj."""
    lift = 1.0 / np.cumprod(TAUS[:3])
    y, now, out = np.zeros(3), 0.0, np.zeros((3, times.size))
    adds = [(ts, 0, at) for at, (ts, _) in enumerate(events)]
    for ts, what, at in sorted(adds + [(ts, 1, at) for at, ts in enumerate(times.tolist())]):
        n = max(1, round((ts - now) / h)) if ts > now else 0
        for _ in range(n):
            y = step(y, (ts - now) / n)
        now = ts
        if what == 0:
            y = y + events[at][1] * lift
        else:
            out[:, at] = y
    return out


def draw_sums(axes: Axes) -> None:
    """The four decayed sums after one contract."""
    times = np.linspace(0, 30, 301)
    for at in range(N_TAUS):
        axes.plot(times, np.exp(-times / TAUS[at]), color=SHADES[at], lw=1.8)
        y = 1.0 - 0.065 * at
        axes.plot([10.5, 12.5], [y, y], color=SHADES[at], lw=1.8)
        axes.text(13.5, y, f"τ = {TAUS[at]:g} s", fontsize=8, va="center")
        axes.text(20.5, y, NAMES[at], fontsize=8, va="center")
    dots = times[::30]
    axes.plot(dots, engine_values([(0.0, 1.0)], dots)[0], "o", color=SHADES[-1], ms=3.4)
    axes.set(title="Decayed sums K", xlabel="seconds after the event", ylabel="contracts", ylim=(0, 1.06))
    axes.plot(11.5, 1.0 - 0.065 * N_TAUS, "o", color=SHADES[-1], ms=3.4)
    axes.text(13.5, 1.0 - 0.065 * N_TAUS, "mass, by the engine", fontsize=8, va="center")


def draw_response(axes: Axes, row: int, title: str, unit: str, note: str) -> None:
    """One level of the chain after one contract: engine as a curve, plain integration as dots."""
    times = np.linspace(0, 30, 301)
    values = engine_values([(0.0, 1.0)], times)[row]
    axes.axhline(0, color=SECONDARY, lw=0.7)
    axes.fill_between(times, values, 0, where=values >= 0, color=PLUS, alpha=0.35, lw=0, interpolate=True)
    axes.fill_between(times, values, 0, where=values <= 0, color=MINUS, alpha=0.35, lw=0, interpolate=True)
    axes.plot(times, values, color=INK, lw=1.5)
    dots = np.arange(0.0, 30.1, 1.5)
    axes.plot(dots, integrated([(0.0, 1.0)], dots, 0.05)[row - 1], "o", color=INK, ms=3.2, mfc="white", mew=0.9)
    axes.set(title=title, xlabel="seconds after the event", ylabel=unit)
    axes.text(0.98, 0.95, note, ha="right", va="top", transform=axes.transAxes, fontsize=8, linespacing=1.5)


def burst() -> Events:
    """A few seconds of one channel, three events at one nanosecond."""
    return [(0.40, 4.0), (0.47, 2.0), (1.90, 6.0), (1.90, 1.0), (1.90, 3.0), (2.35, 2.0), (5.20, 5.0), (6.05, 8.0)]


def draw_burst(axes: Axes) -> None:
    """A short run of events: the engine as curves, plain integration as dots."""
    times = np.linspace(0, 14, 561)
    values = engine_values(burst(), times)
    axes.axhline(0, color=SECONDARY, lw=0.7)
    axes.plot(times, values[1], color=PLUS_LINE, lw=1.5)
    axes.plot(times, values[2], color=MINUS_LINE, lw=1.5)
    dots = np.arange(0.0, 14.1, 1.0)
    checks = integrated(burst(), dots, 0.01)
    axes.plot(dots, checks[0], "o", color=PLUS_LINE, ms=3.6, mfc="white", mew=1.0)
    axes.plot(dots, checks[1], "o", color=MINUS_LINE, ms=3.6, mfc="white", mew=1.0)
    for ts in {ts for ts, _ in burst()}:
        size = sum(contracts for at, contracts in burst() if at == ts)
        axes.plot([ts, ts], [-1.95, -1.95 + 0.12 * size], color=SECONDARY, lw=1.6)
    axes.text(8.6, 7.6, "v, contracts/s", color=PLUS_LINE, fontsize=8)
    axes.text(8.6, 7.0, "a, contracts/s²", color=MINUS_LINE, fontsize=8)
    axes.text(8.6, 6.4, "○ integrated", fontsize=8)
    axes.text(6.5, -1.8, "events by size; three at 1.90 s", color=SECONDARY, fontsize=7.5)
    axes.set(title="Eight events", xlabel="seconds", ylim=(-2.1, 8.4))


def errors(steps: np.ndarray) -> dict[str, list[float]]:
    """Largest deviation of v, a, j from the written formula over 12 s, relative to each one's peak."""
    times = np.arange(1.0, 12.5, 1.0)
    sums = [np.exp(-times / tau) / tau for tau in TAUS[:3]]
    first = (sums[0] - sums[1]) / (TAUS[1] - TAUS[0])
    second = (sums[1] - sums[2]) / (TAUS[2] - TAUS[1])
    exact = np.array([sums[0], first, (first - second) / (TAUS[2] - TAUS[0])])
    peak = 1.0 / np.cumprod(TAUS[:3])[:, None]
    one = [(0.0, 1.0)]
    found: dict[str, list[float]] = {"Euler": [], "Runge-Kutta 4": [], "engine": []}
    for h in steps.tolist():
        found["Euler"].append(float(np.abs((integrated(one, times, h, euler) - exact) / peak).max()))
        found["Runge-Kutta 4"].append(float(np.abs((integrated(one, times, h) - exact) / peak).max()))
        woken = engine_values(one, times, np.arange(h, 12.0, h))[1:]
        found["engine"].append(float(np.abs((woken - exact) / peak).max()))
    return found


def draw_errors(axes: Axes) -> None:
    """Deviation against the width of a step."""
    steps = np.array([1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01])
    found = errors(steps)
    for (name, values), colour, marker, place in zip(
        found.items(), (MINUS_LINE, SECONDARY, PLUS_LINE), "s^o", ((0.05, 8), (0.25, -16), (0.05, 8)), strict=True
    ):
        axes.loglog(steps, np.maximum(values, 1e-17), marker=marker, color=colour, lw=1.4, ms=4)
        at = int(np.argmin(np.abs(steps - place[0])))
        axes.annotate(name, (steps[at], max(values[at], 1e-17)), (0, place[1]), textcoords="offset points",
                      color=colour, fontsize=8.5)  # fmt: skip
    axes.set(title="Error against step width", xlabel="step, s", ylabel="of the peak", ylim=(1e-17, 10))


def draw(target: Path) -> None:
    """Write the figure."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.6), dpi=100, layout="constrained")
        axes = figure.subplots(2, 3)
        draw_sums(axes[0, 0])
        draw_response(axes[0, 1], 1, "Velocity v", "contracts/s", "area 1: every contract counts once\n○ integrated")
        draw_response(axes[0, 2], 2, "Acceleration a", "contracts/s²", "area 0; turns at 3.05 s\n○ integrated")
        draw_response(axes[1, 0], 3, "Jerk j", "contracts/s³", "area 0, first moment 0\n○ integrated")
        draw_burst(axes[1, 1])
        draw_errors(axes[1, 2])
        FigureCanvasAgg(figure).draw()
        pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    pixels.quantize(96, dither=Image.Dither.NONE).save(target, optimize=True)  # a palette: a third of the bytes


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
