"""Words on a UTC day that are no records: it had no session, or somebody admits it although the vendor doubts it.

A day without a session has a small JSON file where its raw file would lie, so that nobody asks for it again. It is no
manifest: the day stays absent to whoever looks for records.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from vp_engine.errors import ConfigError, LakeError, NotFoundError, VPError
from vp_engine.lake import paths
from vp_engine.lake.raw import RawDay, find_raw, rewrite_manifest
from vp_engine.lake.store import Lake, LakePath
from vp_engine.schema import SCHEMA_VERSION
from vp_engine.specs.base import SpecModel
from vp_engine.specs.runtime import VPRuntimeConfig

_SUFFIX = ".no-session.json"


class NoSession(SpecModel):
    """A UTC day on which a contract has no records, and how that is known."""

    schema_version: int = SCHEMA_VERSION
    kind: str = "no_session"
    source: str
    dataset: str
    symbol: str
    day: dt.date
    reason: str
    condition: str | None = None


def _path(lake: Lake, config: VPRuntimeConfig, day: dt.date, source: str) -> LakePath:
    raw = lake.path(paths.raw_path(config, day, source))
    return raw.with_name(raw.name.removesuffix(".dbn.zst") + _SUFFIX)


def write_no_session(
    lake: Lake,
    config: VPRuntimeConfig,
    day: dt.date,
    reason: str,
    condition: str | None = None,
    source: str = "databento",
) -> NoSession:
    """Note that a day has no records; LakeError if its raw file is in the lake."""
    if find_raw(lake, config, day, source) is not None:
        raise LakeError(f"{day} of {config.symbol} is in the lake with records; it had a session")
    made = NoSession(
        source=source, dataset=config.dataset, symbol=config.symbol, day=day, reason=reason, condition=condition
    )
    lake.commit_document(_path(lake, config, day, source), made.model_dump(mode="json"))
    return made


def find_no_session(lake: Lake, config: VPRuntimeConfig, day: dt.date, source: str = "databento") -> NoSession | None:
    """The note on a day, or None. A raw file that came later has the better word."""
    where = _path(lake, config, day, source)
    if not lake.exists(where) or find_raw(lake, config, day, source) is not None:
        return None
    try:
        return NoSession.parse(lake.read_manifest(where), str(where))
    except ConfigError as error:
        raise LakeError(str(error)) from None


def list_no_session(
    lake: Lake,
    config: VPRuntimeConfig,
    source: str = "databento",
    on_damage: Callable[[LakePath, VPError], None] | None = None,
) -> list[NoSession]:
    """Every noted day of a contract, in order. With `on_damage` a damaged note is told to it and left out."""
    folder = lake.path(paths.raw_folder(config, source))
    found = []
    for where in lake.entries(folder, paths.day_pattern(config) + _SUFFIX):
        try:
            note = NoSession.parse(lake.read_manifest(where), str(where))
            if find_raw(lake, config, note.day, source) is None:
                found.append(note)
        except VPError as error:
            if on_damage is None:
                raise
            on_damage(where, error)
    return sorted(found, key=lambda note: note.day)


def admit_raw(lake: Lake, config: VPRuntimeConfig, day: dt.date, note: str) -> RawDay:
    """Let a quarantined day out by hand; its bytes and address stay. A day that is out already stays as it is.

    NotFoundError if the lake has no such day.
    """
    found = find_raw(lake, config, day)
    if found is None:
        raise NotFoundError(f"no raw day {day} (UTC) of {config.symbol} in {lake.root}")
    if found.manifest.quarantine is None:
        return found
    manifest = found.manifest.model_copy(
        update={"quarantine": None, "admitted": f"{note} ({found.manifest.quarantine})"}
    )
    with lake.locked(found.path.parent):
        return rewrite_manifest(found, manifest)
