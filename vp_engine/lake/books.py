"""Book caches: the book at a capture's warm-up start, by address, each with its manifest beside it."""

from __future__ import annotations

from collections.abc import Sequence

from vp_engine.book.checkpoint import BOOK_CODE_VERSION, BookCheckpoint
from vp_engine.errors import LakeError
from vp_engine.lake import paths
from vp_engine.lake.manifests import listed
from vp_engine.lake.store import Lake, LakePath, beside
from vp_engine.specs.capture import Capture

SCHEMA_VERSION = 1  # of the manifest


def find_book(lake: Lake, capture: Capture, address: str) -> BookCheckpoint | None:
    """The stored book, or None; LakeError or BookError if the file is damaged."""
    path = find_book_file(lake, capture, address)
    return None if path is None else BookCheckpoint.from_bytes(lake.read_bytes(path), path.name)


def find_book_file(lake: Lake, capture: Capture, address: str) -> LakePath | None:
    """The stored book's file, or None."""
    where = paths.manifest_path(lake.path(paths.book_path(capture, address)))
    if lake.entry(where) is None:
        return None
    for at, _ in listed(lake.read_manifest(where), where).values():
        return beside(where, at)
    raise LakeError(f"{where}: names no file; delete it and generate again")


def write_book(
    lake: Lake, capture: Capture, address: str, checkpoint: BookCheckpoint, raw_addresses: Sequence[str] = ()
) -> LakePath:
    """Commit a book made from these raw files; the path it has afterwards. A book that is there stays."""
    target = lake.path(paths.book_path(capture, address))
    document = {
        "schema_version": SCHEMA_VERSION,
        "kind": "book",
        "address": address,
        "code_version": BOOK_CODE_VERSION,
        "symbol": capture.symbol,
        "dt": capture.dt.isoformat(),
        "inputs": {"raw": list(raw_addresses)},
    }
    with lake.staged(target) as staged:
        checkpoint.save(staged)
        lake.commit_loose(paths.manifest_path(target), document, {target.name: (staged, target)})
    found = find_book_file(lake, capture, address)
    if found is None:
        raise LakeError(f"{target}: was deleted while it was written; generate again")
    return found
