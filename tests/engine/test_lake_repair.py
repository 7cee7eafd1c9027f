"""What a maker sets aside: damaged bytes, and never those that could not be read just now."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lake_kit import ADDRESS, write_random

from vp_engine.errors import LakeError, UnreachableError
from vp_engine.lake import Lake, find_dataset
from vp_engine.lake.objects import said
from vp_engine.lake.repair import _whole, has_whole_sweep, whole_dataset
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA, ResultsDB


def wrapped(error: OSError) -> LakeError:
    told = LakeError("grid_clean.parquet cannot be read")
    told.__cause__ = error
    return told


def refused() -> UnreachableError:
    with pytest.raises(UnreachableError) as caught, said("s3://bucket/grid.parquet"):
        raise TimeoutError("no answer within 60 s")
    return caught.value


@pytest.mark.parametrize(
    "failure",
    [
        lambda: OSError(errno.EMFILE, "Too many open files"),
        lambda: PermissionError(errno.EACCES, "Permission denied"),
        lambda: wrapped(OSError(errno.ESTALE, "Stale file handle")),
        lambda: wrapped(OSError(errno.EIO, "Input/output error")),
        refused,
    ],
)
@pytest.mark.parametrize("whole_at_first", [False, True])
def test_what_cannot_be_read_now_is_told_and_not_removed(
    tmp_path: Path, failure: Callable[[], Exception], whole_at_first: bool
) -> None:
    removed: list[int] = []
    looked = iter([LakeError("differs from its manifest")] if whole_at_first else [])

    def look() -> None:
        raise next(looked, None) or failure()

    with pytest.raises((OSError, LakeError)) as caught:
        _whole(Lake(tmp_path), tmp_path, look, lambda: removed.append(1))
    assert type(caught.value) is type(failure())
    assert removed == []


@pytest.mark.parametrize(
    "failure",
    [
        LakeError("grid_clean.parquet differs from its manifest"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        wrapped(OSError("Couldn't deserialize thrift: TProtocolException")),  # Arrow's, of damaged bytes
    ],
)
def test_damage_is_removed_once_it_is_seen_alone(tmp_path: Path, failure: Exception) -> None:
    removed: list[int] = []

    def look() -> None:
        raise failure

    assert _whole(Lake(tmp_path), tmp_path, look, lambda: removed.append(1)) is None
    assert removed == [1]


def failing(error):
    def fail(*args, **options):
        raise error

    return fail


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("step", ["read", "digest"])
def test_a_dataset_that_cannot_be_read_now_stays(lake, monkeypatch, number, step):
    info = write_random(lake)
    at = (lake, "digest") if step == "digest" else (lake._room, "read")
    with monkeypatch.context() as patch:
        patch.setattr(*at, failing(OSError(number, "boom")))
        with pytest.raises(OSError, match="boom"):
            whole_dataset(lake, ADDRESS)
    assert whole_dataset(lake, ADDRESS) == info


def test_a_part_that_may_be_there_is_not_missing(lake, monkeypatch):
    info = write_random(lake)
    stat = type(info.path).stat

    def stale(path, **options):
        if path.suffix == ".parquet":
            raise OSError(errno.ESTALE, "boom")
        return stat(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(info.path), "stat", stale)
        with pytest.raises(OSError, match="boom"):
            whole_dataset(lake, ADDRESS)
    assert whole_dataset(lake, ADDRESS) == info


@pytest.mark.parametrize("error", [TimeoutError("boom"), ConnectionError("boom"), RuntimeError("boom")])
def test_a_store_that_does_not_answer_loses_nothing(tmp_path, monkeypatch, error):
    lake = Lake(f"memory://repair-{tmp_path.name}", tmp_path / "cache")
    info = write_random(lake)
    with monkeypatch.context() as patch:
        patch.setattr(type(lake._room.fs), "open", failing(error))
        with pytest.raises(UnreachableError, match="boom"):
            whole_dataset(lake, ADDRESS)
    assert whole_dataset(lake, ADDRESS).address == info.address


@pytest.mark.parametrize("how", ["flipped", "cut", "missing", "manifest"])
def test_a_damaged_dataset_goes(lake, how):
    path = (info := write_random(lake)).file("bins.parquet")
    if how == "missing":
        path.unlink()
    else:
        path = info.path / "manifest.json" if how == "manifest" else path
        content = path.read_bytes()
        path.write_bytes(content[:-1] + (b"" if how == "cut" else bytes([content[-1] ^ 1])))
    assert whole_dataset(lake, ADDRESS) is None
    assert not info.path.exists()
    assert find_dataset(lake, ADDRESS) is None


def test_results_that_cannot_be_read_now_stay_and_damaged_ones_go(lake, monkeypatch):
    results = ResultsDB(lake)
    results.write(ADDRESS, RUNS_META_SCHEMA.empty_table(), RUNS_SCHEMA.empty_table())
    for error in (OSError(errno.EMFILE, "boom"), TimeoutError("boom"), pa.ArrowMemoryError("boom")):
        with monkeypatch.context() as patch:
            patch.setattr(pq, "read_table", failing(error))
            with pytest.raises(LakeError, match="boom"):
                has_whole_sweep(results, ADDRESS)
        assert has_whole_sweep(results, ADDRESS)
    path = results.files(ADDRESS)[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert not has_whole_sweep(results, ADDRESS)
    assert results.sweeps() == []
