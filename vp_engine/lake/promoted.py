"""Promoted serving specs: YAML whose last line, a comment, is the sha256 of the lines above."""

from __future__ import annotations

from vp_engine.errors import LakeError
from vp_engine.hashing import signature_holds, signed_text, unsigned_text
from vp_engine.lake import paths
from vp_engine.lake.store import Lake, LakePath


def commit_promoted(lake: Lake, name: str, text: str) -> LakePath:
    """Write a spec under its name, over what was there; its path."""
    path = paths.promoted_serving_path(lake, name)
    lake.commit_bytes(path, signed_text(text).encode())
    return path


def read_promoted(lake: Lake, path: LakePath) -> str:
    """The text of a promoted spec without its last line; LakeError if a byte of it has changed."""
    try:
        text = lake.read_bytes(path).decode()
    except UnicodeDecodeError:
        text = None
    if text is None or signature_holds(text) is False:
        raise LakeError(f"{path}: differs from its own last line; promote it again")
    if signature_holds(text) is None:
        raise LakeError(f"{path}: carries no digest of its own, so it cannot be trusted; promote it again")
    return unsigned_text(text)
