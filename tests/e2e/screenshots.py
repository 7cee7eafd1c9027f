"""Screenshots of both pages and of the asset graph: `python -m tests.e2e.screenshots [--lake-root PATH]`.

Without a lake a small one is made in a temporary folder by the same commands as in the browser tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.stage import ROOT, Lake, check_built, chromium, free_port, running, service, small_lake

SIZES = ((1440, 900), (1280, 720), (1920, 1080))
GRAPH_SIZE = (1920, 900)
# A moment of the capture that is looked at, and how much closer than a pixel a bin.
SHARE, CLOSER = 0.34, 5
# The signal has just fired, with a full map behind it.
FIRED = """start => {
  const { first, last, firings, camera } = vacuumPressure.view();
  const fired = firings.at(-1);
  return fired && last >= start + 25 && last - fired.seq <= 3 && last - first > camera.width / camera.pxPerBin;
}"""
# Place of a cell a little above the market, some seconds back.
BESIDE = """([mids, tick]) => {
  const { camera, last } = vacuumPressure.view();
  const seq = last - Math.round(0.36 * camera.width / camera.pxPerBin);
  const y = camera.height / 2 - (Math.round(mids[seq] / tick) + 10 - camera.center) * camera.pxPerTick;
  const x = camera.width + (seq + 0.5 - camera.right) * camera.pxPerBin;
  return [x, Math.min(camera.height - 120, Math.max(120, y))];
}"""


def open_page(browser: Browser, address: str, size: tuple[int, int], theme: str = "dark") -> Page:
    """A page of that size and theme."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.set_default_timeout(60_000)
    page.add_init_script(f"localStorage.setItem('vp_theme', '{theme}')")
    page.goto(address)
    return page


def stream(browser: Browser, url: str, out: Path, size: tuple[int, int], layer: str, theme: str = "dark") -> Path:
    """The stream page as it runs: a signal has just fired, the crosshair lies on a cell beside the market."""
    specs = ask(url, "/v1/serving")["serving"]
    names = [spec["name"] for spec in specs if spec["can_stream"]]
    promoted = [spec["name"] for spec in specs if spec["can_stream"] and spec["origin"] == "promoted"]
    if not names:
        raise RuntimeError("the lake has nothing to stream: run `vp run` and `vp promote` first")
    page = open_page(
        browser, f"{url}/vacuum-pressure.html?serving={(promoted or names)[-1]}&layer={layer}", size, theme
    )
    page.wait_for_function("window.vacuumPressure && vacuumPressure.view().last >= 0")
    for _ in range(CLOSER):
        page.keyboard.press("+")
    page.keyboard.press("f")
    bar = page.get_by_role("slider", name="Session")
    n_bins = int(bar.get_attribute("aria-valuemax") or 0) + 1
    box, start = bar.bounding_box(), int(SHARE * n_bins)
    assert box is not None
    page.mouse.click(box["x"] + SHARE * box["width"], box["y"] + 10)
    page.wait_for_function(FIRED, arg=start, timeout=120_000)
    dataset = page.evaluate("vacuumPressure.view().dataset")
    mids = ask(url, f"/v1/datasets/{dataset}/overview?points={n_bins}")["mid"]
    x, y = page.evaluate(BESIDE, [mids, float(ask(url, "/v1/instrument")["tick_size"])])
    field = page.locator(".map").bounding_box()
    assert field is not None
    page.mouse.move(field["x"] + x, field["y"] + y)
    return _kept(page, out / f"stream-{layer}-{theme}-{size[0]}x{size[1]}.png")


def ask(url: str, path: str) -> dict[str, Any]:
    """A JSON answer of the service."""
    return dict(httpx.get(url + path, trust_env=False, timeout=60).raise_for_status().json())


def experiments(browser: Browser, url: str, out: Path, size: tuple[int, int], theme: str = "dark") -> Path:
    """The experiments page with its first run chosen and replayed."""
    page = open_page(browser, f"{url}/experiments.html", size, theme)
    expect(page.locator(".pnl-plot canvas")).to_be_visible(timeout=60_000)
    return _kept(page, out / f"experiments-{theme}-{size[0]}x{size[1]}.png")


def _kept(page: Page, path: Path) -> Path:
    page.wait_for_timeout(300)
    page.screenshot(path=path)
    page.close()
    return path


def asset_graph(browser: Browser, lake: Lake, out: Path) -> Path:
    """The asset graph of Dagster's own pages."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "dagster-webserver"), "-w", str(ROOT / "dagster_workspace.yaml")]
    command += ["-h", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(command, lake, f"{url}/server_info", seconds=180):
        page = open_page(browser, f"{url}/asset-groups", GRAPH_SIZE)
        skip = page.get_by_role("button", name="Skip")  # a first visit is asked for a newsletter
        folded = page.get_by_role("img", name="unfold_more")  # one per folded group
        expect(skip.or_(folded).first).to_be_visible(timeout=90_000)
        if skip.is_visible():
            skip.click()
        expect(folded.first).to_be_visible(timeout=90_000)
        while folded.count() > 0:
            folded.first.click()
            page.wait_for_timeout(1500)
        page.reload()  # what is unfolded stands in the address; a fresh page fits it into view
        expect(page.get_by_text("book_cache").first).to_be_visible(timeout=90_000)
        page.wait_for_timeout(4000)
        path = out / "asset-graph.png"
        page.screenshot(path=path)
        page.close()
    return path


def main() -> int:
    """Take them all and print where they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "test-results" / "screenshots")
    parser.add_argument("--lake-root", type=Path, help="a lake with a promoted spec")
    parser.add_argument("--config-dir", type=Path, default=ROOT / "configs")
    parser.add_argument("--instrument", type=Path, help="its instrument file, when it is not of the packaged one")
    given = parser.parse_args()
    check_built()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        if given.lake_root:
            lake = Lake(given.lake_root.absolute(), given.config_dir.absolute(), given.instrument)
        else:
            lake = small_lake(Path(folder))
        browser = chromium(playwright)
        with service(lake) as url:
            for size in SIZES:
                print(stream(browser, url, given.out, size, "pv"))
                print(experiments(browser, url, given.out, size))
            print(stream(browser, url, given.out, SIZES[0], "depth"))
            print(stream(browser, url, given.out, SIZES[0], "pv", "light"))
            print(experiments(browser, url, given.out, SIZES[0], "light"))
        print(asset_graph(browser, lake, given.out))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
