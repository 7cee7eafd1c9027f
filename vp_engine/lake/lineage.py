"""What a lake holds and what was made of what, read from manifests; and how to delete one thing of it safely.

A thing's `inputs` are addresses. Raw days are the roots; everything else can be made again while its roots stay.
Deleting makes a thing invisible first and frees its bytes after, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from vp_engine.errors import ConfigError, LakeError
from vp_engine.hashing import SHORT, sha256_text
from vp_engine.lake import paths
from vp_engine.lake.datasets import iter_datasets
from vp_engine.lake.manifests import listed, unsealed
from vp_engine.lake.promoted import read_promoted
from vp_engine.lake.store import MANIFEST, Entry, Lake, LakePath, beside
from vp_engine.specs.base import load_yaml_spec
from vp_engine.specs.serving import ServingSpec

RAW, BOOK, DATASET, RESULTS = "raw", "book", "dataset", "results"
MODELS, PROMOTED, CAMPAIGN = "models", "promoted", "campaign"
KINDS = (RAW, BOOK, DATASET, RESULTS, MODELS, PROMOTED, CAMPAIGN)  # inputs before what is made of them


OnDamage = Callable[[LakePath, LakeError], None]  # where it lies, and what is wrong


class Thing(NamedTuple):
    """One committed thing. address: 64 hex digits. paths: what goes when it is deleted, the part that makes it visible
    first. day: UTC day of raw data, Eastern date of the rest, None where it has none. written: UTC. code_versions: of
    the stage that made it, as its manifest says."""

    kind: str
    name: str
    address: str
    inputs: tuple[str, ...]
    paths: tuple[LakePath, ...]
    bytes: int
    day: dt.date | None
    written: dt.datetime
    code_versions: tuple[str, ...]


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


def inventory(lake: Lake, on_damage: OnDamage | None = None) -> Lineage:
    """What the lake holds now. LakeError for a thing whose manifest cannot be read; with `on_damage`, raw days, books,
    datasets, results and models among them are told to it and left out. A promoted spec or a campaign that cannot be
    read is always an error: what it stands on could not be told from what nobody needs."""
    derived = (_raws, _books, _datasets, _results, _models)
    return Lineage(
        (*(thing for things in derived for thing in things(lake, on_damage)), *_promoted(lake), *_campaigns(lake))
    )


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


def _utc(entry: Entry) -> dt.datetime:
    return dt.datetime.fromtimestamp(entry.mtime_s, dt.UTC)


def _entry(lake: Lake, path: LakePath) -> Entry:
    """Size and time of a file that was listed just now."""
    return lake.entry(path) or Entry(0, 0.0)


@contextmanager
def _leaving_out(where: LakePath, on_damage: OnDamage | None) -> Iterator[None]:
    """Tell a LakeError to `on_damage`, if there is one, and go on."""
    try:
        yield
    except LakeError as error:
        if on_damage is None:
            raise
        on_damage(where, error)


def _loose(lake: Lake, folder: PurePosixPath, pattern: str) -> Iterator[tuple[LakePath, bytes]]:
    """(path, bytes) of every manifest that stands beside its files."""
    yield from lake.read_many(lake.entries(lake.path(folder), f"{pattern}{paths.MANIFEST_SUFFIX}")).items()


def _loose_thing(
    lake: Lake, where: LakePath, document: dict[str, Any], kind: str, address: str, name: str, inputs: Iterable[str],
    day: dt.date | None, code_versions: Iterable[str],
) -> Thing:  # fmt: skip
    """A thing whose manifest stands beside its files."""
    held = listed(document, where)
    files = tuple(beside(where, at) for at, _ in held.values())
    entry = _entry(lake, where)
    size = entry.bytes + sum(one.bytes for _, one in held.values())
    return Thing(kind, name, address, tuple(inputs), (where, *files), size, day, _utc(entry), tuple(code_versions))


def _raws(lake: Lake, on_damage: OnDamage | None) -> Iterator[Thing]:
    for where, content in _loose(lake, paths.RAW, "*/*/*/*/*"):
        with _leaving_out(where, on_damage), _as_manifest_of(where, "a raw day"):
            document = unsealed(content, where)
            address, name, day = document["sha256"], document["file"], dt.date.fromisoformat(document["day"])
            yield _loose_thing(lake, where, document, RAW, address, name, (), day, ())


def _books(lake: Lake, on_damage: OnDamage | None) -> Iterator[Thing]:
    for where, content in _loose(lake, paths.BOOKS, "*"):
        with _leaving_out(where, on_damage), _as_manifest_of(where, "a book cache"):
            document = unsealed(content, where)
            address, version = document["address"], document["code_version"]
            day, inputs = dt.date.fromisoformat(document["dt"]), document["inputs"]["raw"]
            name = where.name.removesuffix(f".arrow{paths.MANIFEST_SUFFIX}")
            yield _loose_thing(lake, where, document, BOOK, address, name, inputs, day, (version,))


def _results(lake: Lake, on_damage: OnDamage | None) -> Iterator[Thing]:
    for where, content in _loose(lake, paths.RUNS_META, "*"):
        with _leaving_out(where, on_damage), _as_manifest_of(where, "a sweep"):
            document = unsealed(content, where)
            address, inputs = document["address"], document["inputs"]["datasets"]
            name = "__".join([*document["experiments"][:1], address[:SHORT]])
            day = dt.date.fromisoformat(document["days"][-1]) if document["days"] else None
            yield _loose_thing(lake, where, document, RESULTS, address, name, inputs, day, document["code_versions"])


def _datasets(lake: Lake, on_damage: OnDamage | None) -> Iterator[Thing]:
    for info in iter_datasets(lake, on_damage):
        inputs = info.manifest["inputs"]
        size = sum(info.manifest["bytes"].values())
        held = tuple(address for address in (inputs.get("book"), *inputs.get("raw", ())) if address)
        written = _utc(_entry(lake, info.path / MANIFEST))
        versions = (info.manifest["code_version"],) if info.manifest.get("code_version") else ()
        yield Thing(
            DATASET, info.dataset_id, info.address, held, (info.path,), size, info.capture.dt, written, versions
        )


def _models(lake: Lake, on_damage: OnDamage | None) -> Iterator[Thing]:
    for folder, content, files in lake.folders(lake.path(paths.MODELS)):
        with _leaving_out(folder, on_damage), _as_manifest_of(folder / MANIFEST, "models"):
            manifest = unsealed(content, folder / MANIFEST)
            name, inputs = f"{manifest['signal']}__{folder.name[:SHORT]}", (manifest["dataset_address"],)
            versions = (manifest["code_version"],)
            size = sum(entry.bytes for entry in files.values())
            yield Thing(MODELS, name, folder.name, inputs, (folder,), size, None, _utc(files[MANIFEST]), versions)


def _promoted(lake: Lake) -> Iterator[Thing]:
    for path in lake.entries(paths.promoted_serving_dir(lake), "*.yaml"):
        text = read_promoted(lake, path)
        record = load_yaml_spec(path, ServingSpec).promoted
        inputs = () if record is None else (record.dataset_address, *([record.models] if record.models else []))
        entry = _entry(lake, path)
        yield Thing(PROMOTED, path.stem, sha256_text(text), inputs, (path,), entry.bytes, None, _utc(entry), ())


def _campaigns(lake: Lake) -> Iterator[Thing]:
    for path in lake.entries(lake.path(paths.CAMPAIGNS), "*.json"):
        document = lake.read_manifest(path)
        with _as_manifest_of(path, "a campaign"):
            inputs = tuple(dict.fromkeys(row["dataset_address"] for row in document["datasets"]))
            address = str(document["address"])
        entry = _entry(lake, path)
        yield Thing(CAMPAIGN, path.stem, address, inputs, (path,), entry.bytes, None, _utc(entry), ())


@contextmanager
def _as_manifest_of(where: LakePath, what: str) -> Iterator[None]:
    """A document without what it must say is a LakeError in one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError):
        raise LakeError(f"{where}: not the manifest of {what}; delete it and make it again") from None
