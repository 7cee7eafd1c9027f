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
from streampage import (
    Held,
    View,
    assert_colours,
    bare_map,
    cells_in,
    dataset_of,
    nearest,
    next_frame,
    palette_stops,
    pixels,
    scale_position,
    settle,
)

pytestmark = pytest.mark.e2e

LAYERS = ("pv", "composite", "flow", "depth", "add")  # in the order of their buttons


@pytest.fixture(scope="module")
def data(lake: Lake) -> Held:
    """What is streamed, as it lies in the lake."""
    return Held.of(dataset_of(lake))


@pytest.fixture(scope="module")
def held(browser: Browser, url: str, data: Held) -> Iterator[Page]:
    """A page that holds the first ten seconds or more, paused, without strokes over the map."""
    address = f"{url}/vacuum-pressure.html?dataset={data.dataset.dataset_id}&speed=10"
    with bare_map(browser, address, bins=150) as page:
        yield page


@pytest.mark.parametrize("layer", ["pv", "depth", "add", "composite"])
@pytest.mark.parametrize("log", [True, False])
def test_a_cell_has_the_colour_of_its_value(held: Page, data: Held, layer: str, log: bool) -> None:
    held.get_by_role("group", name="Layer").get_by_role("button").nth(LAYERS.index(layer)).click()
    held.get_by_role("button", name="Log" if log else "Lin", exact=True).click()
    held.mouse.move(5, 5)
    settle(held)  # the range eases for a second
    assert_colours(held, data, layer)


def test_the_crosshair_reads_the_dataset(held: Page, data: Held) -> None:
    held.keyboard.press("1")
    box = held.locator(".map").bounding_box()
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
    box = held.locator(".map").bounding_box()
    assert box
    x, y = box["width"] * 0.7, box["height"] * 0.4
    held.mouse.move(box["x"] + x, box["y"] + y)

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
        next_frame(held)
        seq, tick = under()
        assert abs(seq - start[0]) <= 1
        assert tick == start[1]
    assert View.of(held).px_per_bin > 1.5 * zoom
    held.locator("canvas.ink").dblclick(position={"x": 300, "y": 300})
    next_frame(held)
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
    held.mouse.move(5, 5)
    settle(held)
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
    held.wait_for_timeout(200)  # what is under way still comes
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


def test_every_field_can_be_shown_and_looks_like_itself(held: Page) -> None:
    for _ in range(40):
        if View.of(held).px_per_bin > 2:
            break
        held.keyboard.press("+")
    held.keyboard.press("f")
    settle(held)
    before = pixels(held)
    held.keyboard.press("a")
    held.get_by_role("menuitemradio", name="j_add", exact=True).click()
    expect(held.locator(".legend")).to_contain_text("lots/s³")
    settle(held)
    after, view = pixels(held), View.of(held)
    drawn = int(max(0, view.x_of(view.first))) + 4
    assert np.abs(after - before)[:, drawn:].mean() > 8, "another layer looks the same"
    assert len(np.unique(after[:, drawn:].reshape(-1, 3), axis=0)) > 64, "the heatmap has almost no colours"
    # Where there is no bin yet there is ground.
    assert drawn > 60, "no room was left to look at"
    assert np.abs(after[60:-60, 4 : drawn - 12] - [0x12, 0x15, 0x1A]).max() < 24


def test_a_drag_moves_the_map_with_the_pointer(held: Page) -> None:
    box = held.locator(".map").bounding_box()
    assert box
    x, y = box["width"] * 0.6, box["height"] * 0.5
    view = View.of(held)
    start = view.seq_at(x), view.tick_at(y)
    held.mouse.move(box["x"] + x, box["y"] + y)
    held.mouse.down()
    held.mouse.move(box["x"] + x + 90, box["y"] + y - 45, steps=3)
    held.mouse.up()
    view = View.of(held)
    assert (view.seq_at(x + 90), view.tick_at(y - 45)) == start
    assert not view.follow
    held.get_by_role("button", name="Now").click()
    assert View.of(held).follow


def show(page: Page, part: str) -> None:
    """Show or hide a part of the map."""
    page.keyboard.press("v")
    page.get_by_role("dialog", name="View").get_by_text(part, exact=True).click()
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    settle(page)


def test_quotes_trades_and_depth_lie_at_their_prices(held: Page, data: Held) -> None:
    for _ in range(30):
        if View.of(held).px_per_bin > 10:
            break
        held.keyboard.press("+")
    held.keyboard.press("f")
    show(held, "Quotes")
    view, shot = View.of(held), pixels(held)
    tick_int = data.dataset.config.tick_int
    bins = data.dataset.bins
    seen = range(view.seq_at(20), view.last - 1)
    for side, colour in (("bid", (0xBF, 0xE3, 0xF9)), ("ask", (0xF9, 0xDA, 0xB0))):
        for seq in seen:
            x, y = view.middle_of(seq, int(bins[f"best_{side}_price_int"][seq]) // tick_int)
            if 44 < y < view.height - 4:
                assert nearest(shot, x, y, colour, 1) < 40, f"no {side} at bin {seq}"
    show(held, "Quotes")

    show(held, "Trades")
    shot, found = pixels(held), 0
    one_sided = [seq for seq in seen if (bins["buy_volume"][seq] > 0) != (bins["sell_volume"][seq] > 0)]
    largest = sorted(one_sided, key=lambda seq: -int(bins["buy_volume"][seq] + bins["sell_volume"][seq]))[:5]
    for seq in largest:
        bought = bins["buy_volume"][seq] > 0
        fills = data.all("fill_size")[seq]
        tick = int(np.argmax(fills)) - len(fills) // 2 + int(data.spot_tick[seq])
        y = view.middle_of(seq, tick)[1]
        # Fills of one side at one price within 300 ms are one bubble, in their middle.
        left, right = (max(0, int(view.x_of(seq + by))) for by in (-2, 3))
        row = shot[int(y) - 3 : int(y) + 4, left:right]
        found += int(np.abs(row - ((0xC4, 0xE7, 0xFB) if bought else (0xFB, 0xDD, 0xB4))).max(axis=2).min()) < 12
    assert found >= 4, f"of the trades of bins {largest} only {found} are drawn"
    show(held, "Trades")

    show(held, "Depth in numbers")
    box = held.locator(".map").bounding_box()
    assert box
    numerals = held.locator(".label.lots:not(.sum):visible")
    told = numerals.evaluate_all("nodes => nodes.map(n => [n.getBoundingClientRect(), n.textContent])")
    assert len(told) > 20
    for place, text in told:
        tick = view.tick_at(place["y"] + place["height"] / 2 - box["y"])
        assert int(text.replace(",", "")) == round(data.at("rest_depth", view.last, tick)), f"tick {tick}"
    show(held, "Depth in numbers")
