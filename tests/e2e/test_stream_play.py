"""Playing: pause, step, seek and speed do what they say, firings are those of the evaluation, faults are survived."""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from stage import Lake, free_port, keep, promoted, service
from streampage import View, dataset_of, expect_live, nearest, next_frame, palette_stops, pixels, settle

from vp_engine.evaluation.analysis import horizon_errors, later
from vp_engine.specs import build_config_with_overrides
from vp_engine.spectrum.scoring import score_dataset
from vp_serving.client import Bin, replay

pytestmark = pytest.mark.e2e

HOLD_MS = 250  # at every speed that is tested a bin would come within it
SEEK_MS = 90_000  # a seek takes a second; on a machine that does much else, what it takes

# A pixel of the session bar is a bin or two.
NEAR = """n => Math.abs(vacuumPressure.view().last - n) <= 4
    && /Paused/.test(document.querySelector('.notice')?.textContent)"""


def last(page: Page) -> int:
    """Latest bin on the map."""
    return View.of(page).last


def zoom_in(page: Page, times: int) -> None:
    """Fewer bins on the map: a seek has fewer to fetch."""
    for _ in range(times):
        page.keyboard.press("+")


def test_pause_step_seek_and_speed(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=10")
    expect_live(page, 60)
    zoom_in(page, 10)
    page.keyboard.press("Space")
    expect(page.locator(".notice")).to_contain_text("Paused")
    page.wait_for_timeout(HOLD_MS)
    held = last(page)
    page.wait_for_timeout(HOLD_MS)
    assert last(page) == held

    # A step while paused shows exactly one bin more.
    page.keyboard.press("ArrowRight")
    page.wait_for_function("n => vacuumPressure.view().last === n", arg=held + 1)
    page.wait_for_timeout(HOLD_MS)
    assert last(page) == held + 1

    # A seek ahead while paused comes to rest on its bin, with the map before it.
    page.keyboard.press(".")
    page.wait_for_function("n => vacuumPressure.view().last === n", arg=held + 301, timeout=SEEK_MS)
    expect(page.locator(".notice")).to_contain_text("Paused")
    page.wait_for_timeout(HOLD_MS)
    view = View.of(page)
    assert (view.first, view.last) == (0, held + 301)
    assert page.locator(".label.chip.warn:visible").count() == 0
    assert view.follow

    # The session bar goes where it is clicked, backwards too.
    bar = page.get_by_role("slider", name="Session").bounding_box()
    assert bar
    page.mouse.click(bar["x"] + bar["width"] * 0.1, bar["y"] + 20)
    page.wait_for_function(NEAR, arg=120, timeout=SEEK_MS)
    page.wait_for_timeout(HOLD_MS)
    page.mouse.move(5, 5)

    # Speed: twice the pace is twice the bins, within what a busy machine lets through.
    page.get_by_role("button", name="2×", exact=True).click()
    page.keyboard.press("Space")
    page.wait_for_function("vacuumPressure.view().last > 128")
    start, at = last(page), page.evaluate("performance.now()")
    page.wait_for_timeout(2000)
    passed = (page.evaluate("performance.now()") - at) / 1000
    assert 0.5 < (last(page) - start) / (20 * passed) < 1.5
    page.keyboard.press(">")
    expect(page.get_by_role("button", name="10×", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_seek_into_the_unseen_arrives_with_its_past(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=1")
    expect_live(page, 3)
    zoom_in(page, 7)
    page.keyboard.press("Space")
    bar = page.get_by_role("slider", name="Session").bounding_box()
    assert bar
    page.mouse.click(bar["x"] + bar["width"] * 0.9, bar["y"] + 20)
    page.wait_for_function(NEAR, arg=1080, timeout=SEEK_MS)
    view = View.of(page)
    assert view.received >= view.width / view.px_per_bin, "the map before the target is not full"
    assert page.locator(".label.chip:visible").count() == 0


def test_the_signal_fires_at_the_bins_of_its_evaluation(page: Page, url: str) -> None:
    runs = httpx.get(f"{url}/v1/experiments/runs?min_signals=1&top_n=1", trust_env=False, timeout=30).json()["runs"]
    run = runs[0]
    page.goto(f"{url}/vacuum-pressure.html?run_id={run['run_id']}&threshold={run['threshold']}&speed=0")
    expect(page.locator(".notice")).to_contain_text("Replay ended", timeout=60_000)
    address = f"{url}/v1/experiments/runs/{run['run_id']}/trades?threshold={run['threshold']}"
    trades = httpx.get(address, trust_env=False, timeout=30).json()
    fired = {firing["seq"]: firing["direction"] for firing in View.of(page).firings}
    judged = dict(zip(trades["fire_bin"], trades["direction"], strict=True))
    assert judged
    # Every trade was fired at its bin; what fired besides came too late in the capture to be held to its end.
    assert {seq: fired.get(seq) for seq in judged} == judged
    assert set(fired) >= set(judged)
    assert all(seq > max(judged) for seq in set(fired) - set(judged))


def test_at_the_end_the_projection_is_judged_as_vp_analyze_does(page: Page, url: str, lake: Lake) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=0")
    expect(page.locator(".notice")).to_contain_text("Replay ended", timeout=60_000)
    expect(page.locator(".notice")).to_contain_text("1,200 bins")
    expect(page.locator(".clock")).to_contain_text(re.compile(r"09:32:00\s*\.0"))
    settle(page)
    keep(page, "stream-ended")
    data = dataset_of(lake)
    config = build_config_with_overrides(data.config, {"zscore_min_periods": 30})
    parts = list(score_dataset(config, data.blocks()))
    valid = data.bins["book_valid"] != 0
    spot = (data.bins["spot_ref_price_int"] // config.tick_int)[valid]
    score = np.concatenate([part.flow_score for part in parts])[valid]
    said = page.locator(".zone-head").get_attribute("title") or ""
    horizons = zip(config.projection_horizons_bins, config.projection_horizons_ms, strict=True)
    for at, (bins, ms) in enumerate(horizons):
        projected = np.concatenate([part.projections[at] for part in parts])[valid]
        skill = horizon_errors(projected, score, later(score, spot, bins).astype(np.float32), ms).skill_zero
        found = re.search(rf"\b{ms} ms: ([+−]?\d+\.\d+)", said)
        assert found, said
        assert float(found[1].replace("−", "-")) == pytest.approx(skill, abs=0.006)


def bin_of(url: str, seq: int) -> Bin:
    """What the service says of one bin; asked on a thread of its own, since the browser holds this one's event loop."""

    def ask() -> Bin:
        with contextlib.closing(replay(url, serving=promoted(url), speed=0, from_bin=seq)) as bins:
            return next(bins)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result(timeout=60)


def text_of(value: float, digits: int) -> str:
    """A number as the page writes it: no zero has a sign."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def shown(node: Locator) -> list[str]:
    """Decimal numbers that a part of the page shows, signs as ASCII."""
    found = re.findall(r"[+−]?\d+\.\d+", node.inner_text())
    return [text.replace("−", "-").replace("+", "") for text in found]


class TestFaults:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return ["ERR_CONNECTION_REFUSED", "WebSocket connection", "ERR_CONNECTION_RESET", "CONTEXT_LOST_WEBGL"]

    def test_a_killed_service_leaves_no_gap(self, page: Page, lake: Lake) -> None:
        port = free_port()
        with service(lake, port) as address:
            page.goto(f"{address}/vacuum-pressure.html?serving={promoted(address)}&speed=2")
            expect_live(page, 30)
        expect(page.locator(".plot-overlay")).to_contain_text(re.compile("Connection lost|No service answers"))
        held = View.of(page)
        with service(lake, port):
            page.wait_for_function("n => vacuumPressure.view().last >= n", arg=held.last + 20, timeout=SEEK_MS)
        after = View.of(page)
        assert after.first == held.first
        assert after.received == after.last - after.first + 1, "a bin is missing or came twice"
        assert page.locator(".label.chip:visible").count() == 0

    def test_a_lost_graphics_context_comes_back(self, page: Page, url: str) -> None:
        page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=2")
        expect_live(page, 20)
        page.evaluate(
            "window.lost = document.querySelector('canvas.gl').getContext('webgl2').getExtension('WEBGL_lose_context');"
            "lost.loseContext()"
        )
        expect(page.locator(".notice")).to_contain_text("graphics")
        before = last(page)
        page.wait_for_function("n => vacuumPressure.view().last > n", arg=before + 3)
        uploaded = View.of(page).uploaded
        page.evaluate("lost.restoreContext()")
        expect(page.locator(".notice")).to_have_count(0)
        page.wait_for_function("n => vacuumPressure.view().uploaded > n + 1000", arg=uploaded)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("serving=nobody", ["nobody", "not_found", "1008"]),
        ("serving=tour_derivative&speed=fast", ["speed", "bad_value"]),
        ("serving=tour_derivative&colour=red", ["colour", "unknown_parameter"]),
        ("serving=tour_derivative&projection_source=frontend", ["projection_source"]),
    ],
)
def test_a_refusal_shows_what_the_service_said(page: Page, url: str, query: str, words: list[str]) -> None:
    page.goto(f"{url}/vacuum-pressure.html?{query}")
    card = page.get_by_role("alert")
    expect(card).to_be_visible()
    for word in words:
        expect(card).to_contain_text(word)
    expect(card.get_by_role("button", name="Retry")).to_be_visible()
    if "not_found" in words:
        expect(card.get_by_role("link", name=re.compile("MNQH6"))).to_be_visible()


CUT_OFF = """() => [...document.querySelectorAll('.topbar > *, .tools > *, .transport > *')]
    .filter((node) => node.getBoundingClientRect().width > 0)
    .filter((node) => node.getBoundingClientRect().right > node.parentElement.getBoundingClientRect().right + 1)
    .map((node) => node.className)"""
UNTOLD = """() => [...document.querySelectorAll('button, select, [role=slider]')]
    .filter((node) => node.getBoundingClientRect().width > 0 && !(node.title && /\\(|key|arrow/i.test(node.title)))
    .map((node) => node.outerHTML.slice(0, 90))"""
# From 1440 by 900 at 150 % to a large screen.
SIZES = ((960, 600), (1152, 700), (1280, 720), (1440, 900), (1920, 1080), (2560, 1440))


def test_it_fits_every_window_and_every_control_says_its_key(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&layer=depth")
    expect_live(page, 2)
    keys = page.get_by_role("dialog", name="Keys")
    for wide, tall in SIZES:
        page.set_viewport_size({"width": wide, "height": tall})
        next_frame(page)
        seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert (seen[0] <= wide, seen[1] <= tall) == (True, True), f"{wide} by {tall}: {seen}"
        assert page.evaluate(CUT_OFF) == [], f"{wide} by {tall}"
        assert page.evaluate(UNTOLD) == []
        page.keyboard.press("?")
        expect(keys).to_contain_text("Pause or resume")
        box = keys.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["y"] + box["height"] <= tall
        page.keyboard.press("Escape")
        expect(keys).to_be_hidden()


def test_readings_follow_the_stream(page: Page, url: str) -> None:
    page.goto(url)  # without a name the promoted spec is streamed
    expect(page.locator(".topbar")).to_contain_text(promoted(url))
    expect(page.locator(".topbar")).to_contain_text("MNQH6")
    expect(page.locator(".topbar")).to_contain_text("Fri 6 Feb 2026")
    page.get_by_role("button", name="10×", exact=True).click()
    expect(page.get_by_label("State-model score")).to_have_text(re.compile(r"^[+−]?\d\.\d\d$"))
    expect(page.get_by_label("Signal value")).to_have_text(re.compile(r"^[+−]?\d\.\d\d$"))
    expect_live(page, 90)
    expect(page.locator(".health")).to_contain_text(re.compile(r"Bins/s\s*\d"))
    page.keyboard.press("Space")
    expect(page.locator(".notice")).to_contain_text("Paused")
    page.wait_for_timeout(HOLD_MS)
    told, grid = bin_of(url, last(page))
    assert shown(page.get_by_label("State-model score")) == [text_of(told["state_model_score"], 2)]
    derivatives = [(f"state_model_{kind}{i}", digits) for i in (1, 2, 3) for kind, digits in (("d", 1), ("z", 2))]
    assert shown(page.get_by_label("Derivatives")) == [text_of(told[name], digits) for name, digits in derivatives]
    shares = [f"{told[f'state_model_{name}_intensity']:.2f}" for name in ("bull", "mixed", "bear")]
    assert shown(page.locator(".intensities")) == shares
    code = told["state_model_dominant_state5_code"]
    assert page.locator(".state").evaluate_all("nodes => nodes.findIndex(n => n.classList.contains('on'))") == code + 2
    assert shown(page.get_by_label("Signal value")) == [text_of(told["signal"]["value"], 2)]
    assert f"{told['mid_price']:.3f}" in page.inner_text(".topbar")
    expect(page.locator(".label.tag.spot:visible")).to_have_text(re.compile(r"^\d{5}\.\d\d$"))
    settle(page)
    assert_projection(page, told, grid)


ZONE_GROUND = np.array([0x0F, 0x12, 0x16])
BAND_PX = 32
ALPHAS = (0.92, 0.66, 0.46, 0.30)  # nearer horizons are stronger; a score that ran into its bound is dim
CLIPPED = 0.42


def assert_projection(page: Page, told: dict[str, Any], grid: Any) -> None:
    """The bands right of now have the colours of the projected scores of the latest bin, tick by tick."""
    view, shot = View.of(page), pixels(page, ".field")
    stops = palette_stops(diverging=True)
    spot = told["spot_ref_price_int"] // 250_000_000
    scores = [np.asarray(grid[f"proj_score_h{ms}"]) for ms in (100, 200, 300, 400)]
    quotes = [told[f"best_{side}_price_int"] // 250_000_000 for side in ("bid", "ask")]
    compared = 0
    for row, k in enumerate(np.asarray(grid["k"])):
        y = view.middle_of(0, spot + int(k))[1]
        # Above is the head of the zone; where quotes are carried on, their lines lie over the cells.
        if not 110 < y < view.height - 4 or spot + k in quotes or max(abs(score[row]) for score in scores) < 0.02:
            continue
        for at, score in enumerate(scores):
            alpha = ALPHAS[at] * (CLIPPED if abs(score[row]) >= 0.995 else 1)
            wanted = ZONE_GROUND + alpha * (stops[round(511 * (float(score[row]) + 1) / 2)] - ZONE_GROUND)
            seen = shot[int(y), int(view.width + (at + 0.5) * BAND_PX)]
            assert np.abs(seen - wanted).max() <= 14, f"horizon {at}, k {k}: {seen}, wanted {wanted}"
            compared += 1
    assert compared > 60


def test_firings_lie_at_their_quote(page: Page, url: str, lake: Lake) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=30")
    page.wait_for_function("window.vacuumPressure && vacuumPressure.view().firings.length >= 4")
    page.keyboard.press("Space")
    expect(page.locator(".notice")).to_contain_text("Paused")
    zoom_in(page, 3)
    page.keyboard.press("f")
    page.wait_for_timeout(HOLD_MS)
    settle(page)
    view, shot = View.of(page), pixels(page, ".field")
    bins = dataset_of(lake).bins
    seen = 0
    for firing in view.firings:
        up = firing["direction"] > 0
        quote = int(bins["best_bid_price_int" if up else "best_ask_price_int"][firing["seq"]]) // 250_000_000
        x, y = view.middle_of(firing["seq"], quote)
        y += 13 if up else -13  # the triangle stands off the quote
        if not (10 < x < view.width - 10 and 50 < y < view.height - 10):
            continue
        assert nearest(shot, x, y, (0x7F, 0xC8, 0xF3) if up else (0xED, 0xB0, 0x67), 2) < 12, firing
        seen += 1
    assert seen >= 2


def test_view_is_chosen_and_kept(page: Page, url: str) -> None:
    page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}")
    expect_live(page, 2)
    plus = "getComputedStyle(document.documentElement).getPropertyValue('--plus')"
    before = page.evaluate(plus)
    page.keyboard.press("v")
    page.get_by_role("dialog", name="View").get_by_text("Green, purple").click()
    page.get_by_role("dialog", name="View").get_by_text("Readings").click()
    page.keyboard.press("Escape")
    assert page.evaluate(plus) != before
    expect(page.locator(".panel")).to_be_hidden()
    page.reload()
    expect_live(page, 2)
    assert page.evaluate(plus) != before
    expect(page.locator(".panel")).to_be_hidden()
    page.keyboard.press("p")
    expect(page.locator(".panel")).to_be_visible()
