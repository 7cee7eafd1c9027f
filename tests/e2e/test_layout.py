"""Both pages at the sizes people have: no text is cut, overlaps or leaves the window, and nothing moves by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from layout import FAULTS, SCREENS, Screen, faults
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect
from stage import keep, promoted
from streampage import View, expect_live, quiet_page, settle

pytestmark = pytest.mark.e2e

STREAM = re.compile(r"/v1/vacuum-pressure/stream")
LONG = "a_name_as_long_as_people_give_them_when_they_put_everything_into_it_2026_02_06_0930_1600"
# Chooses every field in turn, and says what is wrong with the tools row once a frame with it was drawn.
EACH_FIELD = """async () => {
  const found = {};
  const frame = async () => {
    const before = vacuumPressure.view().drawn;
    while (vacuumPressure.view().drawn <= before) await new Promise(requestAnimationFrame);
  };
  for (const button of document.querySelectorAll('.field-group button, .tools .segments:first-child button')) {
    button.click();
    await frame();
    for (const fault of LAYOUT) (found[fault] ??= []).push(button.textContent);
  }
  return JSON.stringify(found);
}"""


def sized(page: Page, screens: Sequence[Screen]) -> Iterator[str]:
    """The page at each size in turn; says which."""
    for screen in screens:
        page.set_viewport_size({"width": screen.width, "height": screen.height})
        yield f"{screen.width} × {screen.height}"


def wrong(page: Page, screens: Sequence[Screen] = SCREENS) -> dict[str, list[str]]:
    """Faults of the page by size."""
    found = {}
    for size in sized(page, screens):
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if page.evaluate("'vacuumPressure' in window"):
            settle(page)
        found[size] = faults(page)
    return {size: said for size, said in found.items() if said}


@pytest.fixture(scope="module")
def held(browser: Browser, url: str) -> Iterator[Page]:
    """The stream page of the promoted signal, paused after 700 bins, with the pointer on the map."""
    with quiet_page(browser) as page:
        page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=0")
        expect_live(page, 700)
        page.keyboard.press("Space")
        expect(page.locator(".notice")).to_contain_text(re.compile("Paused|Replay ended"))
        yield page
        page.set_viewport_size({"width": 1440, "height": 900})


class TestStreamPage:
    def test_nothing_is_cut_at_any_size_in_either_theme(self, held: Page) -> None:
        box = held.locator(".map").bounding_box()
        assert box
        held.mouse.move(box["x"] + 300, box["y"] + 200)
        assert wrong(held) == {}
        held.keyboard.press("t")
        expect(held.locator("html")).to_have_attribute("data-theme", "light")
        assert wrong(held, SCREENS[:2]) == {}
        held.keyboard.press("t")
        held.keyboard.press("t")

    @pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (1024, 768)], ids=lambda size: str(size[0]))
    def test_every_field_fits_the_tools(self, held: Page, size: tuple[int, int]) -> None:
        held.set_viewport_size({"width": size[0], "height": size[1]})
        held.mouse.move(5, 5)
        assert json.loads(held.evaluate(EACH_FIELD.replace("LAYOUT", FAULTS))) == {}
        held.keyboard.press("1")
        settle(held)
        title = held.locator(".legend-text b")
        assert title.evaluate("node => node.scrollWidth <= node.clientWidth"), "the first layer's own name is shortened"

    def test_menus_fit(self, held: Page) -> None:
        for key, name in (("a", "menu"), ("v", "dialog")):
            held.keyboard.press(key)
            expect(held.get_by_role(name, name="All fields" if key == "a" else "View")).to_be_visible()
            assert wrong(held, [SCREENS[0], SCREENS[-1]]) == {}
            held.keyboard.press("Escape")

    def test_the_keyboard_is_the_pages_again_after_a_field_was_chosen(self, held: Page) -> None:
        held.keyboard.press("a")
        menu = held.get_by_role("menu", name="All fields")
        expect(menu).to_be_visible()
        held.keyboard.press("ArrowDown")
        held.keyboard.press("ArrowRight")
        held.keyboard.press("Enter")
        expect(menu).to_be_hidden()
        expect(held.locator(".button.menu.on")).to_be_visible()
        held.keyboard.press("1")
        expect(held.get_by_role("button", name="P − V")).to_have_attribute("aria-pressed", "true")
        for key in ("a", "v"):  # closed without a choice
            held.keyboard.press(key)
            held.keyboard.press("Escape")
        follow = held.get_by_role("button", name="Follow")
        held.keyboard.press("w")
        expect(follow).to_have_attribute("aria-pressed", "false")
        held.keyboard.press("f")
        expect(follow).to_have_attribute("aria-pressed", "true")

    def test_arrows_choose_in_the_view_menu_and_space_is_the_pages_again_after_it(self, held: Page) -> None:
        held.keyboard.press("v")
        chosen = held.locator(".popover[aria-label=View] fieldset").first.locator("input:checked")
        first = chosen.get_attribute("value")
        held.keyboard.press("ArrowDown")
        assert chosen.get_attribute("value") != first
        held.keyboard.press("ArrowUp")
        held.keyboard.press("Escape")
        expect(held.get_by_role("dialog", name="View")).to_be_hidden()
        expect(held.locator(".field")).to_be_focused()

    def test_a_letter_keeps_its_meaning_while_the_menu_of_fields_is_open(self, held: Page) -> None:
        held.keyboard.press("a")
        held.keyboard.press("4")
        expect(held.locator(".legend")).to_contain_text("Resting depth")
        held.keyboard.press("Escape")
        held.keyboard.press("1")

    def test_the_session_bar_stays_where_it_is(self, held: Page) -> None:
        bar = held.locator(".session")
        place = bar.bounding_box()
        for key in ("+", "+", "+", "w", "f"):  # the key of the strokes says another size at each zoom
            held.keyboard.press(key)
            settle(held)
            assert bar.bounding_box() == place

    def test_a_page_at_rest_draws_nothing(self, held: Page) -> None:
        held.mouse.move(5, 5)
        settle(held)
        # The page's slowest timer turns every half second: by the page's own clock, three turns without a frame.
        held.wait_for_function(
            """() => {
              const { drawn } = vacuumPressure.view(), now = performance.now();
              if (window.rest?.drawn !== drawn) window.rest = { drawn, since: now };
              return now - window.rest.since > 1600;
            }""",
            polling=50,
        )

    def test_an_address_with_a_bin_opens_with_its_past(self, page: Page, url: str) -> None:
        page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&from_bin=800&speed=1")
        page.wait_for_function("window.vacuumPressure && vacuumPressure.view().last >= 800")
        view = View.of(page)
        assert view.first <= 500, "the map begins at the bin that was asked for"
        assert view.last < 900, "the stream ran past the bin that was asked for"
        assert view.follow

    def test_prices_are_not_named_before_there_are_any(self, page: Page, url: str) -> None:
        def through(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()
            server.on_message(lambda message: socket.send(message) if '"runtime_config"' in str(message)[:60] else None)

        page.route_web_socket(STREAM, through)
        page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}")
        expect(page.locator(".fact.instrument")).to_contain_text("MNQH6")
        settle(page)
        expect(page.locator(".map-labels .price:visible")).to_have_count(0)
        expect(page.locator(".session-labels .label:visible")).not_to_have_count(0)
        assert wrong(page) == {}

    def test_a_lost_connection_leaves_the_map_in_view(self, page: Page, url: str) -> None:
        sockets: list[WebSocketRoute] = []

        def through(socket: WebSocketRoute) -> None:
            sockets.append(socket)
            if len(sockets) == 1:
                socket.connect_to_server()
            else:
                socket.close(code=1011)

        page.route_web_socket(STREAM, through)
        page.clock.install()
        page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=10")
        page.clock.resume()
        expect_live(page, 40)
        bar = page.locator(".session").bounding_box()
        sockets[0].close(code=1011)
        notice = page.locator(".notice")
        expect(notice).to_contain_text("Connection lost")
        for _ in range(6):
            page.clock.fast_forward(10_000)
        expect(notice).to_contain_text("No service answers")
        expect(notice).to_contain_text("vp-serve")
        expect(page.locator(".card")).to_be_hidden()
        expect(page.locator(".fact", has_text="Book")).to_contain_text("ago")
        assert page.locator(".session").bounding_box() == bar
        keep(page, "stream-lost")

    def test_long_names_push_nothing_away(self, page: Page, url: str) -> None:
        def through(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def renamed(message: str | bytes) -> None:
                if isinstance(message, str) and '"runtime_config"' in message:
                    said: dict[str, Any] = json.loads(message)
                    said["serving"]["name"] = said["dataset_id"] = LONG
                    said["serving"]["signal"]["name"] = said["state_model"]["name"] = "a_signal_of_a_rather_long_name"
                    said["symbol"] = "ESH4-ESM4"
                    message = json.dumps(said)
                socket.send(message)

            server.on_message(renamed)

        page.route_web_socket(STREAM, through)
        page.route("**/v1/datasets/*/overview*", lambda route: route.fulfill(status=200, json={}))
        page.goto(f"{url}/vacuum-pressure.html?serving={promoted(url)}&speed=10")
        expect_live(page, 80)
        page.keyboard.press("Space")
        expect(page.locator(".fact.source")).to_contain_text(LONG)
        assert wrong(page) == {}
        keep(page, "stream-long-names")


def with_long_names(route: Route) -> None:
    """The service's own runs under long names, each with a dozen thresholds, some of a test day."""
    answer = route.fetch()
    said = answer.json()
    runs = []
    for run in {row["run_id"]: row for row in said["runs"]}.values():
        run["signal"] = run["experiment"] = run["serving"] = run["dataset_id"] = LONG
        run["parameters"] |= {"a_parameter_with_a_long_name": 0.123456, "short": LONG, "bins": [10, 25, 50, 100, 200]}
        runs += [run | {"threshold": 0.0125 * (i + 1), "day_role": "test" if runs else "train"} for i in range(14)]
    route.fulfill(response=answer, json=said | {"runs": runs, "total": len(runs)})


class TestExperimentsPage:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return ["400 (Bad Request)"]  # the service knows no run under the long names

    def test_nothing_is_cut_at_any_size_in_either_theme(self, page: Page, url: str) -> None:
        page.goto(f"{url}/experiments.html?min_signals=0")
        expect(page.locator(".pnl-plot canvas")).to_be_visible()
        assert wrong(page) == {}
        page.keyboard.press("t")
        assert wrong(page, SCREENS[:2]) == {}

    def test_long_names_and_many_thresholds_push_nothing_away(self, page: Page, url: str) -> None:
        page.route(re.compile(r"/v1/experiments/runs\?"), with_long_names)
        page.goto(f"{url}/experiments.html?min_signals=0&test_days=1")
        expect(page.locator(".curve-axis button")).to_have_count(14)
        expect(page.locator("td .tag").first).to_have_text("test day")
        keep(page, "experiments-long-names")
        assert wrong(page) == {}
        for node in page.locator("dl.parameters dt").all():
            box = node.bounding_box()
            assert box
            assert box["width"] >= 12, f"{node.inner_text()} has no room"
        keep(page, "experiments-long-names")

    def test_an_empty_lake_is_told_at_every_size(self, page: Page, url: str) -> None:
        empty = {"runs": [], "total": 0, "next_offset": None}
        page.route(re.compile(r"/v1/experiments/runs\?"), lambda route: route.fulfill(status=200, json=empty))
        page.goto(f"{url}/experiments.html")
        expect(page.locator(".empty")).to_be_visible()
        assert wrong(page) == {}

    def test_letters_stay_the_pages_while_a_chooser_has_the_keyboard(self, page: Page, url: str) -> None:
        page.goto(f"{url}/experiments.html?min_signals=0")
        expect(page.locator(".runs tr[aria-selected=true]")).to_be_visible()
        page.keyboard.press("n")
        expect(page.get_by_label("Least number of trades")).to_be_focused()
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="TP rate")).to_have_attribute("aria-pressed", "true")
