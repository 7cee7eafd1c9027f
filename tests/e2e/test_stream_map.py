"""The map against the data: a cell's colour is scale(value), the crosshair says what the dataset holds."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from stage import Lake
from streampage import Held, View, dataset_of, expect_live, palette_stops, quiet_page, scale_position

pytestmark = pytest.mark.e2e

TOLD = {"Pressure": "pressure_variant", "Vacuum": "vacuum_variant", "Add": "v_add", "Pull": "v_pull"}
GRID = {"depth": "rest_depth", "add": "v_add", "composite": "composite"}


@pytest.fixture(scope="module")
def data(lake: Lake) -> Held:
    """What is streamed, as it lies in the lake."""
    return Held.of(dataset_of(lake))


@pytest.fixture(scope="module")
def held(browser: Browser, url: str, data: Held) -> Iterator[Page]:
    """A page that holds the first ten seconds or more, paused, without strokes over the map."""
    with quiet_page(browser) as page:
        parts = ("quotes", "trades", "firings", "projection", "numerals", "key", "panel")
        shown = ",".join(f'"{part}":false' for part in parts)
        page.add_init_script(f"localStorage.setItem('vp_view', '{{\"show\":{{{shown}}}}}')")
        page.goto(f"{url}/vacuum-pressure.html?dataset={data.dataset.dataset_id}&speed=10")
        expect_live(page, bins=150)
        page.keyboard.press("Space")
        expect(page.locator(".notice")).to_contain_text("Paused")
        for _ in range(6):
            page.keyboard.press("+")
        page.keyboard.press("f")
        yield page


def cells_in(view: View, data: Held, n: int) -> list[tuple[int, int]]:
    """Cells of the view, spread over bins and ticks around spot."""
    first, last = view.seq_at(80), view.last
    seqs = np.linspace(max(view.first, first) + 2, last - 1, n).astype(int)
    return [
        (int(seq), int(data.spot_tick[seq]) + offset)
        for seq, offset in zip(seqs, np.resize([-7, -2, 1, 4, 9], n), strict=True)
    ]


def pixels(page: Page) -> np.ndarray:
    """The map as it is on screen, RGB."""
    return np.asarray(Image.open(io.BytesIO(page.locator("canvas.gl").screenshot())).convert("RGB")).astype(int)


@pytest.mark.parametrize("layer", ["pv", "depth", "add", "composite"])
@pytest.mark.parametrize("log", [True, False])
def test_a_cell_has_the_colour_of_its_value(held: Page, data: Held, layer: str, log: bool) -> None:
    held.mouse.move(5, 5)
    held.get_by_role("group", name="Layer").get_by_role("button").nth(
        ["pv", "composite", "flow", "depth", "add"].index(layer)
    ).click()
    held.get_by_role("button", name="Log" if log else "Lin", exact=True).click()
    held.mouse.move(5, 5)
    held.wait_for_timeout(1500)  # the range eases for a second
    view, shot = View.of(held), pixels(held)
    stops = palette_stops(diverging=bool(view.scale["diverging"]))
    distinct = set()
    for seq, tick in cells_in(view, data, 24):
        x, y = view.middle_of(seq, tick)
        if not (4 < x < view.width - 4 and 44 < y < view.height - 4):  # the notice is at the top
            continue
        value = (
            data.at("pressure_variant", seq, tick) - data.at("vacuum_variant", seq, tick)
            if layer == "pv"
            else data.at(GRID[layer], seq, tick)
        )
        expected = stops[round(511 * scale_position(value, view.scale))]
        seen = shot[int(y), int(x)]
        # One step of the table either way: the card computes in float32. The grid lines over the map add up to 5 %.
        assert np.abs(seen - expected).max() <= 14, f"{layer} at bin {seq}, tick {tick}: {seen}, wanted {expected}"
        distinct.add(tuple(int(part) for part in expected))
    assert len(distinct) >= 4, "the cells that were compared all look the same"


def test_the_crosshair_reads_the_dataset(held: Page, data: Held) -> None:
    held.keyboard.press("1")
    box = held.locator("canvas.gl").bounding_box()
    assert box
    view = View.of(held)
    for seq, tick in cells_in(view, data, 5):
        x, y = view.middle_of(seq, tick)
        held.mouse.move(box["x"] + x, box["y"] + y)
        tip = held.locator(".tooltip")
        expect(tip).to_contain_text(f"bin {seq}")
        price = tick * data.dataset.config.tick_size
        expect(tip).to_contain_text(f"{price:.2f}")
        expect(held.locator(".label.tag.cross:visible").first).to_have_text(f"{price:.2f}")
        said = tip.inner_text().replace("−", "-")
        lots = data.at("rest_depth", seq, tick)
        for label, field in (
            ("Pressure", "pressure_variant"),
            ("Vacuum", "vacuum_variant"),
            ("Add", "v_add"),
            ("Pull", "v_pull"),
        ):
            found = re.search(rf"{label}\s+(-?[\d.]+)", said)
            assert found, said
            assert float(found[1]) == pytest.approx(data.at(field, seq, tick), abs=0.051)
        found = re.search(r"depth\s+(\d+)", said, re.IGNORECASE)
        assert found, said
        assert int(found[1]) == round(lots)


def test_the_wheel_keeps_the_cell_under_the_pointer(held: Page) -> None:
    box = held.locator("canvas.gl").bounding_box()
    assert box
    x, y = box["width"] * 0.7, box["height"] * 0.4
    held.mouse.move(box["x"] + x, box["y"] + y)
    held.wait_for_timeout(200)

    def under() -> tuple[int, int]:
        view = View.of(held)
        return view.seq_at(x), view.tick_at(y)

    start, zoom = under(), View.of(held).px_per_bin
    for delta, shift in ((240, False), (-600, False), (-300, True), (500, True)):
        if shift:
            held.keyboard.down("Shift")
        held.mouse.wheel(0, delta)
        if shift:
            held.keyboard.up("Shift")
        held.wait_for_timeout(150)
        seq, tick = under()
        assert abs(seq - start[0]) <= 1
        assert tick == start[1]
    assert View.of(held).px_per_bin > 1.5 * zoom
    held.locator("canvas.ink").dblclick(position={"x": 300, "y": 300})
    held.wait_for_timeout(150)
    view = View.of(held)
    assert view.follow
    assert view.x_of(view.last + 1) == pytest.approx(view.width)


def test_a_pixel_of_several_bins_shows_the_largest(held: Page, data: Held) -> None:
    held.keyboard.press("5")
    held.keyboard.press("f")
    for _ in range(40):
        if View.of(held).px_per_bin < 0.3:
            break
        held.keyboard.press("-")
        held.wait_for_timeout(30)
    held.mouse.move(5, 5)
    held.wait_for_timeout(1500)
    view, shot = View.of(held), pixels(held)
    pooled = int(np.ceil(1 / view.px_per_bin - 1e-3))
    assert pooled >= 4
    stops = palette_stops(diverging=False)
    compared = 0
    for seq in range(max(view.first, 4), view.last - 2 * pooled, 3 * pooled):
        tick = int(data.spot_tick[seq]) - 3
        x, y = view.middle_of(seq, tick)
        shown = view.seq_at(int(x) + 0.5)
        start = shown // pooled * pooled
        values = [data.at("v_add", at, tick) for at in range(start, start + pooled)]
        expected = stops[round(511 * scale_position(max(values), view.scale))]
        if 44 < y < view.height - 4 and 4 < x < view.width - 4:
            assert np.abs(shot[int(y), int(x)] - expected).max() <= 14
            compared += 1
    assert compared >= 3


def test_uploads_are_of_what_changed(held: Page) -> None:
    before = View.of(held)
    held.keyboard.press("Space")
    held.wait_for_function("n => vacuumPressure.view().last >= n + 30", arg=before.last)
    held.keyboard.press("Space")
    held.wait_for_timeout(300)
    after = View.of(held)
    # One column of the ring a bin and the coarse one it falls in; never the whole ring again.
    assert after.uploaded - before.uploaded <= 2 * (after.last - before.last) + 8


def test_the_session_bar_knows_the_whole_capture(held: Page, url: str, data: Held) -> None:
    told = httpx.get(
        f"{url}/v1/datasets/{data.dataset.dataset_id}/overview?points=720", trust_env=False, timeout=30
    ).json()
    assert told["n_bins"] == data.dataset.n_bins
    bar = held.get_by_role("slider", name="Session")
    assert bar.get_attribute("aria-valuemax") == str(data.dataset.n_bins - 1)
    shot = np.asarray(Image.open(io.BytesIO(bar.screenshot())).convert("RGB")).astype(int)
    right = shot[4:-24, int(shot.shape[1] * 0.8) : -8]
    assert (right.max(axis=2) - right.min(axis=2) < 40).all()
    assert right.max() > 90, "nothing is drawn after now"
