"""Damaged model files: a dozen that crash or hold the reader, and any number changed at random places."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vp_engine.hashing import sha256_bytes
from vp_engine.lake import Lake
from vp_engine.lake.manifests import sealed
from vp_engine.lake.models import models_dir

SIGNALS = {"LightGbm": "gbm_mf", "XgBoost": "xgb_snap"}  # by the class that reads their models


def _first_number(line: bytes, other: bytes) -> Callable[[bytes], bytes]:
    """The first number of a line of LightGBM's text becomes another."""
    return lambda content: re.sub(rb"\n%s=-?\d+" % line, b"\n%s=%s" % (line, other), content, count=1)


def _without_line(line: bytes) -> Callable[[bytes], bytes]:
    return lambda content: re.sub(rb"\n%s=[^\n]*" % line, b"", content, count=1)


def _first_item(name: bytes, other: int) -> Callable[[bytes], bytes]:
    """The first number of an array of int32 of XGBoost's UBJSON becomes another."""

    def change(content: bytes) -> bytes:
        at = content.index(name + b"[$l#L") + len(name) + 13
        return content[:at] + other.to_bytes(4, "big", signed=True) + content[at + 4 :]

    return change


def _other_length(name: bytes, length: int) -> Callable[[bytes], bytes]:
    """An array of XGBoost's UBJSON says that it has so many items."""

    def change(content: bytes) -> bytes:
        at = content.index(name + b"[$") + len(name) + 5
        return content[:at] + length.to_bytes(8, "big") + content[at + 8 :]

    return change


DAMAGES: dict[str, dict[str, Callable[[bytes], bytes]]] = {
    "LightGbm": {
        "a split by a feature that is not there": _first_number(b"split_feature", b"2147483647"),
        "a child out of the tree": _first_number(b"left_child", b"1000000"),
        "a child far before the tree": _first_number(b"right_child", b"-2000000000"),
        "a child that is its own parent": _first_number(b"left_child", b"0"),
        "a tree without values": _without_line(b"leaf_value"),
        "a tree without children": _without_line(b"left_child"),
    },
    "XgBoost": {
        "a child out of the tree": _first_item(b"left_children", 2_000_000_000),
        "a child that is its own parent": _first_item(b"left_children", 0),
        "a split by a feature that is not there": _first_item(b"split_indices", 2_000_000_000),
        "an array longer than any memory": _other_length(b"split_conditions", 1 << 60),
        "an array of a gigabyte that is not there": _other_length(b"base_weights", 1 << 28),
        "a name longer than any file": lambda content: content.replace(
            bytes(7) + b"\x07parents", b"\x00\x00\x00\x7f\x00\x00\x00\x07parents", 1
        ),
    },
}


def mutation(kind: str, content: bytes, seed: int) -> bytes:
    """The file with something changed."""
    random = np.random.default_rng(seed)
    return (_other_text if kind == "LightGbm" else _other_bytes)(content, random)


def forge(lake: Lake, address: str, at: int, damage: Callable[[bytes], bytes]) -> Path:
    """Damage a file of stored models and write a manifest that vouches for it; the file."""
    folder = lake.path(models_dir(address))
    manifest = lake.read_manifest(folder / "manifest.json")
    refit = manifest["refits"][at]
    file = Path(str(folder / refit["file"]))
    content = damage(file.read_bytes())
    facts = {"bytes": len(content), "sha256": sha256_bytes(content)}
    refit.update(facts)
    for listing in manifest.values():
        if isinstance(listing, dict) and isinstance(listing.get(file.name), dict):
            listing[file.name].update(facts)
    file.write_bytes(content)
    Path(str(folder / "manifest.json")).write_bytes(sealed(manifest))
    return file


def _other_text(content: bytes, random: np.random.Generator) -> bytes:
    text = content.decode()
    way = random.integers(4)
    if way <= 1:  # a few numbers, most of them whole, become others
        for _ in range(random.integers(1, 4)):
            found = list(re.finditer(r"-?\d+", text))
            number = found[random.integers(len(found))]
            other = str(random.choice([-1, 0, 1, 7, 10**6, 2**31 - 1, -(2**31), 10**18]))
            text = text[: number.start()] + other + text[number.end() :]
        return text.encode()
    if way == 2:  # a line is lost or stands twice
        lines = text.splitlines(keepends=True)
        at = random.integers(len(lines))
        lines[at : at + 1] = [] if random.integers(2) else [lines[at]] * 2
        return "".join(lines).encode()
    return _other_bytes(content, random)


def _other_bytes(content: bytes, random: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    way = random.integers(4)
    at = int(random.integers(len(damaged)))
    if way == 0:
        damaged[at : at + 4] = random.bytes(4)
    elif way == 1:
        damaged[at] = random.choice([0x00, 0x7F, 0x80, 0xFF])
    elif way == 2:
        del damaged[at : at + int(random.integers(1, 9))]
    else:
        for place in random.integers(len(damaged), size=8):
            damaged[place] = random.integers(256)
    return bytes(damaged)
