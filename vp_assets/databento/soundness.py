"""Whether a file that arrived is what was sent: its hash, its end, its number of records.

The vendor's own reader goes over it first; the lake reads it a second time, more strictly, when it comes in.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import databento
import zstandard
from databento.common.error import BentoError, BentoWarning
from databento_dbn import DBNError

from vp_assets.databento.patience import CutShort
from vp_engine.hashing import sha256_file

_CHUNK = 1_000_000  # records held at a time: 56 MB


def require_hash(path: Path, name: str, sha256: str, n_bytes: int) -> None:
    """CutShort unless the file has the hash and size that the job lists."""
    if path.stat().st_size != n_bytes:
        raise CutShort(f"{name} has {path.stat().st_size} bytes, the job lists {n_bytes}")
    if sha256_file(path) != sha256:
        raise CutShort(f"{name} has another sha256 than the job lists")


def require_records(path: Path, name: str, expected: int) -> None:
    """CutShort unless the file reads to a clean end and holds as many records as the vendor counts."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", BentoWarning)
            store = databento.DBNStore.from_file(path)
            read = sum(chunk.size for chunk in store.to_ndarray(count=_CHUNK))
    except (BentoError, BentoWarning, DBNError, zstandard.ZstdError, ValueError) as error:
        raise CutShort(f"{name} is cut or corrupt ({error})") from None
    if read != expected:
        raise CutShort(f"{name} holds {read:,} records, Databento counts {expected:,}")
