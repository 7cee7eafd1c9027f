"""The experiments page in real Chromium against the real service: what is judged is shown, and leads to its stream."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect
from stage import EXPERIMENT, keep

pytestmark = pytest.mark.e2e

API = "/v1/experiments/runs"
# Controls that do not say what they do and which key does it; to copy a line there is no key.
UNTOLD = """() => [...document.querySelectorAll('button, select, input, a.button')]
  .filter((node) => node.getBoundingClientRect().width > 0)
  .filter((node) => !(node.title && (/\\(.+\\)/.test(node.title) || node.matches('.id, .copy, .off'))))
  .map((node) => node.outerHTML.slice(0, 120))"""
PAGE = "experiments.html"
CUT_OFF = """() => {
  const boxes = '.filters > *, .topbar > *, .detail section > *, .actions > *, .figures > *, .banner > *';
  const right = (node) => node.getBoundingClientRect().right;
  return [...document.querySelectorAll(boxes)]
    .filter((node) => node.getBoundingClientRect().width > 0 && right(node) > right(node.parentElement) + 1)
    .map((node) => node.className);
}"""


def api(url: str, path: str) -> Any:
    """A JSON answer of the service."""
    return httpx.get(url + path, trust_env=False, timeout=60).raise_for_status().json()


def rows_of(url: str, query: str = "") -> list[dict[str, Any]]:
    """Every row of the results, as the page asks for them."""
    return list(api(url, f"{API}?min_signals=0&top_n=2000&sort=net_mean_pnl_ticks{query}")["runs"])


def open_page(page: Page, url: str, query: str = "min_signals=0") -> None:
    """The page with its first row chosen."""
    page.goto(f"{url}/{PAGE}?{query}")
    expect(page.locator("tr[data-at][aria-selected=true]")).to_have_count(1)


def column(page: Page, name: str) -> list[str]:
    """Texts of a column, in the order of the rows."""
    return page.locator(f".runs tr[data-at] td.{name}").all_inner_texts()


def chosen(page: Page) -> str:
    """`<run_id> <threshold>` of the chosen row."""
    return page.locator("tr[aria-selected=true]").get_attribute("data-key") or ""


def numbers(texts: list[str]) -> list[float]:
    """Figures as printed; a dash is left out."""
    return [
        float(text.replace("−", "-").replace("+", "").replace(",", "").lstrip("<")) for text in texts if text != "–"
    ]


def test_the_table_shows_every_row_sorts_and_filters(page: Page, url: str) -> None:
    rows = rows_of(url)
    open_page(page, url)
    expect(page.locator(".table-foot")).to_contain_text(f"of {len(rows)}")
    expect(page.locator(".topbar")).to_contain_text(EXPERIMENT)
    expect(page.locator("table.runs")).to_have_attribute("aria-rowcount", str(len(rows) + 1))
    page.get_by_role("button", name="n", exact=True).click()
    counts = numbers(column(page, "n"))
    assert counts == sorted((row["n_signals"] for row in rows), reverse=True)[: len(counts)]
    page.get_by_role("button", name="Threshold", exact=True).click()
    assert numbers(column(page, "threshold"))[0] == pytest.approx(min(row["threshold"] for row in rows), abs=1e-5)
    expect(page.locator("th.threshold")).to_have_attribute("aria-sort", "ascending")
    assert "sort=threshold" in page.url
    # Filters leave what the service leaves, and say how many.
    least = sorted(row["n_signals"] for row in rows)[len(rows) // 2]
    page.goto(f"{url}/{PAGE}?min_signals={least}")
    left = api(url, f"{API}?min_signals={least}&top_n=1")["total"]
    expect(page.locator(".table-foot")).to_contain_text(f"of {left}")
    open_page(page, url)
    some = rows[0]["run_id"]
    page.get_by_label("Find a run or signal").fill(some[:9])
    expect(page.locator("tr[data-at]")).to_have_count(sum(row["run_id"] == some for row in rows))
    significant = sum(row["verdict"] == "significant" for row in rows)
    page.get_by_label("Find a run or signal").fill("")
    expect(page.locator(".filters .segments")).to_contain_text(f"Significant {significant}")


def test_what_the_whole_is_worth_comes_first(page: Page, url: str) -> None:
    rows = rows_of(url)
    open_page(page, url)
    banner = page.locator(".banner")
    significant = sum(row["verdict"] == "significant" for row in rows)
    expect(banner).to_contain_text("surviv" if significant == 0 else f"{significant} row")
    expect(banner).to_contain_text(f"{max(row['n_trials'] for row in rows):,} trials")
    clearing = sum(row["net_mean_low_ticks"] is not None and row["net_mean_low_ticks"] > 0 for row in rows)
    expect(page.locator(".table-foot")).to_contain_text(f"({clearing} of {len(rows)}, chance alone")
    assert page.locator(".interval-bar.clears").count() == clearing
    keep(page, "experiments")


def test_detail_of_a_run_is_what_the_service_says(page: Page, url: str) -> None:
    best = rows_of(url)[0]
    detail = api(url, f"{API}/{best['run_id']}/detail")
    own = next(row for row in detail["rows"] if row["threshold"] == best["threshold"])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, url, f"min_signals=0&run_id={best['run_id']}&threshold={best['threshold']}")
    panel = page.get_by_label("Run", exact=True)
    expect(panel.locator(".verdict-text")).to_have_text(own["verdict_text"])
    expect(panel.locator(".curve-axis button")).to_have_count(len(detail["rows"]))
    bars = [int(text) for text in panel.locator(".outcome .num").all_inner_texts()]
    assert bars == [own["n_up"], own["n_down"]]
    expect(panel.locator(".pnl-plot canvas")).to_be_visible()
    total = f"{abs(own['net_total_pnl_ticks']):.1f}"
    expect(panel.locator(".figures")).to_contain_text(f"{'−' if own['net_total_pnl_ticks'] < 0 else '+'}{total}")
    plot = panel.locator(".pnl-plot .u-over").bounding_box()
    assert plot
    page.mouse.move(plot["x"] + plot["width"] - 1, plot["y"] + 20)
    expect(panel.locator(".pnl-reading")).to_contain_text(total)
    expect(panel.locator(".pnl-reading")).to_contain_text(f"trade {own['n_signals']} of {own['n_signals']}")
    # Links that lead nowhere say why; the others leave the page.
    assert "VP_DAGSTER_URL" in (panel.get_by_text("Open in Dagster").get_attribute("title") or "")
    expect(panel.get_by_text("Open in MLflow")).not_to_have_attribute("href", re.compile("."))
    for row in detail["rows"]:
        if row["threshold"] == detail["best_threshold"]:
            panel.get_by_title(f"Choose threshold {row['threshold']:g} ([ ])", exact=True).click()
    page.keyboard.press("Escape")
    page.locator(".table-scroll").focus()
    page.keyboard.press("y")
    expect(panel.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == detail["yaml"]


def test_table_and_curve_point_at_each_other(page: Page, url: str) -> None:
    run = rows_of(url)[0]["run_id"]
    open_page(page, url, f"min_signals=0&text={run}")
    rows = page.locator("tr[data-at]")
    expect(page.locator(".curve-axis button")).to_have_count(rows.count())
    # Once all of a run has come nothing moves any more.
    expect(page.locator(".pnl-plot canvas")).to_be_visible()
    expect(page.locator(".verdict-text")).not_to_be_empty()
    expect(page.get_by_text("Open in Dagster")).to_have_attribute("title", re.compile("VP_DAGSTER_URL"))
    rows.nth(1).hover()
    key = rows.nth(1).get_attribute("data-key") or ""
    linked = page.locator(".curve-axis button.linked")
    expect(linked).to_have_attribute("title", f"Choose threshold {key.split()[1]} ([ ])")
    page.mouse.move(5, 5)
    expect(linked).to_have_count(0)
    box = page.locator(".curve-plot").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + 40)
    largest = max(float((row.get_attribute("data-key") or "").split()[1]) for row in rows.all())
    expect(page.locator("tr.linked")).to_have_attribute("data-key", f"{run} {largest:g}")
    page.mouse.down()
    page.mouse.up()
    assert chosen(page) == f"{run} {largest:g}"


def test_keys_do_what_their_list_says(page: Page, url: str) -> None:
    open_page(page, url)
    order = [row.get_attribute("data-key") for row in page.locator("tr[data-at]").all()]
    for key, at in (("ArrowDown", 1), ("j", 2), ("k", 1), ("ArrowUp", 0)):
        page.keyboard.press(key)
        assert chosen(page) == order[at], key
    page.locator(".table-scroll").focus()
    page.keyboard.press("End")
    assert chosen(page).split()[0] == rows_of(url)[-1]["run_id"]
    page.keyboard.press("Home")
    assert chosen(page) == order[0]
    thresholds = sorted(row["threshold"] for row in rows_of(url) if row["run_id"] == chosen(page).split()[0])
    at = thresholds.index(float(chosen(page).split()[1]))
    step, key = (1, "]") if at + 1 < len(thresholds) else (-1, "[")
    page.keyboard.press(key)
    assert float(chosen(page).split()[1]) == thresholds[at + step]
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="TP rate")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".curve-note")).to_contain_text("% of trades")
    page.keyboard.press("3")
    expect(page.locator("th.threshold")).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("v")
    expect(page.get_by_role("group", name="Verdict").get_by_role("button").nth(1)).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_label("Least number of trades")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Find a run or signal")).to_be_focused()
    page.keyboard.type("nothing like this")
    expect(page.locator(".empty")).to_contain_text("No run matches")
    keep(page, "experiments-filtered-empty")
    page.keyboard.press("Escape")
    expect(page.locator("tr[data-at]").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Copy the run as YAML")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_stream_this_run_opens_its_stream(page: Page, url: str) -> None:
    """That it fires where it was judged is proven on the address it leads to, among the tests of playing."""
    open_page(page, url)
    run, threshold = chosen(page).split()
    page.get_by_role("link", name="Stream this run").click()
    page.wait_for_url(re.compile(rf"vacuum-pressure\.html\?run_id={run}&threshold={threshold}$"))
    expect(page.get_by_label("Signal value")).to_be_visible()
    expect(page.locator(".strip-name")).to_contain_text(f"fires at ±{float(threshold):.2f}")


def answer(page: Page, status: int, body: dict[str, Any]) -> None:
    """Let the service answer the page's question for rows with this."""

    def fulfil(route: Route) -> None:
        kind = "application/json" if status == 200 else "application/problem+json"
        route.fulfill(status=status, content_type=kind, body=json.dumps(body))

    page.route(re.compile(rf"{API}\?"), fulfil)


def problem(status: int, code: str, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": "", "status": status, "detail": detail, "code": code, "instance": API}


class TestTrouble:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return ["Failed to load resource"]

    def test_an_empty_lake_says_how_to_fill_it(self, page: Page, url: str) -> None:
        answer(page, 200, {"runs": [], "total": 0, "offset": 0, "next_offset": None})
        page.goto(f"{url}/{PAGE}")
        expect(page.locator(".empty")).to_contain_text("No run yet")
        expect(page.locator(".empty .command")).to_have_text([re.compile("vp sample"), re.compile("vp run sweep_demo")])
        expect(page.locator(".detail")).to_be_hidden()
        keep(page, "experiments-empty-lake")

    @pytest.mark.parametrize(
        ("status", "code", "says"),
        [(422, "bad_lake", "vp verify"), (401, "unauthorized", "#token="), (500, "internal", "its log says why")],
    )
    def test_a_problem_is_shown_with_its_code(self, page: Page, url: str, status: int, code: str, says: str) -> None:
        answer(page, status, problem(status, code, "the service failed; its log says why"))
        page.goto(f"{url}/{PAGE}")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(says)
        expect(alert).to_contain_text(f"{code} · {status}")
        if code == "bad_lake":
            keep(page, "experiments-error")
            page.unroute_all()
            page.get_by_role("button", name="Retry").click()
            expect(page.locator("tr[data-at]").first).to_be_visible()

    def test_no_service_is_said_and_waited_for(self, page: Page, url: str) -> None:
        page.route(re.compile(rf"{API}\?"), lambda route: route.abort())
        page.goto(f"{url}/{PAGE}")
        expect(page.get_by_role("alert")).to_contain_text("vp-serve")

    def test_a_run_without_its_data_says_why_it_cannot_be_streamed(self, page: Page, url: str) -> None:
        rows = [row | {"can_stream": False, "reason": "its capture is gone"} for row in rows_of(url)]
        detail = api(url, f"{API}/{rows[0]['run_id']}/detail") | {"can_stream": False, "reason": "its capture is gone"}
        answer(page, 200, {"runs": rows, "total": len(rows), "offset": 0, "next_offset": None})
        page.route("**/detail", lambda route: route.fulfill(json=detail))
        gone = problem(404, "not_found", "dataset of the run is not in the lake")
        page.route("**/trades?*", lambda route: route.fulfill(status=404, json=gone))
        open_page(page, url)
        panel = page.get_by_label("Run", exact=True)
        expect(panel).to_contain_text("Cannot be streamed: its capture is gone")
        expect(panel.get_by_text("Stream this run")).not_to_have_attribute("href", re.compile("."))
        expect(panel.locator(".pnl")).to_contain_text("Dataset of the run is not in the lake.")


def test_themes_go_round_and_stay(page: Page, url: str) -> None:
    ground = page.locator(".runs-side")
    dark, light = "rgb(18, 21, 26)", "rgb(248, 249, 251)"
    open_page(page, url)
    expect(ground).to_have_css("background-color", dark)
    page.keyboard.press("t")
    expect(ground).to_have_css("background-color", light)
    expect(page.locator(".pnl-plot canvas")).to_be_visible()
    keep(page, "experiments-light")
    page.reload()
    expect(page.locator("tr[data-at]").first).to_be_visible()
    expect(ground).to_have_css("background-color", light)
    page.keyboard.press("t")  # as the system is
    for scheme, colour in (("dark", dark), ("light", light), ("dark", dark)):
        page.emulate_media(color_scheme=scheme)
        expect(ground).to_have_css("background-color", colour)


def test_a_palette_holds_for_both_pages(page: Page, url: str) -> None:
    plus = "getComputedStyle(document.documentElement).getPropertyValue('--plus')"
    open_page(page, url)
    first = page.evaluate(plus)
    page.keyboard.press("c")
    second = page.evaluate(plus)
    page.get_by_role("button", name="Colours: violet, gold").click()
    third = page.evaluate(plus)
    assert len({first, second, third}) == 3
    page.goto(f"{url}/vacuum-pressure.html")
    expect(page.locator(".brand")).to_be_visible()
    page.wait_for_function(f"wanted => ({plus}) === wanted", arg=third)
    page.goto(f"{url}/{PAGE}?min_signals=0")
    expect(page.get_by_role("button", name="Colours: green, purple")).to_be_visible()
    page.keyboard.press("c")
    assert page.evaluate(plus) == first


def test_nothing_is_cut_off(page: Page, url: str) -> None:
    open_page(page, url)
    for wide, tall in ((960, 600), (1280, 720), (1440, 900), (1920, 1080), (2560, 1440)):
        page.set_viewport_size({"width": wide, "height": tall})
        expect(page.locator(".pnl-plot canvas")).to_be_visible()
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.evaluate("document.documentElement.scrollWidth") <= wide
        assert page.evaluate(CUT_OFF) == [], f"{wide} by {tall}"
    assert page.evaluate(UNTOLD) == []
