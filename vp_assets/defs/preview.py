"""Pictures and tables for metadata: a day at a glance, as Markdown that the UI renders.

A picture is a PNG inside a Markdown image: resting contracts around the market, price upwards.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from vp_engine.units import NS_PER_S, ns_to_et

# Screen colours of a quantity, from nothing to much.
_SEQUENTIAL = ("#12151A", "#1B2130", "#23314E", "#2D4870", "#3C6E93", "#6CA2B0", "#D1CE95", "#F8ECB3")
_GROUND, _INK, _CASING = "#12151A", "#A9B1BD", "#0A0C10"
_WIDTH_PX, _HEIGHT_PX = 760, 240
COLUMNS = 640  # bins drawn at most
_MAX_TICKS = 400
_HALF_SCALE = 4.0  # lots; asinh is a line below it and a logarithm above
_COLOURS = 48  # of the picture: a third of the bytes, no difference to the eye


def field_image(values: np.ndarray, spot_tick: np.ndarray) -> tuple[np.ndarray, int]:
    """Rows around spot to rows of price. values (n, rows) float, NaN where invalid; spot_tick (n,) int64, -1 invalid.

    Returns the picture (ticks, n) float32 with NaN outside the grid, and the tick of its lowest row.
    """
    n, rows = values.shape
    radius = rows // 2
    valid = spot_tick >= 0
    if not valid.any():
        return np.full((rows, n), np.nan, np.float32), 0
    low, high = int(spot_tick[valid].min()), int(spot_tick[valid].max())
    middle = int(np.median(spot_tick[valid]))
    low = max(low - radius, middle - _MAX_TICKS // 2)
    high = min(high + radius, middle + _MAX_TICKS // 2)
    image = np.full((high - low + 1, n), np.nan, np.float32)
    for column in np.flatnonzero(valid):
        first = int(spot_tick[column]) - radius - low
        start, stop = max(first, 0), min(first + rows, image.shape[0])
        if start < stop:
            image[start:stop, column] = values[column, start - first : stop - first]
    return image, low


def heatmap_png(
    values: np.ndarray, spot_tick: np.ndarray, ts_ns: np.ndarray, mid: np.ndarray, tick_usd: float
) -> bytes:
    """PNG of lots (n, rows) over time with the mid price; mid (n,) dollars, 0 where invalid."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from PIL import Image

    image, low = field_image(np.arcsinh(values / _HALF_SCALE), spot_tick)
    finite = image[np.isfinite(image)]
    least, most = np.percentile(finite, (5, 99.5)) if finite.size else (0.0, 0.0)
    colours = LinearSegmentedColormap.from_list("depth", _SEQUENTIAL).with_extremes(bad=_GROUND)
    figure = Figure(figsize=(_WIDTH_PX / 100, _HEIGHT_PX / 100), dpi=100, facecolor=_GROUND)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.005, 0.1, 0.91, 0.89), facecolor=_GROUND)
    n = values.shape[0]
    span = (0.0, float(n), (low - 0.5) * tick_usd, (low + image.shape[0] - 0.5) * tick_usd)
    axes.imshow(
        image,
        aspect="auto",
        origin="lower",
        extent=span,
        cmap=colours,
        vmin=least,
        vmax=max(most, least + 1e-6),
        interpolation="nearest",
    )
    line = np.where(mid > 0, mid, np.nan)
    axes.plot(np.arange(n) + 0.5, line, color=_CASING, linewidth=2.2)
    axes.plot(np.arange(n) + 0.5, line, color="#E8EAEE", linewidth=0.9)
    axes.set_xlim(0, n)
    axes.set_ylim(span[2], span[3])
    marks = np.linspace(0, n - 1, 5).astype(int) if n > 1 else np.zeros(1, int)
    axes.set_xticks(marks + 0.5, [f"{ns_to_et(int(ts_ns[mark])):%H:%M:%S}" for mark in marks])
    axes.yaxis.tick_right()
    axes.tick_params(colors=_INK, labelsize=7, length=2, width=0.5)
    sides: tuple[Literal["left", "center", "right"], ...] = ("left", "center", "center", "center", "right")
    for label, side in zip(axes.get_xticklabels(), sides, strict=False):
        label.set_horizontalalignment(side)
    for spine in axes.spines.values():
        spine.set_visible(False)
    canvas.draw()  # type: ignore[no-untyped-call]
    target = io.BytesIO()
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    picture = Image.fromarray(pixels).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    picture.save(target, "PNG", optimize=True)
    return target.getvalue()


def image_markdown(png: bytes, alt: str) -> str:
    """A picture as a Markdown image with its bytes inside."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})"


def table_markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; floats to four significant digits, None as a dash."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def pairs_markdown(pairs: Mapping[str, Any], name: str = "counter", value: str = "value") -> str:
    """A mapping as a two-column Markdown table."""
    return table_markdown((name, value), list(pairs.items()))


def clock_span(first_ns: int, last_ns: int) -> str:
    """Two UTC times in Eastern wall time, for a person."""
    return f"{ns_to_et(first_ns):%Y-%m-%d %H:%M:%S} to {ns_to_et(last_ns):%Y-%m-%d %H:%M:%S} ET"


def elapsed(start_ns: int, end_ns: int) -> float:
    """Seconds between two ns times."""
    return (end_ns - start_ns) / NS_PER_S


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if np.isfinite(value) else "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")
