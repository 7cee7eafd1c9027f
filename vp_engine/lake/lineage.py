"""What a lake holds and what was made of what, read from manifests; and how to delete one thing of it safely.

A thing's `inputs` are addresses. Raw days are the roots; everything else can be made again while its roots stay.
Deleting makes a thing invisible first and frees its bytes after, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from vp_engine.errors import ConfigError, LakeError
from vp_engine.hashing import SHORT, sha256_bytes
from vp_engine.lake import paths
from vp_engine.lake.datasets import list_datasets
from vp_engine.lake.raw import list_raw
from vp_engine.lake.results import ResultsDB
from vp_engine.lake.store import MANIFEST, Lake
from vp_engine.specs.base import load_yaml_spec
from vp_engine.specs.serving import ServingSpec

RAW, BOOK, DATASET, RESULTS = "raw", "book", "dataset", "results"
MODELS, PROMOTED, CAMPAIGN = "models", "promoted", "campaign"
KINDS = (RAW, BOOK, DATASET, RESULTS, MODELS, PROMOTED, CAMPAIGN)  # inputs before what is made of them


class Thing(NamedTuple):
    """One committed thing. address: 64 hex digits. paths: what goes when it is deleted, the part that makes it visible
    first. day: UTC day of raw data, Eastern date of the rest, None where it has none. written: UTC."""

    kind: str
    name: str
    address: str
    inputs: tuple[str, ...]
    paths: tuple[Path, ...]
    bytes: int
    day: dt.date | None
    written: dt.datetime


class Lineage:
    """Everything in a lake at one moment, in order of kind and name."""

    def __init__(self, things: Iterable[Thing]) -> None:
        self.things = tuple(sorted(things, key=lambda thing: (KINDS.index(thing.kind), thing.name)))
        self._of: dict[str, Thing] = {thing.address[:SHORT]: thing for thing in self.things}
        self._users: dict[str, list[Thing]] = {}
        for thing in self.things:
            for address in dict.fromkeys(address[:SHORT] for address in thing.inputs):
                self._users.setdefault(address, []).append(thing)

    def find(self, address: str) -> Thing | None:
        """The thing of this address (12 to 64 hex digits), or None."""
        found = self._of.get(address[:SHORT])
        return found if found is not None and _agree(found.address, address) else None

    def of_kind(self, *kinds: str) -> list[Thing]:
        """Things of these kinds."""
        return [thing for thing in self.things if thing.kind in kinds]

    def users(self, thing: Thing) -> list[Thing]:
        """Things that name this one as an input."""
        return [user for user in self._users.get(thing.address[:SHORT], []) if user is not thing]

    def dependents(self, thing: Thing) -> list[Thing]:
        """Everything made of this one, directly or through others; what is nearest comes first."""
        found: dict[str, Thing] = {}
        ahead = [thing]
        while ahead:
            for user in self.users(ahead.pop(0)):
                if user.address not in found:
                    found[user.address] = user
                    ahead.append(user)
        return list(found.values())

    def missing(self, thing: Thing) -> list[str]:
        """Addresses of the inputs that the lake does not hold."""
        return [address for address in thing.inputs if self.find(address) is None]

    def roots(self, thing: Thing) -> list[Thing] | None:
        """Raw days behind a thing; None if one of them is gone, so that it could not be made again."""
        found: dict[str, Thing] = {}
        for address in thing.inputs:
            held = self.find(address)
            if held is None:
                # a book that is gone is made again from raw days that the dataset names itself
                if thing.kind == DATASET and any(self._is_raw(other) for other in thing.inputs):
                    continue
                return None
            below = [held] if held.kind == RAW else self.roots(held)
            if below is None:
                return None
            found |= {root.address: root for root in below}
        return list(found.values()) if found or not thing.inputs else None

    def _is_raw(self, address: str) -> bool:
        held = self.find(address)
        return held is not None and held.kind == RAW


def inventory(lake: Lake) -> Lineage:
    """What the lake holds now. LakeError for a thing whose manifest cannot be read."""
    return Lineage((*_raws(lake), *_books(lake), *_datasets(lake), *_results(lake), *_models(lake), *_promoted(lake),
                    *_campaigns(lake)))  # fmt: skip


def delete(lake: Lake, thing: Thing) -> int:
    """Delete one thing; the bytes that are free now. ConfigError for a raw day, which nothing can make again.

    What was made of it stays and can still be read; who must not lose it is the caller's business (`users`).
    """
    if thing.kind == RAW:
        raise ConfigError(f"{thing.name}: raw days are never deleted by the program")
    for path in thing.paths:
        lake.remove(path)
    return thing.bytes


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _written(*files: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(max(path.stat().st_mtime for path in files), dt.UTC)


def _raws(lake: Lake) -> Iterator[Thing]:
    for day in list_raw(lake):
        manifest = paths.manifest_path(day.path)
        size = day.manifest.bytes + lake.size(manifest)
        held, address = day.manifest.day, day.manifest.address
        yield Thing(RAW, day.path.name, address, (), (manifest, day.path), size, held, _written(day.path))


def _books(lake: Lake) -> Iterator[Thing]:
    for path in lake.entries(lake.path(paths.BOOKS), "*.arrow"):
        symbol_day, _, address = path.stem.rpartition("_")
        day = dt.date.fromisoformat(symbol_day.rpartition("_")[2])
        yield Thing(BOOK, path.stem, address, (), (path,), lake.size(path), day, _written(path))


def _datasets(lake: Lake) -> Iterator[Thing]:
    for info in list_datasets(lake):
        inputs = info.manifest["inputs"]
        size = sum(info.manifest["bytes"].values())
        held = tuple(address for address in (inputs.get("book"), *inputs.get("raw", ())) if address)
        written = _written(info.path / MANIFEST)
        yield Thing(DATASET, info.dataset_id, info.address, held, (info.path,), size, info.capture.dt, written)


def _results(lake: Lake) -> Iterator[Thing]:
    for address in ResultsDB(lake).sweeps():
        files = tuple(lake.path(part) for part in paths.results_paths(address))
        rows = pq.read_table(files[0], columns=["dataset_address", "dt", "experiment"]).to_pylist()
        inputs = tuple(dict.fromkeys(row["dataset_address"] for row in rows))
        day = dt.date.fromisoformat(rows[0]["dt"]) if rows else None
        name = f"{rows[0]['experiment']}__{address[:SHORT]}" if rows else address[:SHORT]
        yield Thing(RESULTS, name, address, inputs, files, sum(map(lake.size, files)), day, _written(*files))


def _models(lake: Lake) -> Iterator[Thing]:
    for folder in lake.entries(lake.path(paths.MODELS)):
        if not lake.exists(folder):
            continue
        manifest = lake.read_json(folder / MANIFEST)
        try:
            size = sum(refit["bytes"] for refit in manifest["refits"])
            name, inputs = f"{manifest['signal']}__{folder.name[:SHORT]}", (manifest["dataset_address"],)
        except (KeyError, TypeError):
            raise LakeError(f"{folder / MANIFEST}: not the manifest of models") from None
        yield Thing(MODELS, name, folder.name, inputs, (folder,), size, None, _written(folder / MANIFEST))


def _promoted(lake: Lake) -> Iterator[Thing]:
    for path in lake.entries(paths.promoted_serving_dir(lake), "*.yaml"):
        record = load_yaml_spec(path, ServingSpec).promoted
        inputs = () if record is None else (record.dataset_address, *([record.models] if record.models else []))
        address = sha256_bytes(lake.read_bytes(path))
        yield Thing(PROMOTED, path.stem, address, inputs, (path,), lake.size(path), None, _written(path))


def _campaigns(lake: Lake) -> Iterator[Thing]:
    for path in lake.entries(lake.path(paths.CAMPAIGNS), "*.json"):
        document = lake.read_json(path)
        try:
            inputs = tuple(dict.fromkeys(row["dataset_address"] for row in document["datasets"]))
            address = str(document["address"])
        except (KeyError, TypeError):
            raise LakeError(f"{path}: not the index of a campaign") from None
        yield Thing(CAMPAIGN, path.stem, address, inputs, (path,), lake.size(path), None, _written(path))
