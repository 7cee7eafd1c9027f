"""Raw days: one DBN file per UTC day and contract, admitted after a read to its end, with a manifest beside it.

The manifest's presence means the day is there. Times in ns UTC.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from vp_engine.errors import DataError, LakeError, UnreachableError, VPError
from vp_engine.feed import RawInfo, scan
from vp_engine.feed.capture import LATENESS_NS
from vp_engine.feed.dbn import is_zstd
from vp_engine.feed.header import day_header
from vp_engine.feed.merge import stretches, write_merged
from vp_engine.integrity import examine, fitting_tick
from vp_engine.lake import paths
from vp_engine.lake.manifests import FILES, FileSum, files_entry, listed, unsealed
from vp_engine.lake.raw_manifest import RawManifest as RawManifest
from vp_engine.lake.store import Lake, LakePath, beside
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import dollars, utc_date, utc_midnight_ns

SOURCES = ("databento", "synthetic")  # where a day is looked for, in this order; others follow by name
_DATE = re.compile(r"(?<!\d)(20\d{6})(?!\d)")


class RawDay(NamedTuple):
    """A raw file in the lake. `path` may lie on an object store: readers take `file()`."""

    path: LakePath
    manifest: RawManifest
    lake: Lake

    @property
    def where(self) -> LakePath:
        """Its manifest."""
        return paths.manifest_path(self.path.with_name(self.manifest.file))

    def file(self) -> Path:
        """The day as a file of this machine; from a remote lake it is fetched once and its sha256 checked."""
        return self.lake.local_copy(self.path, FileSum(self.manifest.bytes, self.manifest.sha256))


class Imported(NamedTuple):
    """Outcome of an import; `hit` if these very bytes were there already."""

    path: LakePath
    manifest: RawManifest
    hit: bool


def import_raw(
    lake: Lake,
    config: VPRuntimeConfig,
    file: Path,
    source: str = "databento",
    *,
    day: dt.date | None = None,
    condition: str | None = None,
    quarantine: str | None = None,
    counted: str | None = None,
    replace: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Imported:
    """Admit one file of the locked contract as a raw day of the lake.

    The day is that of the records, and must agree with `day` and with a date in the file's name, where there is one.
    DataError for a file that is foreign, cut, corrupt, of another contract or of another day; LakeError where the day
    is there with other bytes and `replace` is not set. Nothing is left behind on an error. A day with a reason for
    `quarantine` lies in the lake, and `lake.admission` lets it out.
    """
    paths.check_name(source, "source")
    require_file(file)
    with lake.staged(lake.path(paths.raw_folder(config, source)) / "import") as staged:
        if on_progress is not None:
            on_progress("copy")
        shutil.copyfile(file, staged)
        if on_progress is not None:
            on_progress("scan")
        info = scan_as(staged, file.name, config)
        origin: dict[str, Any] = {"condition": condition, "quarantine": quarantine, "counted": counted}
        repeated = _drop_repeats(lake, staged, info, config) if info.turns else 0
        if repeated:
            origin |= {"repeated": repeated, "sources": (info.sha256,)}
            info = scan_as(staged, file.name, config)
        return take_in(lake, config, staged, info, file.name, source, day=day, replace=replace, origin=origin)


def require_file(file: Path) -> None:
    """DataError where there is no file."""
    if file.is_dir():
        raise DataError(f"{file}: is a folder; give the path of one .dbn or .dbn.zst file in it")
    if not file.is_file():
        raise DataError(f"{file}: no such file; give the path of a .dbn or .dbn.zst file")


def scan_as(copy: Path, name: str, config: VPRuntimeConfig) -> RawInfo:
    """Facts of a file that is called `name` in what is said of it. DataError if it is of another dataset."""
    try:
        info = scan(copy, config.symbol)
    except VPError as error:
        raise type(error)(str(error).replace(str(copy), name).replace(copy.name, name)) from None
    if info.dataset != config.dataset:
        raise DataError(f"{name}: is of dataset {info.dataset}, the instrument's is {config.dataset}")
    return info


def _drop_repeats(lake: Lake, staged: Path, info: RawInfo, config: VPRuntimeConfig) -> int:
    """Write the file anew where a part of it is in it again, equal in every byte; how many records that were."""
    day = utc_date(info.last_ts_ns)
    first_ns, end_ns = info.day_coverage(day)
    head = day_header(config.dataset, config.symbol, day, *info.instrument_ids, start_ns=first_ns, end_ns=end_ns)
    with lake.staged(lake.path(paths.RAW) / "whole") as place:
        done = write_merged(place, head, stretches(staged, config.symbol, info.turns or (), 0, 1 << 63))
        if done.repeated:
            shutil.move(place, staged)
    return done.repeated


def take_in(
    lake: Lake,
    config: VPRuntimeConfig,
    staged: Path,
    info: RawInfo,
    name: str,
    source: str,
    *,
    day: dt.date | None,
    replace: bool,
    origin: dict[str, Any],
) -> Imported:
    """Commit a staged file as a raw day, if it may come in. origin: what the manifest says besides."""
    manifest = _admit(staged, info, name, config, source, day)
    origin = {**origin, "quarantine": origin.get("quarantine") or manifest.integrity.doubt()}
    manifest = manifest.model_copy(update=origin)
    target = lake.path(paths.raw_folder(config, source)) / manifest.file
    if replace:
        _replace(lake, staged, target, manifest)
        return Imported(_present(lake, target).path, manifest, False)
    present = _read(lake, target)
    if present is None and _commit(lake, staged, target, manifest):
        return Imported(_present(lake, target).path, manifest, False)
    present = present or _present(lake, target)  # another writer was first
    if present.manifest.sha256 != manifest.sha256:
        raise LakeError(
            f"{manifest.day} of {config.symbol} is in the lake with other bytes (sha256 "
            f"{present.manifest.sha256[:12]}, this file {manifest.sha256[:12]}); to replace it on "
            "purpose, give `--replace`"
        )
    return Imported(present.path, present.manifest, True)


def _admit(
    copy: Path, info: RawInfo, name: str, config: VPRuntimeConfig, source: str, day: dt.date | None
) -> RawManifest:
    """Manifest of a file that may come in; DataError with the original's name otherwise."""
    fitting = fitting_tick(info.prices, config.tick_int)
    if fitting is not None:
        raise DataError(
            f"{name}: prices lie {dollars(fitting):g} apart, the lock's `tick_size` is {config.tick_size:g}; "
            f"set it to {dollars(fitting):g}"
        )
    integrity = examine(copy, config)
    held = utc_date(info.last_ts_ns)
    if info.first_ts_ns < utc_midnight_ns(held) - LATENESS_NS:
        raise DataError(f"{name}: holds {utc_date(info.first_ts_ns)} to {held}, a raw file is one UTC day")
    if day is not None and day != held:
        raise DataError(f"{name}: holds records of {held}, not of {day}")
    dated = day_in_name(name)
    if dated is not None and dated != f"{held:%Y%m%d}":
        raise DataError(f"{name}: holds records of {held}, not of the day in its name")
    with copy.open("rb") as head:
        compressed = is_zstd(head.read(4))
    covers = info.day_coverage(held)
    return RawManifest(
        file=paths.raw_path(config, held, source, compressed).name,
        sha256=info.sha256,
        bytes=info.bytes,
        source=source,
        dataset=info.dataset,
        symbol=config.symbol,
        day=held,
        dbn_version=info.version,
        records=info.records,
        kept=info.kept,
        first_ts_ns=info.first_ts_ns,
        last_ts_ns=info.last_ts_ns,
        coverage_start_ns=covers[0],
        coverage_end_ns=covers[1],
        complete_start=info.complete_start,
        n_bad_flags=info.n_bad_flags,
        instrument_ids=info.instrument_ids,
        symbol_source=info.symbol_source,
        faults=integrity.counts,
        faults_first_ns=integrity.first_ns,
    )


def day_in_name(name: str) -> str | None:
    """The date yyyymmdd in a file's name, if there is one."""
    dated = _DATE.search(name)
    return dated[1] if dated else None


def rewrite_manifest(day: RawDay, manifest: RawManifest) -> RawDay:
    """Say something else of a day whose bytes stay."""
    held = FileSum(manifest.bytes, manifest.sha256)
    files = files_entry({manifest.file: (day.path.name, held)})
    day.lake.commit_document(day.where, {**manifest.model_dump(mode="json"), FILES: files})
    return day._replace(manifest=manifest)


def _commit(lake: Lake, staged: Path, target: LakePath, manifest: RawManifest) -> bool:
    """File first, manifest last; False if a manifest is there."""
    document = manifest.model_dump(mode="json")
    return lake.commit_loose(paths.manifest_path(target), document, {manifest.file: (staged, target)})


def _candidates(target: LakePath) -> tuple[LakePath, LakePath]:
    """What the day's file may be called: compressed or plain."""
    plain = target.with_name(target.name.removesuffix(".zst"))
    return plain.with_name(plain.name + ".zst"), plain


def _replace(lake: Lake, staged: Path, target: LakePath, manifest: RawManifest) -> None:
    """Commit over the day that is there, compressed or not, which may be damaged."""
    _, plain = _candidates(target)
    document = manifest.model_dump(mode="json")
    pattern = f"{plain.name.removesuffix('.dbn')}*.dbn*"
    lake.replace_loose(paths.manifest_path(target), document, {manifest.file: (staged, target)}, pattern)


def _present(lake: Lake, target: LakePath) -> RawDay:
    """The day that is known to be there."""
    found = _read(lake, target)
    if found is None:
        raise LakeError(f"{target}: was deleted while it was written; import it again")
    return found


def _read(lake: Lake, target: LakePath) -> RawDay | None:
    """The day of this name, or its compressed or plain brother; None if no manifest is there."""
    for name in _candidates(target):
        where = paths.manifest_path(name)
        if lake.entry(where) is not None:
            return _parsed(lake, where, lake.read_bytes(where))
    return None


def _parsed(lake: Lake, where: LakePath, content: bytes) -> RawDay:
    """A day by its manifest's bytes, the file's size checked."""
    try:
        document = unsealed(content, where)
        (at, held) = next(iter(listed(document, where).values()))
        manifest = RawManifest.parse({key: value for key, value in document.items() if key != FILES}, str(where))
    except (VPError, StopIteration):
        raise LakeError(
            f"{where}: the manifest of this raw day is damaged; bring the day in again, `vp import FILE --replace` or "
            f"`vp download --from DAY --to DAY --replace`"
        ) from None
    path = beside(where, at)
    if held != (manifest.bytes, manifest.sha256) or lake.size(path) != manifest.bytes:
        raise LakeError(
            f"{path}: its size is not the {manifest.bytes} bytes of the manifest; bring the day in again, "
            f"`vp import FILE --replace` or `vp download --from {manifest.day} --to {manifest.day} --replace`"
        )
    return RawDay(path, manifest, lake)


def _looked_at(lake: Lake, where: LakePath, content: bytes) -> RawDay:
    """The same; UnreachableError that names the manifest where the disk does not answer."""
    try:
        return _parsed(lake, where, content)
    except OSError as error:
        raise UnreachableError(
            f"{where}: the file of this raw day cannot be looked at just now ({error.strerror or error}); try again"
        ) from error


def find_raw(lake: Lake, config: VPRuntimeConfig, utc_day: dt.date, source: str | None = None) -> RawDay | None:
    """The raw file of one UTC day of the locked contract, or None. Without `source`, a bought day beats a made one."""
    for name in [source] if source is not None else _sources(lake):
        found = _read(lake, lake.path(paths.raw_path(config, utc_day, name)))
        if found is not None:
            return found
    return None


def _sources(lake: Lake) -> list[str]:
    """Sources that the lake holds, in order of preference; synthetic last."""
    there = [path.name.removeprefix("source=") for path in lake.entries(lake.path(paths.RAW), "source=*")]
    known = {name: rank for rank, name in enumerate(SOURCES[:-1])}
    return sorted(there, key=lambda name: (name == SOURCES[-1], known.get(name, len(known)), name))


def list_raw(
    lake: Lake,
    config: VPRuntimeConfig | None = None,
    on_damage: Callable[[LakePath, LakeError], None] | None = None,
) -> list[RawDay]:
    """Every raw day in the lake, of one contract if `config` is given. LakeError for a damaged one, and for one whose
    file cannot be looked at just now; with `on_damage` that is told to it, and the day left out."""
    found = lake.read_many(lake.entries(lake.path(paths.RAW), f"*/*/*/*/*{paths.MANIFEST_SUFFIX}"))
    days = []
    for where, content in found.items():
        if where.with_name(where.name.removesuffix(paths.MANIFEST_SUFFIX) + f".zst{paths.MANIFEST_SUFFIX}") in found:
            continue  # one is being put over the other, and `_read` takes the compressed one
        try:
            days.append(_looked_at(lake, where, content))
        except LakeError as error:
            if on_damage is None:
                raise
            on_damage(where, error)
    return [day for day in days if config is None or day.manifest.symbol == config.symbol]


def verify_raw(day: RawDay) -> None:
    """Hash a raw file again; LakeError if its bytes are not those that were admitted."""
    if day.lake.digest(day.path) != day.manifest.sha256:
        raise LakeError(f"{day.path}: bytes differ from the manifest; import the day again")
