"""Queries of docs/queries.md: each section is a heading, a sentence, the SQL and the result as a table.

`python -m tests.assets.golden_queries LAKE CONFIGS` runs them over a lake and writes the results into the page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from vp_engine.lake import Lake
from vp_engine.lake.catalog import Catalog
from vp_engine.specs import SpecBook, load_instrument

PAGE = Path(__file__).parents[2] / "docs/queries.md"
_SECTION = re.compile(r"(## (\d+)\. ([^\n]+)\n\n.*?```sql\n(.*?)```\n\n)(\|.*?\n)(?=\n|\Z)", re.DOTALL)


class Query(NamedTuple):
    """One section: number, title, SQL, and the result that the page shows."""

    number: int
    title: str
    sql: str
    result: str


def queries() -> list[Query]:
    """All sections of the page in order."""
    return [Query(int(found[2]), found[3], found[4], found[5]) for found in _SECTION.finditer(PAGE.read_text())]


def markdown(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Rows as a table; floats with few digits, as sums of floats depend on their order in the last ones."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.2f}"
    return "" if value is None else str(value)


def catalog(lake: Lake, configs: Path) -> Catalog:
    """SQL over a lake with its serving specs."""
    from vp_engine.lake.paths import promoted_serving_dir

    return Catalog(lake, SpecBook.load(configs, promoted_serving_dir(lake), load_instrument()))


def rewrite(answer: Callable[[str], str]) -> None:
    """Every result anew."""
    PAGE.write_text(_SECTION.sub(lambda found: found[1] + answer(found[4]), PAGE.read_text()))


if __name__ == "__main__":
    with catalog(Lake(sys.argv[1]), Path(sys.argv[2])) as held:

        def answer(sql: str) -> str:
            table = held.sql(sql)
            return markdown(table.to_pylist(), table.column_names)

        rewrite(answer)
