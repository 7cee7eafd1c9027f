"""The book that a raw day leaves behind against the snapshot that the next one opens with: equal, if both are whole.

Replaying a day costs seconds, so what was found is kept in the lake at its address.
"""

from __future__ import annotations

import datetime as dt

from vp_assets.research.requests import BookRequest, Chain
from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.book.snapshots import SnapshotDifferences, snapshot_differences
from vp_engine.errors import LakeError
from vp_engine.hashing import address
from vp_engine.lake import RawDay, find_raw
from vp_engine.lake.paths import carried_path
from vp_engine.lake.store import LakePath
from vp_engine.stream import build_checkpoint

_LONGEST_BREAK = 4  # days: a weekend with a holiday
_SYNTHETIC = "synthetic"


def carried(chain: Chain, request: BookRequest) -> SnapshotDifferences | str:
    """How the snapshot of a book's raw day differs from the book carried up to it, or why that cannot be said."""
    later = request.raw
    if later.manifest.source == _SYNTHETIC:
        return "every synthetic day is a market of its own"
    earlier = _before(chain, later)
    if earlier is None:
        return f"no raw day of the {_LONGEST_BREAK} days before is in the lake"
    at = address("carried_book", BOOK_CODE_VERSION, {"tick_int": request.config.tick_int},
                 [earlier.manifest.address, later.manifest.address])  # fmt: skip
    note = chain.lake.path(carried_path(at))
    if (held := _noted(chain, note)) is not None:
        return held
    found = differences(request, earlier)
    chain.lake.commit_document(note, found._asdict())
    return found


def _noted(chain: Chain, note: LakePath) -> SnapshotDifferences | None:
    """What was found before; a note that is damaged is as good as none."""
    try:
        held = chain.lake.read_manifest(note) if chain.lake.exists(note) else None
        return None if held is None else SnapshotDifferences(*(int(held[name]) for name in SnapshotDifferences._fields))
    except (LakeError, KeyError):
        return None


def differences(request: BookRequest, earlier: RawDay) -> SnapshotDifferences:
    """Replay the earlier day to its end and the later one through its snapshot, which has one time."""
    opened_ns = request.raw.manifest.first_ts_ns
    left, opened = (
        build_checkpoint(day.file(), request.config, request.capture._replace(warmup_start_ns=until_ns))
        for day, until_ns in ((earlier, opened_ns), (request.raw, opened_ns + 1))
    )
    return snapshot_differences(left.orders, opened.orders)


def _before(chain: Chain, later: RawDay) -> RawDay | None:
    """The raw day before another of the same source, over a weekend too."""
    for back in range(1, _LONGEST_BREAK + 1):
        found = find_raw(chain.lake, chain.lock, later.manifest.day - dt.timedelta(days=back), later.manifest.source)
        if found is not None:
            return found
    return None
