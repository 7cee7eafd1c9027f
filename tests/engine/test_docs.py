"""What the pages of docs name is there: modules, files, fields, links; figures are what their scripts draw."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vp_engine.book.order_book import AMOUNT, CHANNEL, DEPTH_DELTA, FLOW_ADD, FLOW_FILL, FLOW_PULL
from vp_engine.feed.records import MBO_DTYPE
from vp_engine.field.tick_engine import OUT_OF_RECORDS, consume_nb, new_ticks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
DRAWINGS = sorted(DOCS.glob("figures/*.svg"))
SCRIPTS = sorted(DOCS.glob("figures/*.py"))
PACKAGES = ("vp_engine", "vp_assets", "vp_serving")
TOP_FOLDERS = (*PACKAGES, "benchmarks", "configs", "docs", "frontend", "tests")
MAX_FIGURE_BYTES = 120_000
TICK_INT = 250_000_000

DOTTED = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")
PATH = re.compile(rf"(?<![\w/.])(?:{'|'.join(TOP_FOLDERS)})/[\w./-]*\w/?")
CODE = re.compile(r"`([^`\n]+)`")
IDENTIFIER = re.compile(r"[a-z]\w*_\w+|[A-Z][A-Z0-9]*_[A-Z0-9_]+")  # snake_case and CONSTANT_CASE
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """A page without its fenced blocks, whose names may be the reader's own."""
    return FENCE.sub("", text_of(page))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every word of the packages' sources and specs."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".yaml")]
    files += (ROOT / "configs").rglob("*.yaml")
    return {word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or leads to something inside one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_there_are_pages() -> None:
    assert {"README.md", "engine.md"} <= {page.name for page in PAGES}
    assert DRAWINGS
    assert SCRIPTS


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_dotted_names_exist(page: Path) -> None:
    assert [name for name in sorted(set(DOTTED.findall(text_of(page)))) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_exist(page: Path) -> None:
    named = {path for span in CODE.findall(prose_of(page)) for path in PATH.findall(span)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose_of(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target) if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [*PAGES, *DRAWINGS], ids=lambda path: path.name)
def test_identifiers_are_those_of_the_code(page: Path, words: set[str]) -> None:
    """Every snake_case or CONSTANT_CASE name in code font; in a drawing, all of its text."""
    spans = CODE.findall(prose_of(page)) if page.suffix == ".md" else re.findall(r">([^<>]+)</text>", text_of(page))
    named = {word for span in spans for word in re.findall(r"\w+", span) if IDENTIFIER.fullmatch(word)}
    named = {word for word in named if not (ROOT / "tests" / "engine" / f"{word}.py").exists()}
    named = {word for word in named if not (DOCS / "figures" / f"{word}.py").exists()}
    assert sorted(named - words) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_figures_are_what_their_scripts_draw(script: Path, tmp_path: Path) -> None:
    """Drawn twice with the same bytes, and like the committed one up to the rendering of fonts."""
    kept = script.with_suffix(".png")
    assert kept.stat().st_size < MAX_FIGURE_BYTES
    drawn = [tmp_path / "one.png", tmp_path / "two.png"]
    for target in drawn:
        subprocess.run([sys.executable, str(script), str(target)], check=True, cwd=ROOT, timeout=120)
    assert drawn[0].read_bytes() == drawn[1].read_bytes()
    old, new = (np.asarray(Image.open(path).convert("L"), np.float64) for path in (kept, drawn[0]))
    assert old.shape == new.shape
    assert np.abs(old - new).mean() < 2.0


def pending_fill_rows() -> list[tuple[str, list[int]]]:
    """(records, [fill, pull, add, depth]) of the worked examples in engine.md: what befalls a bid of 9 contracts."""
    rows = re.findall(r"^\| ((?:[FCM] .*?\d).*?) \|(.*)\|$", text_of(DOCS / "engine.md"), re.MULTILINE)
    return [(words, [int(cell.replace("−", "-")) for cell in cells.split("|")]) for words, cells in rows]


def record_of(action: str, size: int) -> np.ndarray:
    """One MBO record of order 7 at tick 100, at the first nanosecond."""
    record = np.zeros(1, MBO_DTYPE)
    record["order_id"], record["price"], record["size"] = 7, 100 * TICK_INT, size
    record["action"], record["side"], record["ts_event"] = ord(action), ord("B"), 1
    record.setflags(write=False)  # as batches are: one compiled kernel
    return record


def test_worked_examples_are_what_the_book_does() -> None:
    rows = pending_fill_rows()
    assert len(rows) >= 5
    for text, expected in rows:
        ticks, found = new_ticks(2048, (2.0, 5.0, 10.0, 30.0)), {FLOW_FILL: 0, FLOW_PULL: 0, FLOW_ADD: 0}
        steps = [("A", 9), *((action, int(size)) for action, size in re.findall(r"\b([FCM]) (?:to )?(\d+)", text))]
        assert len(steps) > 1
        depth = 0
        for action, size in steps:
            code, _ = consume_nb(record_of(action, size), 0, 2, TICK_INT, ticks)
            assert code == OUT_OF_RECORDS
            wrote = ticks.effects[0]
            if action != "A":
                found[wrote[CHANNEL]] += wrote[AMOUNT]
                depth += wrote[DEPTH_DELTA]
        assert [found[FLOW_FILL], found[FLOW_PULL], found[FLOW_ADD], depth] == expected, text


def test_environment_variables_of_the_settings_are_those_that_the_pages_explain() -> None:
    variable = re.compile(r"\b(?:VP|DATABENTO|MLFLOW|DAGSTER)_[A-Z_]+[A-Z]\b")
    read = {
        name
        for package in ("vp_assets", "vp_serving")
        for name in re.findall(r"\"([A-Z_]+)\"", text_of(ROOT / package / "settings.py"))
        if variable.fullmatch(name)
    }
    explained = {
        name
        for page in (ROOT / "README.md", *PAGES)
        for name in variable.findall(text_of(page))
        if "POSTGRES" not in name
    }
    assert {"VP_LAKE_ROOT", "VP_PARTITIONS_START", "VP_API_TOKEN"} <= read
    assert read - explained == set(), "not documented"
    assert {name for name in explained if name.startswith("VP_")} - read == set(), "documented, read nowhere"
