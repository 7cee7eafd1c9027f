"""What a maker does with a damaged thing at its own address: set it aside, so that it is made again.

A thing is hashed before it is believed. Damage is looked at again under the folder's lock before anything is removed,
so that two makers at once do not remove what the other has just made whole. Raw days are roots and never come here.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import UnreachableError, VPError, causes
from vp_engine.lake import paths
from vp_engine.lake.books import find_book
from vp_engine.lake.datasets import DatasetInfo, find_dataset
from vp_engine.lake.results import ResultsDB
from vp_engine.lake.store import Lake, LakePath
from vp_engine.specs.capture import Capture

T = TypeVar("T")
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)  # a part that is not there is damage


def whole_dataset(lake: Lake, address: str) -> DatasetInfo | None:
    """The dataset of this address if every byte of it is as it was written, else None; a damaged one is removed."""
    folder = lake.path(paths.DATASETS)

    def look() -> DatasetInfo | None:
        found = find_dataset(lake, address)
        if found is not None:
            lake.verify_dir(found.path)
        return found

    def remove() -> None:
        for held in lake.entries(folder, f"*__{address[:12]}"):
            lake.remove(held)

    return _whole(lake, folder, look, remove)


def whole_book(lake: Lake, capture: Capture, address: str) -> BookCheckpoint | None:
    """The book cache of this address if it is as it was written, else None; a damaged one is removed."""
    target = lake.path(paths.book_path(capture, address))
    manifest = paths.manifest_path(target)

    def look() -> BookCheckpoint | None:
        if lake.entry(manifest) is not None:
            lake.verify_files(manifest)
        return find_book(lake, capture, address)

    return _whole(lake, target.parent, look, lambda: lake.remove(manifest))


def has_whole_sweep(results: ResultsDB, address: str) -> bool:
    """Whether the results of a sweep are there as they were written; damaged ones are removed."""
    lake = results.lake
    manifest = lake.path(paths.results_manifest(address))

    def look() -> bool:
        if not results.exists(address):
            return False
        lake.verify_files(manifest)
        results.read(address)
        return True

    return bool(_whole(lake, manifest.parent, look, lambda: lake.remove(manifest)))


def _whole(lake: Lake, folder: LakePath, look: Callable[[], T], remove: Callable[[], None]) -> T | None:
    """What `look` finds; None after `remove` where it finds damage twice, the second time alone in the folder."""
    try:
        return look()
    except (VPError, OSError) as error:
        if _says_nothing_of_the_bytes(error):
            raise
    with lake.locked(folder):
        try:
            return look()
        except (VPError, OSError) as error:
            if _says_nothing_of_the_bytes(error):
                raise
            remove()
            return None


def _says_nothing_of_the_bytes(error: BaseException) -> bool:
    """Whether reading failed, not what was read: no file handles left, no permission, a store that does not answer.
    What Arrow says of damaged bytes is an OSError without a number."""
    for cause in causes(error):
        if isinstance(cause, UnreachableError):
            return True
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno not in _MISSING:
            return True
    return False
