"""What a maker sets aside: damaged bytes, and never those that could not be read just now."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from vp_engine.errors import LakeError, UnreachableError
from vp_engine.lake import Lake
from vp_engine.lake.objects import said
from vp_engine.lake.repair import _whole


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
