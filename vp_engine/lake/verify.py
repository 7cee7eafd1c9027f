"""Every byte of a lake hashed again and compared with what vouches for it: raw days, book caches, datasets, results,
models and campaigns by their manifests, which carry their own digest; promoted specs by their last line; notes (days
without a session, what a sample was made from, books carried over, requests to the vendor, tracked sweeps, checked
signals) by their own digest.

A thing that is damaged does not keep the others from being looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from vp_engine.errors import DataError, LakeError, NotFoundError, VPError
from vp_engine.lake import paths
from vp_engine.lake.lineage import BOOK, CAMPAIGN, DATASET, KINDS, MODELS, PROMOTED, RAW, RESULTS
from vp_engine.lake.promoted import read_promoted
from vp_engine.lake.store import MANIFEST, Lake, LakePath

_LOOSE = ((RAW, paths.RAW, "*/*/*/*/*"), (BOOK, paths.BOOKS, "*"), (RESULTS, paths.RUNS_META, "*"))
NOTE = "note"
_ORDER = (*KINDS, NOTE)
_NOTES = (
    (paths.RAW, "*/*/*/*/*.no-session.json"),
    (paths.RAW, "*/*/*/*/*.sample.json"),
    (paths.BOOKS, "carried_*.json"),
    (paths.LEDGER, "*.json"),
    (paths.TRACKED, "*.json"),
    (paths.PROOFS, "*.json"),
)
_FOLDERS = ((DATASET, paths.DATASETS), (MODELS, paths.MODELS))


class Job(NamedTuple):
    """One thing to verify: what vouches for it, and what raises a VPError that names the file that differs."""

    kind: str
    name: str
    where: LakePath
    run: Callable[[], object]


class Verification(NamedTuple):
    """What became of it: `problem` None if every byte is as it was written."""

    kind: str
    name: str
    problem: str | None


def jobs(lake: Lake, wanted: str | None = None) -> list[Job]:
    """Everything in the lake in order of kind and name, or what `wanted` names: a name, or 12 to 64 digits of an
    address. NotFoundError if that is nothing."""
    found = sorted(_all(lake), key=lambda job: (_ORDER.index(job.kind), job.name))
    if wanted is None:
        return found
    named = [job for job in found if wanted == job.name]
    if not named and paths.is_address(wanted):
        named = [job for job in found if wanted in job.name or job.name.rpartition("__")[2] == wanted[:12]]
    if not named and paths.is_address(wanted):
        named = [job for job in found if job.kind == RAW and _has_address(lake, job, wanted)]
    if not named:
        raise NotFoundError(f"nothing in {lake.root} is called `{wanted}`; `vp verify` looks at all there is")
    return named


def verify(job: Job) -> Verification:
    """Run one job."""
    try:
        job.run()
    except VPError as error:
        return Verification(job.kind, job.name, str(error))
    return Verification(job.kind, job.name, None)


def verify_all(lake: Lake, wanted: str | None = None) -> Iterator[Verification]:
    """The verdict on each, as it is reached."""
    for job in jobs(lake, wanted):
        yield verify(job)


def _all(lake: Lake) -> Iterator[Job]:
    for kind, folder, pattern in _LOOSE:
        for where in lake.entries(lake.path(folder), pattern + paths.MANIFEST_SUFFIX):
            name = where.name.removesuffix(paths.MANIFEST_SUFFIX)
            yield Job(kind, name, where, partial(_loose, lake, kind, where))
    for kind, folder in _FOLDERS:
        for path, _, _ in lake.folders(lake.path(folder)):
            yield Job(kind, path.name, path / MANIFEST, partial(lake.verify_dir, path))
    for path in lake.entries(paths.promoted_serving_dir(lake), "*.yaml"):
        yield Job(PROMOTED, path.stem, path, partial(read_promoted, lake, path))
    for path in lake.entries(lake.path(paths.CAMPAIGNS), "*.json"):
        yield Job(CAMPAIGN, path.stem, path, partial(lake.read_manifest, path))
    for folder, pattern in _NOTES:
        for path in lake.entries(lake.path(folder), pattern):
            yield Job(NOTE, path.name, path, partial(lake.read_manifest, path))


def _loose(lake: Lake, kind: str, where: LakePath) -> None:
    """Files beside their manifest; a raw day's manifest says its digest twice, and both must agree."""
    document = lake.verify_files(where)
    if document.get("kind") != kind:
        raise LakeError(f"{where}: is the manifest of a {document.get('kind')}, not of a {kind}")
    if kind == RAW and [held["sha256"] for held in document["files"].values()] != [document.get("sha256")]:
        raise DataError(f"{where}: names two digests for one file; import the day again")


def _has_address(lake: Lake, job: Job, wanted: str) -> bool:
    """Whether a raw day's address begins so; a damaged manifest has none."""
    try:
        return str(lake.read_manifest(job.where).get("sha256", "")).startswith(wanted)
    except VPError:
        return False
