"""Files as people have them to raw days: parts of one day become one day, a file of several days becomes several.

A day that is one whole file keeps that file's bytes. Any other is written here, in order of receive time, each record
once; equal files give equal bytes in whichever order they are named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from vp_engine.errors import DataError
from vp_engine.feed import RawInfo
from vp_engine.feed.capture import MAX_TURNS
from vp_engine.feed.header import day_header
from vp_engine.feed.merge import Merged, Stretch, stretches, write_merged
from vp_engine.lake import paths
from vp_engine.lake.raw import Imported, day_in_name, import_raw, require_file, scan_as, take_in
from vp_engine.lake.store import Lake
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import NS_PER_DAY, utc_midnight_ns, utc_text

Progress = Callable[[str, int, int], None]


class Given(NamedTuple):
    """A file and what a scan says of it."""

    path: Path
    info: RawInfo


def import_files(
    lake: Lake,
    config: VPRuntimeConfig,
    files: Sequence[Path],
    source: str = "databento",
    *,
    replace: bool = False,
    on_progress: Progress | None = None,
) -> tuple[list[Imported], list[str]]:
    """Bring files of the locked contract in as raw days, in order of the days; and why a day was left out, if one was.

    Every file is read to its end before anything is written. DataError for a file that is foreign, cut, corrupt or of
    another contract, and for parts of a day with a gap between them; LakeError as `import_raw` has it.
    """
    paths.check_name(source, "source")
    report = on_progress or (lambda *_: None)
    given: dict[str, Given] = {}
    for at, file in enumerate(files):
        report("reading", at, len(files))
        require_file(file)
        info = scan_as(file, file.name, config)
        _check_name(file, info)
        given.setdefault(info.sha256, Given(file, info))
    days: dict[dt.date, list[Given]] = {}
    for one in given.values():
        for day in one.info.days:
            days.setdefault(day, []).append(one)
    for day, parts in days.items():
        parts.sort(key=lambda part: (*part.info.day_coverage(day), part.info.sha256))
        _check_parts(day, parts, config)
    taken: list[Imported] = []
    left_out: list[str] = []
    for at, (day, parts) in enumerate(sorted(days.items())):
        report("days", at, len(days))
        if len(parts) == 1 and len(parts[0].info.days) == 1:
            taken.append(import_raw(lake, config, parts[0].path, source, day=day, replace=replace))
            continue
        first = all(part.info.days[0] == day for part in parts)
        imported = _import_parts(lake, config, day, parts, source, replace, must_be_whole=not first)
        if imported is not None:
            taken.append(imported)
        else:
            left_out.append(
                f"{' + '.join(part.path.name for part in parts)}: its part of {day} opens with neither a clear nor a "
                "snapshot, so the book of that day is not known and the day was left out; fetch it from its start"
            )
    report("days", len(days), len(days))
    return taken, left_out


def _check_name(file: Path, info: RawInfo) -> None:
    dated = day_in_name(file.name)
    if dated is not None and dated not in [f"{day:%Y%m%d}" for day in info.days]:
        raise DataError(f"{file.name}: holds records of {info.days[-1]}, not of the day in its name")


def _check_parts(day: dt.date, parts: Sequence[Given], config: VPRuntimeConfig) -> None:
    """DataError where nothing covers a stretch between two files of a day, or where a file cannot be merged."""
    if len(parts) == 1 and len(parts[0].info.days) == 1:
        return
    for part in parts:
        if part.info.turns is None:
            raise DataError(
                f"{part.path.name}: its receive times run back more than {MAX_TURNS} times, so it cannot be cut into "
                "days or put together with other files; fetch the day as one file"
            )
    end_ns = parts[0].info.day_coverage(day)[1]
    for before, part in pairwise(parts):
        first, last = part.info.day_coverage(day)
        if first > end_ns:
            raise DataError(
                f"{day} of {config.symbol}: no file covers {utc_text(end_ns)} to {utc_text(first)} UTC, between "
                f"{before.path.name} and {part.path.name}; fetch that part too"
            )
        end_ns = max(end_ns, last)


def _import_parts(
    lake: Lake,
    config: VPRuntimeConfig,
    day: dt.date,
    parts: Sequence[Given],
    source: str,
    replace: bool,
    must_be_whole: bool,
) -> Imported | None:
    """One day of several files or of a longer one; None if its book is not known from its first record."""
    name = f"{day:%Y%m%d} of " + " + ".join(part.path.name for part in parts)  # the first date in it is the day's
    with lake.staged(lake.path(paths.raw_folder(config, source)) / "import") as staged:
        done = _write(staged, config, day, parts)
        info = scan_as(staged, name, config)
        if must_be_whole and not info.complete_start:
            return None
        origin = {"repeated": done.repeated, "sources": tuple(part.info.sha256 for part in parts)}
        return take_in(lake, config, staged, info, name, source, day=day, replace=replace, origin=origin)


def _write(staged: Path, config: VPRuntimeConfig, day: dt.date, parts: Sequence[Given]) -> Merged:
    midnight = utc_midnight_ns(day)
    covers = [part.info.day_coverage(day) for part in parts]
    ids = sorted({number for part in parts for number in part.info.instrument_ids})
    head = day_header(
        config.dataset, config.symbol, day, *ids, start_ns=min(first for first, _ in covers),
        end_ns=max(last for _, last in covers),
    )  # fmt: skip
    pieces: list[Stretch] = []
    for part in parts:
        # A file of one day is taken whole: its last receive times may lie just beyond midnight.
        span = (0, 1 << 63) if len(part.info.days) == 1 else (midnight, midnight + NS_PER_DAY)
        pieces += stretches(part.path, config.symbol, part.info.turns or (), *span)
    return write_merged(staged, head, pieces)
