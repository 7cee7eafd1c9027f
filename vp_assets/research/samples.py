"""Synthetic days on their way into the lake. A note beside the file says what it was made from, so that the same day
is not made twice; a day of the exchange costs seconds to simulate and nothing to find.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from vp_assets.research.calendar import session
from vp_engine.errors import ConfigError, LakeError
from vp_engine.hashing import address
from vp_engine.lake import Lake, find_raw
from vp_engine.lake.raw import Imported, import_raw
from vp_engine.lake.store import LakePath
from vp_engine.sample import SAMPLE_CODE_VERSION, SampleSpec, sample_file_name, write_sample
from vp_engine.specs import VPRuntimeConfig

SOURCE = "synthetic"
QUICK: dict[str, Any] = {"start": dt.time(9, 24), "end": dt.time(9, 36), "events_per_s": 300.0}
_SEEDS_PER_DAY = 1_000_000  # days of one seed have seeds of their own, and no two seeds share one


def span(base: SampleSpec, first: dt.date, last: dt.date) -> list[SampleSpec]:
    """The spec on every day of [first, last] that has a session, each with a market of its own."""
    if last < first:
        raise ConfigError(f"`--to` must not lie before `--from`, was {last} against {first}")
    days = [first + dt.timedelta(days=offset) for offset in range((last - first).days + 1)]
    traded = [day for day in days if session(day) is not None]
    if not traded:
        raise ConfigError(f"no day from {first} to {last} has a session")
    return [replace(base, day=day, seed=base.seed * _SEEDS_PER_DAY + day.toordinal()) for day in traded]


def bring(
    lake: Lake,
    lock: VPRuntimeConfig,
    spec: SampleSpec,
    anew: bool,
    report: Callable[[str, int, int], None],
    keep: bool = False,
) -> Imported:
    """The day in the lake, made if it is not there; `anew` replaces other bytes, `keep` leaves them; LakeError where
    neither is allowed."""
    made_from = address("sample", SAMPLE_CODE_VERSION, _plain(spec), [])
    held = find_raw(lake, lock, spec.day, SOURCE)
    if held is not None and _note(lake, held.path) == {"made_from": made_from, "sha256": held.manifest.sha256}:
        return Imported(held.path, held.manifest, True)
    if held is not None and keep and not anew:
        return Imported(held.path, held.manifest, True)
    with lake.staged(lake.path("sample")) as folder:
        folder.mkdir()
        file = folder / sample_file_name(spec)
        write_sample(file, spec, lambda share: report("% of the records", round(100 * share), 100))
        taken = import_raw(lake, lock, file, SOURCE, day=spec.day, replace=anew)
    note = {"made_from": made_from, "sha256": taken.manifest.sha256}
    lake.commit_document(_note_path(taken.path), note)
    return taken


def _plain(spec: SampleSpec) -> dict[str, Any]:
    return {name: value if isinstance(value, (int, float)) else str(value) for name, value in asdict(spec).items()}


def _note_path(raw: LakePath) -> LakePath:
    return raw.with_name(raw.name + ".sample.json")


def _note(lake: Lake, raw: LakePath) -> dict[str, Any] | None:
    """What a raw file was made from; None where nobody said so."""
    where = _note_path(raw)
    try:
        return lake.read_manifest(where) if lake.exists(where) else None
    except LakeError:  # a damaged note costs the making of a day, no more
        return None
