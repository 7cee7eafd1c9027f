"""Index of the results: which sweeps hold a run, and among how many trials, so that a look-up opens one sweep's files.

It is a part of the lake that can be made again from the sweeps at any time. Whoever commits a sweep brings it up to
date; whoever only reads adds what it lacks in memory and writes nothing. An index of other sweeps than those that are
committed is stale, and only what differs is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pyarrow as pa

from vp_engine.errors import LakeError, NotFoundError
from vp_engine.lake import paths
from vp_engine.lake.store import Lake

SCHEMA_VERSION = 1
RunTrials = Mapping[str, int]


class RunIndex(NamedTuple):
    """sweeps: trials of every run of each sweep, by sweep address and run id; damaged: why a sweep cannot be read."""

    sweeps: dict[str, RunTrials]
    damaged: dict[str, str]

    def holding(self, run_id: str) -> list[str]:
        """Addresses of the sweeps that hold a run, the one among the most trials first."""
        held = [(-runs[run_id], address) for address, runs in self.sweeps.items() if run_id in runs]
        return [address for _, address in sorted(held)]


def trials_of(meta: pa.Table) -> RunTrials:
    """Trials by run id, from a sweep's runs_meta."""
    return dict(zip(meta["run_id"].to_pylist(), meta["n_trials"].to_pylist(), strict=True))


def stored_index(lake: Lake) -> RunIndex:
    """The index as it is stored; an empty one where it is missing or damaged."""
    try:
        document = lake.read_manifest(lake.path(paths.RUN_INDEX))
        if document["schema_version"] != SCHEMA_VERSION:
            return RunIndex({}, {})
        return RunIndex({str(address): dict(runs) for address, runs in document["sweeps"].items()}, {})
    except (NotFoundError, LakeError, KeyError, TypeError, ValueError, AttributeError):
        return RunIndex({}, {})


def completed(
    index: RunIndex,
    sweeps: list[str],
    read: Callable[[str], RunTrials],
    on_damage: Callable[[str, LakeError], None] | None = None,
) -> RunIndex:
    """The index of exactly these sweeps. `read` gives what the index lacks; where it raises LakeError the sweep is left
    out, said in `damaged` and told to `on_damage`; one that is gone by now is left out."""
    held: dict[str, RunTrials] = {}
    damaged: dict[str, str] = {}
    for address in sweeps:
        try:
            known = index.sweeps.get(address)
            held[address] = read(address) if known is None else known
        except NotFoundError:
            continue
        except LakeError as error:
            damaged[address] = str(error)
            if on_damage is not None:
                on_damage(address, error)
    return RunIndex(held, damaged)


def store_index(lake: Lake, sweeps: Callable[[], list[str]], read: Callable[[str], RunTrials]) -> None:
    """Bring the stored index up to the committed sweeps; of two writers the later one has both's. Nothing where it is
    up to date."""
    target = lake.path(paths.RUN_INDEX)
    with lake.locked(target.parent):
        before, there = stored_index(lake), sweeps()
        after = completed(before, there, read)
        if after.sweeps.keys() != before.sweeps.keys() or not lake.exists(target):
            document = {"schema_version": SCHEMA_VERSION, "kind": "run_index", "sweeps": after.sweeps}
            lake.commit_document(target, document)
