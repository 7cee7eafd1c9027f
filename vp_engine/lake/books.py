"""Book caches: the book at a capture's warm-up start, by address."""

from __future__ import annotations

from pathlib import Path

from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.lake import paths
from vp_engine.lake.store import Lake
from vp_engine.specs.capture import Capture


def find_book(lake: Lake, capture: Capture, address: str) -> BookCheckpoint | None:
    """The stored book, or None; LakeError or BookError if the file is damaged."""
    path = lake.path(paths.book_path(capture, address))
    return BookCheckpoint.load(path) if lake.exists(path) else None


def write_book(lake: Lake, capture: Capture, address: str, checkpoint: BookCheckpoint) -> Path:
    """Commit a book; the path it has afterwards."""
    path = lake.path(paths.book_path(capture, address))
    with lake.commit_file(path) as temporary:
        checkpoint.save(temporary)
    return path
