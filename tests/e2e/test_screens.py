"""The stream page in real Chromium against the real service: what is streamed is drawn."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from stage import Lake, free_port, promoted, service

pytestmark = pytest.mark.e2e

GROUND = np.array([0x12, 0x15, 0x1A])
OVERFLOWING = """() => {
  const right = (node) => node.getBoundingClientRect().right;
  return [...document.querySelectorAll('.topbar > *, .tools > *, .transport > *, .filters > *')]
    .filter((node) => node.getBoundingClientRect().width > 0 && right(node) > right(node.parentElement) + 1)
    .map((node) => node.className);
}"""
OPENS = (9 * 60 + 30) * 600  # the capture's start, in tenths of a second of the day
CLOCK = re.compile(r"\d\d:\d\d:\d\d")


def tenths(page: Page) -> int:
    """The page's exchange clock in tenths of a second."""
    text = page.inner_text(".clock").replace("\n", "")
    found = re.search(r"(\d\d):(\d\d):(\d\d)\.(\d)", text)
    assert found, f"the clock shows {text!r}"
    hours, minutes, seconds, tenth = map(int, found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 10 + tenth


def wait_past(page: Page, start: int, by: int) -> int:
    """Until the clock stands `by` tenths past a reading; the reading then."""
    for _ in range(300):
        now = tenths(page)
        if now >= start + by:
            return now
        page.wait_for_timeout(100)
    raise AssertionError(f"the clock stood at {tenths(page)}, wanted {start + by}")


def map_pixels(page: Page, width: int) -> np.ndarray:
    """RGB of the last `width` columns of the history, overlay included."""
    box = page.locator("canvas.gl").bounding_box()
    assert box
    clip = {"x": box["x"] + box["width"] - width, "y": box["y"] + 60, "width": width - 4, "height": box["height"] - 120}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)


def coloured_share(pixels: np.ndarray) -> float:
    """Share of pixels whose colour is far from grey: only the field has colour."""
    return float((pixels.max(axis=2) - pixels.min(axis=2) > 24).mean())


def test_stream_is_drawn_and_the_clock_advances(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=5")
    expect(page.locator(".clock")).to_contain_text(CLOCK)
    first = tenths(page)
    later = wait_past(page, first, 130)
    assert later > first
    page.keyboard.press("Space")
    expect(page.locator(".notice")).to_contain_text("Paused")
    page.wait_for_timeout(500)
    pixels = map_pixels(page, 120)
    assert coloured_share(pixels) > 0.05, "the heatmap is blank"
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 64, "the heatmap has almost no colours"
    # Nothing is drawn where there is no bin yet: 1 px is one bin, and the map is held still to look.
    box = page.locator("canvas.gl").bounding_box()
    assert box
    bins = tenths(page) - OPENS
    if bins < box["width"] - 120:
        clip = {"x": box["x"] + 20, "y": box["y"] + 80, "width": 60, "height": 40}
        empty = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)
        assert np.abs(empty - GROUND).max() < 24


def test_readings_follow_the_stream(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=10")
    expect(page.get_by_label("State-model score")).to_have_text(re.compile(r"^[+−]?\d\.\d\d$"))
    expect(page.get_by_label("Signal value")).to_have_text(re.compile(r"^[+−]?\d\.\d\d$"))
    derivatives = page.get_by_label("Derivatives").inner_text()
    assert len(re.findall(r"[+−]?\d+\.\d", derivatives)) >= 6
    expect(page.locator(".state.on")).to_have_count(1)
    expect(page.locator(".topbar")).to_contain_text("MNQH6")
    expect(page.locator(".topbar")).to_contain_text("Fri 6 Feb 2026")
    expect(page.locator(".label.tag.spot:visible")).to_have_text(re.compile(r"^\d{5}\.\d\d$"))
    expect(page.locator(".health")).to_contain_text(re.compile(r"Bins/s\s*\d"))


def test_layers_and_crosshair(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=10")
    wait_past(page, tenths_when_running(page), 60)
    before = map_pixels(page, 60)
    page.get_by_role("button", name="Depth").click()
    expect(page.locator(".legend")).to_contain_text("Resting depth, lots")
    page.wait_for_timeout(600)
    assert np.abs(map_pixels(page, 60) - before).mean() > 8, "another layer looks the same"
    page.get_by_label("All fields").select_option("j_add")
    expect(page.locator(".legend")).to_contain_text("lots/s³")
    box = page.locator(".field").bounding_box()
    gl = page.locator("canvas.gl").bounding_box()
    assert box
    assert gl
    page.mouse.move(gl["x"] + gl["width"] - 20, box["y"] + box["height"] / 2)
    expect(page.locator(".tooltip")).to_contain_text("Pressure")
    expect(page.locator(".tooltip")).to_contain_text(re.compile(r"bin \d+"))


def tenths_when_running(page: Page) -> int:
    """The clock, once it runs."""
    expect(page.locator(".clock")).to_contain_text(CLOCK)
    return tenths(page)


def test_pause_holds_the_clock(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=2")
    wait_past(page, tenths_when_running(page), 10)
    page.keyboard.press("Space")
    expect(page.locator(".notice")).to_contain_text("Paused")
    page.wait_for_timeout(500)
    held = tenths(page)
    page.wait_for_timeout(800)
    assert tenths(page) == held
    page.keyboard.press("Space")
    wait_past(page, held, 5)


def test_the_end_is_said(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=0")
    expect(page.locator(".notice")).to_contain_text("Replay ended", timeout=90_000)
    expect(page.locator(".notice")).to_contain_text("1,200 bins")
    assert tenths(page) == (9 * 60 + 32) * 600


def test_without_parameters_the_promoted_spec_is_streamed(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator(".topbar")).to_contain_text(promoted(url))
    tenths_when_running(page)


def test_an_unknown_name_is_refused_with_a_reason(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving=nobody")
    card = page.get_by_role("alert")
    expect(card).to_contain_text("nobody")
    expect(card).to_contain_text("1008")
    expect(card.get_by_role("link", name=re.compile("MNQH6"))).to_be_visible()


class TestLostService:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return ["ERR_CONNECTION_REFUSED", "WebSocket connection", "ERR_CONNECTION_RESET"]

    def test_the_map_waits_and_goes_on(self, page: Page, lake: Lake) -> None:
        port = free_port()
        with service(lake, port) as address:
            page.goto(f"{address}/vacuum-pressure.html?serving={promoted(address)}&speed=2")
            wait_past(page, tenths_when_running(page), 20)
        expect(page.locator(".plot-overlay")).to_contain_text(re.compile("Connection lost|No service answers"))
        held = tenths(page)
        with service(lake, port):
            resumed = wait_past(page, held, 5)
            assert resumed - held < 300, "the stream began anew"


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (1920, 1080)])
def test_the_page_fits_the_window(page: Page, url: str, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}")
    page.wait_for_timeout(500)
    wide, tall = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert (wide, tall) <= size
    outside = page.evaluate(OVERFLOWING)
    assert outside == []
