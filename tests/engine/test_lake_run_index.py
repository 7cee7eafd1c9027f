"""The index of runs: which files a look-up opens, and that a stale, missing or damaged index changes no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vp_engine.errors import LakeError, NotFoundError
from vp_engine.lake import Lake, paths
from vp_engine.lake import results as results_module
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA, ResultsDB
from vp_engine.lake.run_index import stored_index

_FILL = {"string": "{}", "int64": 10, "double": 0.5}


def table(schema: pa.Schema, rows: int, **given: list[Any]) -> pa.Table:
    return pa.Table.from_pydict({f.name: given.get(f.name, [_FILL[str(f.type)]] * rows) for f in schema}, schema)


def commit(lake: Lake, number: int, run_id: str, n_trials: int = 10) -> None:
    address = f"{number:064x}"
    own = {"run_id": [run_id], "sweep_address": [address]}
    meta = table(RUNS_META_SCHEMA, 1, **own, n_trials=[n_trials], selection_sort=[""])
    ResultsDB(lake).write(address, meta, table(RUNS_SCHEMA, 1, **own))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(tmp_path / "lake")
    for number in range(6):
        commit(found, number, f"{number:016x}")
    return found


@pytest.fixture
def opened(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the Parquet files of results that are opened, in order."""
    names: list[str] = []
    original = results_module.open_source

    def counted(path: Any) -> Any:
        names.append(f"{path.parent.name}/{path.name}")
        return original(path)

    monkeypatch.setattr(results_module, "open_source", counted)
    return names


def test_detail_when_the_index_is_there_opens_the_two_files_of_one_sweep_once(lake: Lake, opened: list[str]) -> None:
    results = ResultsDB(lake)
    for _ in range(3):
        assert results.detail(f"{4:016x}")["sweep_address"] == f"{4:064x}"
        assert results.best_row(f"{4:016x}")["run_id"] == f"{4:016x}"
    assert opened == [f"runs_meta/{4:064x}.parquet", f"runs/{4:064x}.parquet"]


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_detail_when_the_index_cannot_be_used_reads_every_sweep_once_and_writes_nothing(
    lake: Lake, opened: list[str], harm: str
) -> None:
    index = lake.path(paths.RUN_INDEX)
    index.unlink() if harm == "missing" else index.write_bytes(index.read_bytes()[:-40])
    before = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")}
    results = ResultsDB(lake)
    for number in range(6):
        assert results.detail(f"{number:016x}")["run_id"] == f"{number:016x}"
    assert len(opened) == 6 + 2 * 6
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")} == before
    commit(lake, 6, "a" * 16)
    assert len(stored_index(lake).sweeps) == 7


def test_detail_when_a_sweep_was_added_or_deleted_meanwhile_sees_it(lake: Lake) -> None:
    results = ResultsDB(lake)
    assert results.detail(f"{1:016x}")["n_trials"] == 10
    commit(lake, 7, f"{1:016x}", n_trials=20)
    assert results.detail(f"{1:016x}")["n_trials"] == 20
    lake.remove(lake.path(paths.results_manifest(f"{7:064x}")))
    assert results.detail(f"{1:016x}")["n_trials"] == 10
    lake.remove(lake.path(paths.results_manifest(f"{1:064x}")))
    with pytest.raises(NotFoundError, match="no run"):
        results.detail(f"{1:016x}")


def test_detail_when_another_sweep_is_damaged_still_answers(lake: Lake) -> None:
    lake.path(paths.RUN_INDEX).unlink()
    lake.path(paths.results_paths(f"{2:064x}")[0]).write_bytes(b"no parquet")
    results = ResultsDB(lake)
    assert results.detail(f"{3:016x}")["run_id"] == f"{3:016x}"
    with pytest.raises(NotFoundError, match="1 damaged sweeps were left out"):
        results.detail(f"{2:016x}")


def test_detail_when_one_of_two_sweeps_of_a_run_is_damaged_takes_the_whole_one(lake: Lake) -> None:
    """The index is whole here: only the figures of the sweep among the most trials cannot be read."""
    commit(lake, 7, f"{1:016x}", n_trials=20)
    lake.path(paths.results_paths(f"{7:064x}")[1]).write_bytes(b"no parquet")
    told: list[str] = []
    results = ResultsDB(lake, lambda address, error: told.append(address))
    assert results.detail(f"{1:016x}")["n_trials"] == 10
    assert told == [f"{7:064x}"]
    with pytest.raises(LakeError, match="run the experiment again"):
        ResultsDB(lake).detail(f"{1:016x}")


def test_detail_when_the_only_sweep_of_a_run_is_damaged_says_so(lake: Lake) -> None:
    lake.path(paths.results_paths(f"{1:064x}")[1]).write_bytes(b"no parquet")
    with pytest.raises(LakeError, match="run the experiment again"):
        ResultsDB(lake, lambda address, error: None).detail(f"{1:016x}")


def test_index_when_another_writer_replaced_it_with_an_older_one_is_completed_by_the_next(lake: Lake) -> None:
    older = lake.read_bytes(lake.path(paths.RUN_INDEX))
    commit(lake, 8, "8" * 16)
    lake.path(paths.RUN_INDEX).write_bytes(older)
    assert ResultsDB(lake).detail("8" * 16)["run_id"] == "8" * 16
    commit(lake, 9, "9" * 16)
    assert {f"{8:064x}", f"{9:064x}"} <= stored_index(lake).sweeps.keys()
