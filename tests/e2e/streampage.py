"""What tests of the stream page share: the page's own account of its map, colours, the dataset behind it."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from stage import Lake

from vp_engine.lake import Dataset, open_dataset

PALETTES = Path(__file__).parents[2] / "frontend" / "src" / "lib" / "palettes.ts"
GROUND = "#12151A"
LUT_SIZE = 512


class View(NamedTuple):
    """The map as the page tells it: camera in CSS pixels, bins and ticks; scale; first and last bin."""

    right: float
    center: float
    px_per_bin: float
    px_per_tick: float
    width: float
    height: float
    follow: bool
    scale: Mapping[str, Any]
    first: int
    last: int
    uploaded: int
    drawn: int
    received: int
    firings: list[dict[str, Any]]

    @classmethod
    def of(cls, page: Page) -> View:
        """As it is now."""
        said = json.loads(page.evaluate("JSON.stringify(vacuumPressure.view())"))
        camera = said["camera"]
        return cls(
            camera["right"],
            camera["center"],
            camera["pxPerBin"],
            camera["pxPerTick"],
            camera["width"],
            camera["height"],
            camera["follow"],
            said["scale"],
            said["first"],
            said["last"],
            said["uploaded"],
            said["drawn"],
            said["received"],
            said["firings"],
        )

    def x_of(self, seq: float) -> float:
        """Left edge of a bin."""
        return self.width + (seq - self.right) * self.px_per_bin

    def seq_at(self, x: float) -> int:
        """Bin under an x."""
        return math.floor(self.right + (x - self.width) / self.px_per_bin + 1e-9)

    def tick_at(self, y: float) -> int:
        """Tick under a y."""
        return math.floor(self.center + (self.height / 2 - y) / self.px_per_tick + 0.5)

    def middle_of(self, seq: int, tick: int) -> tuple[float, float]:
        """Middle of a cell."""
        return self.x_of(seq + 0.5), self.height / 2 - (tick - self.center) * self.px_per_tick


def dataset_of(lake: Lake) -> Dataset:
    """The one dataset of the small lake."""
    folder = next((lake.root / "research" / "vp_immutable").glob("*__*"))
    return open_dataset(lake.root, folder.name)


class Held(NamedTuple):
    """A dataset with the fields that were asked for kept in memory, (n_bins, rows) each."""

    dataset: Dataset
    spot_tick: np.ndarray
    fields: dict[str, np.ndarray]

    @classmethod
    def of(cls, dataset: Dataset) -> Held:
        """All of it by bin, nothing by cell yet."""
        return cls(dataset, dataset.bins["spot_ref_price_int"] // dataset.config.tick_int, {})

    def all(self, field: str) -> np.ndarray:
        """A field of all cells."""
        if field not in self.fields:
            self.fields[field] = np.asarray(self.dataset[field])
        return self.fields[field]

    def at(self, field: str, seq: int, tick: int) -> float:
        """A field of one cell by absolute tick."""
        values = self.all(field)
        return float(values[seq, tick - int(self.spot_tick[seq]) + values.shape[1] // 2])

    def shown(self, layer: str, seq: int, tick: int) -> float:
        """What a layer shows of one cell."""
        if layer == "pv":
            return self.at("pressure_variant", seq, tick) - self.at("vacuum_variant", seq, tick)
        return self.at({"depth": "rest_depth", "add": "v_add", "composite": "composite"}[layer], seq, tick)


@contextlib.contextmanager
def quiet_page(browser: Browser, width: int = 1440, height: int = 900) -> Iterator[Page]:
    """A page of its own that must end without errors."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def expect_live(page: Page, bins: int) -> None:
    """Wait until the page holds that many bins."""
    page.wait_for_function("n => window.vacuumPressure && vacuumPressure.view().last >= n", arg=bins)


def next_frame(page: Page) -> None:
    """Wait until a frame was drawn after all that was asked before."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function(  # a page at rest draws no more than it was asked for
        "n => vacuumPressure.view().settled || vacuumPressure.view().drawn > n + 1", arg=View.of(page).drawn
    )


def settle(page: Page) -> None:
    """Wait until what was asked of the page is drawn and nothing moves by itself any more."""
    page.wait_for_function("vacuumPressure.view().settled")


def cells_in(view: View, data: Held, n: int) -> list[tuple[int, int]]:
    """Cells of the view, spread over bins and ticks around spot."""
    first, last = view.seq_at(80), view.last
    seqs = np.linspace(max(view.first, first) + 2, last - 1, n).astype(int)
    return [
        (int(seq), int(data.spot_tick[seq]) + offset)
        for seq, offset in zip(seqs, np.resize([-7, -2, 1, 4, 9], n), strict=True)
    ]


def pixels(page: Page, of: str = ".map") -> np.ndarray:
    """The map, or another part of the page, as it is on screen, RGB."""
    return np.asarray(Image.open(io.BytesIO(page.locator(of).screenshot())).convert("RGB")).astype(int)


def nearest(shot: np.ndarray, x: float, y: float, colour: tuple[int, int, int], reach: int) -> int:
    """How far from a colour the likest pixel within `reach` of a place is."""
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    around = shot[top : int(y) + reach + 1, left : int(x) + reach + 1]
    return int(np.abs(around - colour).max(axis=2).min())


def assert_colours(page: Page, data: Held, layer: str) -> None:
    """Two dozen cells of a map without strokes have the colours of their values in the dataset."""
    view, shot = View.of(page), pixels(page)
    stops = palette_stops(diverging=bool(view.scale["diverging"]))
    distinct = set()
    for seq, tick in cells_in(view, data, 24):
        x, y = view.middle_of(seq, tick)
        if not (4 < x < view.width - 4 and 44 < y < view.height - 4):  # the notice is at the top
            continue
        expected = stops[round(511 * scale_position(data.shown(layer, seq, tick), view.scale))]
        seen = shot[int(y), int(x)]
        # One step of the table either way: the card computes in float32. The grid lines over the map add up to 5 %.
        assert np.abs(seen - expected).max() <= 14, f"{layer} at bin {seq}, tick {tick}: {seen}, wanted {expected}"
        distinct.add(tuple(int(part) for part in expected))
    assert len(distinct) >= 4, "the cells that were compared all look the same"


@contextlib.contextmanager
def bare_map(browser: Browser, address: str, bins: int) -> Iterator[Page]:
    """A page of a stream that is paused once it holds so many bins, zoomed in, without strokes over the map."""
    with quiet_page(browser) as page:
        parts = ("quotes", "trades", "firings", "projection", "numerals", "key", "panel")
        shown = ",".join(f'"{part}":false' for part in parts)
        page.add_init_script(
            f"localStorage.getItem('vp_view') ?? localStorage.setItem('vp_view', '{{\"show\":{{{shown}}}}}')"
        )
        page.goto(address)
        expect_live(page, bins)
        page.keyboard.press("Space")
        expect(page.locator(".notice")).to_contain_text("Paused")
        for _ in range(6):
            page.keyboard.press("+")
        page.keyboard.press("f")
        yield page


def scale_position(value: float, scale: Mapping[str, Any]) -> float:
    """Place of a value on its palette, 0 to 1: linear or asinh(x / x0), signed around the middle or from lo to hi."""

    def warp(x: float) -> float:
        return math.asinh(x / scale["x0"]) if scale["log"] else x

    top = warp(scale["hi"])
    bottom = -top if scale["diverging"] else warp(scale["lo"])
    return min(1.0, max(0.0, (warp(value) - bottom) / (top - bottom)))


def palette_stops(*, diverging: bool) -> np.ndarray:
    """(512, 3) RGB of the first palette in the dark theme, interpolated in OKLab from the stops in the source."""
    kind = "diverging" if diverging else "sequential"
    source = PALETTES.read_text().split('id: "blue-orange"')[1]
    listed = re.search(rf"{kind}: \[(.*?)\]", source, re.DOTALL)
    assert listed
    stops = re.findall(r"#[0-9A-F]{6}|GROUND", listed[1])
    rgb = np.array([_rgb(GROUND if stop == "GROUND" else stop) for stop in stops])
    lab = np.cbrt(_linear(rgb) @ _TO_LMS.T) @ _TO_LAB.T
    at = np.linspace(0, len(stops) - 1, LUT_SIZE)
    mixed = np.stack([np.interp(at, np.arange(len(stops)), lab[:, i]) for i in range(3)], axis=1)
    linear = np.clip((mixed @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T, 0, 1)
    return np.round(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


# Björn Ottosson, "A perceptual color space for image processing" (2020).
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
    ]
)


def _rgb(stop: str) -> list[float]:
    return [int(stop[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _linear(rgb: np.ndarray) -> np.ndarray:
    linear: np.ndarray = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear
