"""What a raw day must be before anything is built on it: by an asset, by a command or by the service."""

from __future__ import annotations

from collections.abc import Sequence

from vp_engine.errors import DataError
from vp_engine.lake.raw import RawDay, RawManifest
from vp_engine.specs.capture import Capture
from vp_engine.units import NS_PER_DAY, utc_midnight_ns, utc_text

MAX_BAD_FLAG_SHARE = 0.01  # of a day's records, with a receive time that the vendor does not trust


def bad_flag_share(manifest: RawManifest) -> float:
    """Share of a raw day's records whose receive time the vendor does not trust."""
    return manifest.n_bad_flags / max(manifest.kept, 1)


def require_admissible(day: RawDay) -> RawDay:
    """The day, or DataError if no chain should start from it."""
    facts = day.manifest
    if facts.quarantine is not None:
        raise DataError(
            f"{facts.day} (UTC) of {facts.symbol} is in quarantine: {facts.quarantine}; "
            f"look at it, then `vp admit {facts.day}`"
        )
    if not facts.complete_start:
        raise DataError(
            f"{day.path.name}: its book is not known from its first record, since it opens with neither a clear nor a "
            "snapshot; fetch the day from its start"
        )
    if bad_flag_share(facts) > MAX_BAD_FLAG_SHARE:
        raise DataError(
            f"{day.path.name}: {bad_flag_share(facts):.1%} of its records have an untrusted receive time, "
            f"at most {MAX_BAD_FLAG_SHARE:.0%} may"
        )
    return day


def require_coverage(days: Sequence[RawDay], capture: Capture) -> None:
    """DataError that names both where a capture, its warm-up included, reaches beyond what its raw days hold."""
    for day in days:
        facts = day.manifest
        if facts.coverage_start_ns is None or facts.coverage_end_ns is None:
            continue
        midnight = utc_midnight_ns(facts.day)
        first, last = max(capture.warmup_start_ns, midnight), min(capture.end_ns, midnight + NS_PER_DAY)
        if first < facts.coverage_start_ns or last > facts.coverage_end_ns:
            raise DataError(
                f"{facts.day} (UTC) of {facts.symbol} covers {utc_text(facts.coverage_start_ns)} to "
                f"{utc_text(facts.coverage_end_ns)} UTC, the capture with its warm-up needs {utc_text(first)} to "
                f"{utc_text(last)}; import the whole day, or choose a window inside"
            )
