"""Whether a file that arrived is what was sent: its hash, its end, its number of records.

The vendor's own reader goes over it first; the lake reads it a second time, more strictly, when it comes in.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import databento
import numpy as np
import zstandard
from databento import BentoError
from databento_dbn import DBNError

from vp_assets.databento.client_internals import BentoWarning
from vp_assets.databento.retry import CutShort
from vp_engine.feed import F_SNAPSHOT
from vp_engine.hashing import sha256_file

_CHUNK = 1_000_000  # records held at a time: 56 MB


def require_hash(path: Path, name: str, sha256: str, n_bytes: int) -> None:
    """CutShort unless the file has the hash and size that the job lists."""
    if path.stat().st_size != n_bytes:
        raise CutShort(f"{name} has {path.stat().st_size} bytes, the job lists {n_bytes}")
    if sha256_file(path) != sha256:
        raise CutShort(f"{name} has another sha256 than the job lists")


def require_records(path: Path, name: str, expected: int) -> str:
    """How the vendor's count agrees with the file, in words for the manifest; CutShort unless the file reads to a clean
    end and it does.

    What the vendor counts is documented to the record for whole days, but not whether that includes the snapshot that
    it writes at midnight itself. Each of the ways to count is exact, so a file that is short matches none.
    """
    read = flagged = opening = 0
    opens = True  # nothing but the opening snapshot has been read
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", BentoWarning)
            store = databento.DBNStore.from_file(path)
            for chunk in store.to_ndarray(count=_CHUNK):
                in_snapshot = (chunk["flags"] & F_SNAPSHOT) != 0
                read, flagged = read + chunk.size, flagged + int(in_snapshot.sum())
                if opens:
                    opens = bool(in_snapshot.all())
                    opening += chunk.size if opens else int(np.argmin(in_snapshot))
    except (BentoError, BentoWarning, DBNError, zstandard.ZstdError, ValueError) as error:
        raise CutShort(f"{name} is cut or corrupt ({error})") from None
    ways = {
        "all records": read,
        f"all but the {opening:,} of the opening snapshot": read - opening,
        f"all but the {flagged:,} of snapshots": read - flagged,
    }
    for way, count in ways.items():
        if count == expected:
            return way
    raise CutShort(f"{name} holds {read:,} records, Databento counts {expected:,}")
