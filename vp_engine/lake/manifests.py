"""Manifests: JSON that vouches for files and for itself.

`files` says of each file where it is (relative to the manifest), its bytes and their sha256; `digest` is the sha256 of
the rest as it would be written alone. The same content is always the same text, so no byte of it can change unseen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vp_engine.errors import LakeError
from vp_engine.hashing import sha256_bytes, sha256_file

MANIFEST = "manifest.json"
CHECKSUMS = "checksums.json"
DIGEST = "digest"
FILES = "files"


class FileSum(NamedTuple):
    """A file's bytes: how many, and their sha256."""

    bytes: int
    sha256: str


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON for people: sorted, indented, one newline at the end."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON into a place that is not visible yet (a temporary name)."""
    path.write_bytes(json_bytes(value))


def parse_json(content: bytes, where: object) -> dict[str, Any]:
    """A JSON object; LakeError if it is none."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise LakeError(f"{where}: not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise LakeError(f"{where}: expected a JSON object")
    return value


def sealed(document: Mapping[str, Any]) -> bytes:
    """A document as it is stored, with its own digest."""
    content = {key: value for key, value in document.items() if key != DIGEST}
    return json_bytes({**content, DIGEST: sha256_bytes(json_bytes(content))})


def unsealed(content: bytes, where: object) -> dict[str, Any]:
    """The document of stored bytes; LakeError if a byte differs from what `sealed` wrote."""
    document = parse_json(content, where)
    if DIGEST not in document:
        raise LakeError(f"{where}: carries no digest of its own, so it cannot be trusted; make it again")
    if sealed(document) != content:
        raise LakeError(f"{where}: differs from its own digest; delete what it describes and make it again")
    return {key: value for key, value in document.items() if key != DIGEST}


def sum_file(path: Path) -> FileSum:
    """Size and sha256 of a local file."""
    return FileSum(path.stat().st_size, sha256_file(path))


def listed(document: Mapping[str, Any], where: object) -> dict[str, tuple[str, FileSum]]:
    """(place relative to the manifest, sum) of each file that a manifest vouches for, by its name."""
    try:
        return {
            str(name): (str(held["at"]), FileSum(int(held["bytes"]), str(held["sha256"])))
            for name, held in document[FILES].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise LakeError(f"{where}: does not say which files it vouches for; make them again") from None


def files_entry(placed: Mapping[str, tuple[str, FileSum]]) -> dict[str, Any]:
    """The part of a manifest that `listed` reads."""
    return {name: {"at": at, **held._asdict()} for name, (at, held) in placed.items()}
