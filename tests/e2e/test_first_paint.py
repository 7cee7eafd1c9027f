"""What stands between a visit and its first paint, in the built pages: nothing but the page itself."""

from __future__ import annotations

import gzip
import re

import pytest
from stage import DIST, check_built

pytestmark = pytest.mark.e2e

MOST_JS_BYTES = 150_000
PAGES = ("vacuum-pressure.html", "experiments.html")


@pytest.fixture(scope="module", params=PAGES)
def built(request: pytest.FixtureRequest) -> str:
    """A built page."""
    check_built()
    return (DIST / str(request.param)).read_text()


def test_nothing_is_waited_for(built: str) -> None:
    assert not re.search(r'<link[^>]*rel="stylesheet"', built), "styles are asked for apart"
    scripts = re.findall(r"<script[^>]*src=[^>]*>", built)
    assert scripts
    assert all('type="module"' in script for script in scripts), "a script holds the first paint up"


def test_there_is_something_to_paint(built: str) -> None:
    body = built.split("<body>")[1]
    assert "Vacuum Pressure" in body
    assert body.count('class="tab"') == 2
    styles = "".join(re.findall(r"<style>(.*?)</style>", built, re.DOTALL))
    for selector in (".topbar", ".tab", ".columns"):
        assert selector in styles
    fonts = re.findall(r'url\(([^)]*woff2)\)|rel="preload"[^>]*href="([^"]*woff2)"', built)
    assert len(fonts) >= 2
    for inlined, preloaded in fonts:
        assert (DIST / (inlined or preloaded)).is_file()


def test_its_scripts_are_light(built: str) -> None:
    names = set(re.findall(r'(?:src|href)="\./(assets/[^"]*\.js)"', built))
    for name in list(names):
        imported = re.findall(r'from"\./([^"]+\.js)"', (DIST / name).read_text())
        names |= {f"assets/{other}" for other in imported}
    assert sum(len(gzip.compress((DIST / name).read_bytes())) for name in names) < MOST_JS_BYTES
