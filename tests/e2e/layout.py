"""Faults of layout a page can be asked for: text that is cut, has no room, leaves the window or lies on other text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page

FAULTS = (Path(__file__).parent / "layout.js").read_text()
"""A script whose value is the list of faults."""


class Screen(NamedTuple):
    """A window in CSS pixels, and how many pixels of the screen each of them has."""

    width: int
    height: int
    zoom: float = 1.0


SCREENS = (
    Screen(1024, 768),
    Screen(1280, 720),
    Screen(1440, 900),
    Screen(1920, 1080),
    Screen(2560, 1440),
    Screen(960, 600, 1.5),  # 1440 × 900 at 150 %
)


def faults(page: Page) -> list[str]:
    """What is wrong with the layout of the page as it is now, a line each; empty when nothing is."""
    return list(json.loads(page.evaluate(f"JSON.stringify({FAULTS})")))
