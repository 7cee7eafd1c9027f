"""Every query of docs/queries.md gives what the page shows, over the lake it names; wrong SQL is one line."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assets.conftest import World, say
from tests.assets.golden_queries import Query, catalog, markdown, queries
from vp_assets.defs.resources import LakeSQL
from vp_engine.lake import Lake
from vp_engine.lake.catalog import VIEWS, Catalog

QUERIES = queries()


@pytest.fixture(scope="module")
def held(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """The world's lake with a second dataset, as the page says."""
    from vp_assets import cli

    root = tmp_path_factory.mktemp("queries") / "lake"
    shutil.copytree(world.lake, root)
    options = ["--lake-root", str(root), "--config-dir", str(world.configs)]
    assert cli.run(["generate", "every_day", "--day", "2026-02-06", "--json", *options]) == 0
    with catalog(Lake(root), world.configs) as found:
        yield found


def test_the_page_has_twenty_queries_over_every_view() -> None:
    assert [query.number for query in QUERIES] == list(range(1, 21))
    text = " ".join(query.sql for query in QUERIES)
    assert [view for view in VIEWS if f" {view}" not in text.replace("\n", " ")] == []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.number}")
def test_a_query_gives_what_the_page_shows(held: Catalog, query: Query) -> None:
    table = held.sql(query.sql)
    assert markdown(table.to_pylist(), table.column_names) == query.result


def test_the_resource_has_the_same_views(held: Catalog) -> None:
    with LakeSQL(lake_root=str(held.lake.root)).catalog() as mine:
        for view in VIEWS[:-1]:  # serving specs want a folder of specs
            assert mine.sql(f"SELECT count(*) FROM {view}") == held.sql(f"SELECT count(*) FROM {view}"), view


def test_wrong_sql_is_one_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for query in ("SELEC 1", "SELECT nothing FROM bins", "SELECT * FROM nowhere"):
        said = say(capsys, "sql", query, "--lake-root", world.lake, "--config-dir", world.configs)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), said
        assert said.err.startswith("vp: SQL: ")


def test_the_prompt_goes_on_after_a_mistake(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELEC 1\nSELECT 41 + 1 AS answer\n"))
    said = say(capsys, "sql", "--lake-root", world.lake, "--config-dir", Path(world.configs))
    assert said.code == 0
    assert "42" in said.out
    assert "SQL: " in said.out
