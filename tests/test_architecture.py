"""The map of the code is true: what docs/architecture.md names exists, and names keep one meaning."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PACKAGES = ("vp_engine", "vp_assets", "vp_serving")
NAMED = sorted(set(re.findall(r"`((?:vp_\w+|frontend|tests)/[\w./]+\.(?:py|ts))(?::(\w+))?`", PAGE)))
# Names that stand twice today. The list may shrink; a new pair has to find a better name.
KNOWN_TWICE = {"StreamError"}


def classes() -> dict[str, list[str]]:
    """Files of every public class, by name."""
    found = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize(("file", "symbol"), NAMED, ids=lambda part: part or "file")
def test_page_when_it_names_a_file_or_symbol_then_that_exists(file: str, symbol: str) -> None:
    path = ROOT / file
    assert path.is_file(), f"docs/architecture.md names {file}, which is gone"
    if symbol:
        body = ast.parse(path.read_text()).body
        defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert symbol in defined, f"docs/architecture.md names {file}:{symbol}, which is gone"


def test_page_when_a_package_has_a_folder_then_it_is_described() -> None:
    assert len(NAMED) > 20
    folders = {
        path.parent.relative_to(ROOT).as_posix() for name in PACKAGES for path in (ROOT / name).glob("*/**/*.py")
    }
    assert sorted(folders - set(re.findall(r"`(vp_[\w/]+)`", PAGE))) == []


def test_class_names_when_a_concept_has_one_word_then_no_name_stands_twice() -> None:
    twice = {name: files for name, files in classes().items() if len(files) > 1}
    assert set(twice) <= KNOWN_TWICE, {name: files for name, files in twice.items() if name not in KNOWN_TWICE}
    assert set(twice) >= KNOWN_TWICE, f"no longer twice, take them off the list: {KNOWN_TWICE - set(twice)}"
