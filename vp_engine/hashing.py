"""Addresses: what a derived thing is, as a sha256 over canonical JSON.

`address = sha256({kind, code version, resolved parameters, addresses of inputs})`. Time, host and names never enter.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SHORT = 12  # hex digits of an address in names people read
_CHUNK = 1 << 20
_PLAIN = frozenset({str, int, bool})
_SIGNATURE = "# sha256 of the lines above: "


def _checked(value: Any) -> Any:
    """The value as JSON can hold it exactly; floats that are whole numbers stay floats (1.0 is not 1)."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {str(key): _checked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_checked(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} has no place in an address")
    if isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{type(value).__name__} has no place in an address")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(_checked(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_text(text: str) -> str:
    """Hex sha256 of UTF-8 text."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_bytes(content: bytes) -> str:
    """Hex sha256 of bytes in memory."""
    return hashlib.sha256(content).hexdigest()


def address(kind: str, code_version: str, params: Mapping[str, Any], inputs: Sequence[str]) -> str:
    """64 hex digits that name one derived thing; order of `inputs` counts."""
    return sha256_text(
        canonical_json({"kind": kind, "code_version": code_version, "params": params, "inputs": list(inputs)})
    )


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in bounded memory."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def signed_text(text: str) -> str:
    """Text with a last line that holds the sha256 of all before it; a comment to YAML."""
    return f"{text}{_SIGNATURE}{sha256_text(text)}\n"


def signature_holds(text: str) -> bool | None:
    """Whether the last line of a signed text agrees with the rest; None for a text without one."""
    rest, mark, digest = text.rpartition(_SIGNATURE)
    if not mark:
        return None
    return digest == sha256_text(rest) + "\n" and (rest.endswith("\n") or not rest)


def unsigned_text(text: str) -> str:
    """A signed text without its last line; one that is not signed as it is."""
    return text.rpartition(_SIGNATURE)[0] if _SIGNATURE in text else text
