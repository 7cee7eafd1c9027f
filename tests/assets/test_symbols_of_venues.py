"""Contracts with the names that venues give them, through the commands; and the names that they have in the lake."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.assets.test_foreign_days import ARL, Desk
from vp_engine.feed.day_file import day_file_name, day_file_pattern, day_of
from vp_engine.feed.symbols import path_name
from vp_engine.lake import paths

SYMBOLS = ["BRK.B", "BRN FMJ0024!", "AAC+", "ESH4-ESM4", "UD:1V: GN 1/2", "ABRpD", "B"]


class Odd(Desk):
    """A desk whose lock spells its symbol as text."""

    def __init__(self, folder: Path, venue: Any, capsys: Any) -> None:
        super().__init__(folder, venue._replace(symbol="SYMBOL"), capsys)
        for file in (folder / "lock.yaml", folder / "configs" / "pipelines" / "minute.yaml"):
            file.write_text(file.read_text().replace("symbol: SYMBOL", f"symbol: {json.dumps(venue.symbol)}"))
        self.venue = venue


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_day_of_any_raw_symbol_when_imported_then_generates_and_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], symbol: str
) -> None:
    at = Odd(tmp_path, ARL._replace(symbol=symbol), capsys)
    said = at.vp("import", at.file([*at.snapshot(9 * 3600), *at.adds()]), "--json")
    assert said.code == 0, said.err
    assert said.data[0]["symbol"] == symbol
    assert Path(said.data[0]["path"]).name == f"xnas-itch-20250717.{path_name(symbol)}.mbo.dbn"
    stored, _ = at.bins()
    assert stored.manifest["capture"]["symbol"] == symbol
    assert paths.is_dataset_id(stored.path.name)
    assert symbol in at.vp("list-days", "--json").out
    assert at.vp("list-datasets").code == 0
    assert at.vp("verify").code == 0


@pytest.mark.parametrize("symbol", ["", " ESH4", "ESH4 ", "esh4", "ES\\n", "X" * 71, "MNQ.v.0"])
def test_text_that_is_no_raw_symbol_when_locked_then_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], symbol: str
) -> None:
    at = Odd(tmp_path, ARL._replace(symbol=symbol.replace("\\n", "\n")), capsys)
    said = at.vp("import", at.file(at.snapshot(), mappings={"ESH4": 1}))
    assert (said.code, "symbol" in said.err, said.err.count("\n")) == (2, True, 1), said


def test_two_symbols_never_share_a_name() -> None:
    texts = ["".join(letters) for n in (1, 2, 3, 4) for letters in itertools.product("A2B-b.+", repeat=n)]
    names = {path_name(text).lower() for text in texts}
    assert len(names) == len(texts)
    assert [path_name(text) for text in ("ESH4", "MNQH6", "ARL", "BRK.B")] == ["ESH4", "MNQH6", "ARL", "BRK.B"]
    assert path_name("BRN FMJ0024!") == "BRN-20FMJ0024-21"


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_recording_of_any_symbol_is_known_by_its_name_and_by_no_other_contract(symbol: str) -> None:
    path = Path(day_file_name("XNAS.ITCH", symbol, day := dt.date(2025, 7, 17)))
    assert day_of(path) == day
    assert [other for other in SYMBOLS if path.match(day_file_pattern("XNAS.ITCH", other))] == [symbol]
