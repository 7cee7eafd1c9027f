"""The states a stream page can be in, each reached for real and kept as a picture in test-results/screens."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from stage import keep, promoted
from streampage import View, expect_live

pytestmark = pytest.mark.e2e

STREAM = re.compile(r"/v1/vacuum-pressure/stream")


def open_stream(page: Page, url: str, query: str) -> None:
    """The promoted spec's stream with this query."""
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&{query}")


def test_connecting(page: Page, url: str) -> None:
    page.route_web_socket(STREAM, lambda _: None)  # accepted, and never a word
    open_stream(page, url, "speed=1")
    expect(page.locator(".card")).to_contain_text("Connecting")
    keep(page, "stream-connecting")


def test_warming_up(page: Page, url: str) -> None:
    open_stream(page, url, "speed=1")
    expect(page.locator(".warming")).to_contain_text(re.compile(r"[1-9]\d of \d+"))
    keep(page, "stream-warming")


def test_paused_in_both_themes_and_live(page: Page, url: str) -> None:
    open_stream(page, url, "speed=30")
    expect_live(page, 500)
    page.keyboard.press("Space")
    page.get_by_role("button", name="1×", exact=True).click()
    expect(page.locator(".notice")).to_contain_text("Paused")
    box = page.locator(".field").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    expect(page.locator(".tooltip")).to_be_visible()
    keep(page, "stream-paused")
    page.keyboard.press("4")
    expect(page.locator(".legend")).to_contain_text("Resting depth")
    keep(page, "stream-depth")
    page.keyboard.press("1")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator(".legend")).to_contain_text("Pressure")
    keep(page, "stream-light")
    page.keyboard.press("t")
    page.keyboard.press("t")
    page.mouse.move(5, 5)
    page.keyboard.press("Space")
    expect(page.locator(".notice")).to_have_count(0)
    expect_live(page, View.of(page).last + 5)
    keep(page, "stream")
    page.keyboard.press("w")
    page.keyboard.press("v")
    expect(page.get_by_role("dialog", name="View")).to_be_visible()
    keep(page, "stream-whole-and-view")


def test_lagging_and_an_invalid_book_show_their_gaps(page: Page, url: str) -> None:
    lost, last = 12, 160
    bins = {"seen": 0, "left_out": 0}

    def through(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            """Every bin but a dozen, which the next one counts, as a service does whose client lags; some without a
            valid book; then silence."""
            if isinstance(message, str) and '"grid_update"' in message:
                bins["seen"] += 1
            if bins["seen"] > last:
                return
            if 110 < bins["seen"] <= 140 and isinstance(message, str):
                message = json.dumps(json.loads(message) | {"book_valid": False})
            gone = 60 < bins["seen"] <= 60 + lost
            if gone:
                bins["left_out"] += isinstance(message, str)
                return
            if isinstance(message, str) and bins["seen"] == 61 + lost:
                message = json.dumps({**json.loads(message), "dropped": lost})
            socket.send(message)

        server.on_message(pass_on)
        server.on_close(lambda *_: None)  # the page is left with what it has

    page.route_web_socket(STREAM, through)
    open_stream(page, url, "speed=0")  # at this speed the service itself drops nothing
    expect(page.locator(".notice")).to_contain_text(f"{lost} bins dropped", timeout=60_000)
    expect(page.locator(".clock")).to_contain_text("09:30:16")
    expect(page.locator(".label.chip.warn:visible")).to_have_text(f"{lost} bins dropped")
    expect(page.locator(".label.chip.error:visible")).to_have_text("book invalid")
    assert " 0.000" not in page.get_by_role("region", name="Recent firings").inner_text(), "a mid of no valid book"
    keep(page, "stream-lagging")
    expect(page.locator(".health")).to_contain_text(f"{lost} bins")
    assert bins["left_out"] == lost


def test_refused(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?dt=2026-02-09&start_time=09:30")
    expect(page.get_by_role("alert")).to_contain_text("no raw data", ignore_case=True)
    keep(page, "stream-refused")
