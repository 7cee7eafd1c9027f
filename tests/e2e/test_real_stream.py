"""The map on a real capture: another instrument, its decimals, its session, and the colours of its cells."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from stage import ROOT, Lake, check_built, service
from streampage import Held, View, assert_colours, bare_map, cells_in, dataset_of, settle

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.slow]

FILE = "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
REAL = Path(os.environ.get("VP_REAL_DBN_DIR") or ROOT.parent / "shared" / "data") / FILE
SESSION_BINS = 36_000


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The hour after the holiday's opening auction, from the file on."""
    if not REAL.is_file():
        pytest.skip(f"the real capture is not at {REAL}; set VP_REAL_DBN_DIR")
    check_built()
    lake = Lake(tmp_path_factory.mktemp("real") / "lake", ROOT / "configs", ROOT / "configs/instruments/esh4.yaml")
    lake.vp("import", str(REAL))
    lake.vp("generate", "es_open")
    return lake


@pytest.fixture(scope="module")
def data(real: Lake) -> Held:
    """What is streamed."""
    return Held.of(dataset_of(real))


@pytest.fixture(scope="module")
def held(browser: Browser, real: Lake, data: Held) -> Iterator[Page]:
    """A bare map of it."""
    with service(real) as url:
        address = f"{url}/vacuum-pressure.html?dataset={data.dataset.dataset_id}&speed=20"
        with bare_map(browser, address, bins=400) as page:
            yield page


@pytest.mark.parametrize("layer", ["pv", "depth"])
def test_cells_have_the_colours_of_their_values(held: Page, data: Held, layer: str) -> None:
    held.keyboard.press({"pv": "1", "depth": "4"}[layer])
    held.mouse.move(5, 5)
    settle(held)
    assert_colours(held, data, layer)


def test_it_speaks_of_its_instrument_and_session(held: Page, data: Held) -> None:
    head = held.locator(".topbar")
    for text in ("ESH4", "18:00–19:00 ET", "Mon 25 Dec 2023"):
        expect(head).to_contain_text(text)
    expect(held.locator(".clock")).to_contain_text(re.compile(r"18:0\d:\d\d"))
    last = str(SESSION_BINS - 1)
    expect(held.get_by_role("slider", name="Session")).to_have_attribute("aria-valuemax", last)
    view = View.of(held)
    box = held.locator(".map").bounding_box()
    assert box
    seq, tick = cells_in(view, data, 3)[1]
    x, y = view.middle_of(seq, tick)
    held.mouse.move(box["x"] + x, box["y"] + y)
    price = f"{tick * 0.25:.2f}"
    expect(held.locator(".tooltip")).to_contain_text(price)
    expect(held.locator(".tooltip")).to_contain_text(f"bin {seq}")
