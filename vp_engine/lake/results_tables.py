"""Small steps on tables of results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa


def completed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema` that an older version of the evaluation did not write: NaN, 0 or empty."""
    absent = {"double": math.nan, "int64": 0, "string": ""}
    for field in schema:
        if field.name not in table.column_names:
            column = pa.repeat(pa.scalar(absent[str(field.type)], field.type), table.num_rows)
            table = table.append_column(field, column)
    return table


def with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if value is None else value for name, value in row.items()}


def first_of(table: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """The first row of each distinct key, in the table's order."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for index, key in enumerate(zip(*(table[name].to_pylist() for name in keys), strict=True)):
        if key not in seen:
            seen.add(key)
            kept.append(index)
    return table.take(pa.array(kept, pa.int64()))
