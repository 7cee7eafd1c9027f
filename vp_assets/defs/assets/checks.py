"""What must hold of each asset: check specs, and their results from stored bytes and manifests.

A blocking check also raises in the code that makes the thing, since a check only blocks inside its own run; one that
fails here means that bytes and manifest have parted since. The others warn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import numpy as np
from dagster import PreviewWarning

from vp_assets.defs.preview import table_markdown
from vp_assets.research.gates import (
    MIN_VALID_SHARE,
    are_contiguous,
    bad_orders,
    volumes,
)
from vp_assets.research.promotion import differences, read_promoted, replay
from vp_assets.research.requests import Chain
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.book.snapshots import SnapshotDifferences
from vp_engine.errors import DataError, VPError
from vp_engine.evaluation.verdicts import SIGNIFICANT
from vp_engine.lake import DatasetInfo, Lake, RawDay, open_dataset
from vp_engine.lake.admission import NoSession
from vp_engine.lake.raw_checks import MAX_BAD_FLAG_SHARE, bad_flag_share
from vp_engine.lake.results import ResultsDB
from vp_engine.units import utc_date


class Check(NamedTuple):
    """Name and meaning of one check; `blocking` stops what lies downstream in the same run."""

    name: str
    description: str
    blocking: bool = True


RAW = (
    Check("hash", "The file's sha256 is the one it was admitted with."),
    Check("condition", "The vendor does not doubt the day, or somebody has admitted it."),
    Check("records", "The file holds records of the locked contract."),
    Check("day", "First and last record lie in the UTC day, in order."),
    Check("snapshot", "The book is known from the first record: the day opens with a clear or a snapshot."),
    Check("bad_flags", f"At most {MAX_BAD_FLAG_SHARE:.0%} of the records have an untrusted receive time."),
)
BOOK = (
    Check("depth", "No resting order has a size below one contract, and none stands twice."),
    Check("volume", "No trade has more resting fills than contracts."),
    Check("crossed", "No book was left crossed at the end of an event.", blocking=False),
    Check("carried", "The raw day before, replayed to its end, leaves the book that this opens with.", blocking=False),
)
BINS = (
    Check("count", "One bin for every bin width of the window."),
    Check("contiguous", "Bins are numbered from 0 and each starts where the last one ended."),
    Check("finite", "Every number is finite (seen as it was written, or vouched for by the checksums)."),
    Check("checksums", "Every file has the sha256 that was noted when it was written."),
    Check("volume", "No trade has more resting fills than contracts."),
    Check("valid_share", f"The book is valid in at least {MIN_VALID_SHARE:.0%} of the bins.", blocking=False),
)
SWEEP = (
    Check("rows", "There are rows, and as many per run as it has thresholds."),
    Check("unique", "No run and no (run, threshold) stands twice."),
    Check("tracked", "The sweep stands in MLflow, if the experiment asks for it.", blocking=False),
)
PROMOTED = (
    Check("replays", "The promoted spec, replayed over its dataset, gives the figures it claims."),
    Check("significant", f"The chosen run's Holm-adjusted p is at most {SIGNIFICANT}.", blocking=False),
)


def specs(
    key: dg.AssetKey, checks: Sequence[Check], days: dg.PartitionsDefinition[Any] | None = None
) -> list[dg.AssetCheckSpec]:
    """Check specs of one asset; with its days, results are kept day by day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)  # days of checks are new in this Dagster; a test holds them
        return [
            dg.AssetCheckSpec(
                check.name, asset=key, description=check.description, blocking=check.blocking, partitions_def=days
            )
            for check in checks
        ]


class _Results:
    """Results of one asset's checks, with the severity that blocks or warns."""

    def __init__(self, key: dg.AssetKey, checks: Sequence[Check]) -> None:
        self._key = key
        self._blocking = {check.name: check.blocking for check in checks}

    def __call__(self, name: str, passed: Any, **facts: Any) -> dg.AssetCheckResult:
        severity = dg.AssetCheckSeverity.ERROR if self._blocking[name] else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            passed=bool(passed), asset_key=self._key, check_name=name, severity=severity, metadata=facts or None
        )


def gated(results: Iterable[dg.AssetCheckResult], remedy: str) -> Iterator[dg.AssetCheckResult]:
    """The results, recorded one by one; then DataError in one line if a blocking one failed."""
    failed = []
    for result in results:
        if not result.passed and result.severity == dg.AssetCheckSeverity.ERROR:
            asset = result.asset_key.to_user_string() if result.asset_key is not None else ""
            failed.append(f"{asset}: {result.check_name}")
        yield result
    if failed:
        raise DataError(f"check failed: {', '.join(failed)}; {remedy}")


def no_session(key: dg.AssetKey, checks: Sequence[Check], reason: str) -> Iterator[dg.AssetCheckResult]:
    """Checks of a day without a session: there is nothing that could fail."""
    result = _Results(key, checks)
    yield from (result(check.name, True, no_session=reason) for check in checks)


def closed_day(
    key: dg.AssetKey, checks: Sequence[Check], day: NoSession
) -> Iterator[dg.MaterializeResult[NoSession] | dg.AssetCheckResult]:
    """What an asset yields for a day without a session: it is materialised as "no session", so that the UI shows the
    day as done and what stands below it goes on."""
    yield dg.MaterializeResult(value=day, data_version=dg.DataVersion("no session"))
    yield from no_session(key, checks, day.reason)


def raw(key: dg.AssetKey, day: RawDay | NoSession) -> Iterator[dg.AssetCheckResult]:
    """Checks of one raw day; of a day without a session there is nothing to check."""
    if isinstance(day, NoSession):
        yield from no_session(key, RAW, day.reason)
        return
    result = _Results(key, RAW)
    facts = day.manifest
    digest = day.lake.digest(day.path)
    yield result("hash", digest == facts.sha256, sha256=digest)
    said = {"condition": facts.condition, "quarantine": facts.quarantine, "admitted": facts.admitted}
    yield result("condition", facts.quarantine is None, **{name: word for name, word in said.items() if word})
    yield result("records", 0 < facts.kept <= facts.records, kept=facts.kept, records=facts.records)
    yield result("day", facts.first_ts_ns <= facts.last_ts_ns and utc_date(facts.last_ts_ns) == facts.day)
    yield result("snapshot", facts.complete_start)
    share = bad_flag_share(facts)
    yield result("bad_flags", share <= MAX_BAD_FLAG_SHARE, records=facts.n_bad_flags, share=share)


def book(
    key: dg.AssetKey, checkpoint: BookCheckpoint, carried: SnapshotDifferences | str
) -> Iterator[dg.AssetCheckResult]:
    """Checks of one book cache. `carried`: how its day's snapshot differs from the day before, or why none can say."""
    result = _Results(key, BOOK)
    yield result("depth", bad_orders(checkpoint) == 0, orders=checkpoint.n_orders, bad=bad_orders(checkpoint))
    yield _volume(result, checkpoint.counters)
    crossed = checkpoint.counters["crossed_events"]
    yield result("crossed", crossed == 0, events=crossed)
    if isinstance(carried, str):
        yield result("carried", True, note=carried)
    else:
        yield result("carried", not any(carried), **carried._asdict())


def bins(key: dg.AssetKey, lake: Lake, stored: DatasetInfo) -> Iterator[dg.AssetCheckResult]:
    """Checks of one dataset, from its bytes."""
    result, capture = _Results(key, BINS), stored.capture
    dataset = open_dataset(lake, stored.dataset_id)
    held = dataset.bins
    problem = _problem(lambda: lake.verify_dir(stored.path))
    yield result("count", held.size == capture.n_bins == stored.n_bins, bins=held.size, window=capture.n_bins)
    yield result("contiguous", are_contiguous(held, capture))
    yield result("finite", problem is None and np.isfinite(held["mid_price"]).all())
    yield result("checksums", problem is None, **({"problem": problem} if problem else {}))
    yield _volume(result, stored.manifest["counters"])
    share = float((held["book_valid"] == 1).mean())
    yield result("valid_share", share >= MIN_VALID_SHARE, share=share)


def sweep(key: dg.AssetKey, results: ResultsDB, address: str, tracked: str | None) -> Iterator[dg.AssetCheckResult]:
    """Checks of one day's results. `tracked`: what went wrong with MLflow, or None."""
    result = _Results(key, SWEEP)
    meta, runs = results.read(address)
    ids, pairs = (
        meta["run_id"].to_pylist(),
        list(zip(*runs.select(["run_id", "threshold"]).to_pydict().values(), strict=True)),
    )
    claimed = sum(meta["n_thresholds"].to_pylist())
    yield result("rows", 0 < runs.num_rows == claimed, runs=meta.num_rows, rows=runs.num_rows, claimed=claimed)
    yield result("unique", len(set(ids)) == len(ids) and len(set(pairs)) == len(pairs))
    yield result("tracked", tracked is None, **({"problem": tracked} if tracked else {}))


def promoted(key: dg.AssetKey, chain: Chain, path: Path) -> Iterator[dg.AssetCheckResult]:
    """Checks of a promoted spec, as it is read back."""
    result, spec = _Results(key, PROMOTED), read_promoted(path)
    figures = replay(chain.lake, chain.specs, spec)
    wrong = differences(figures)
    table = table_markdown(("figure", "claimed", "replayed"), [(name, *both) for name, both in figures.items()])
    yield result("replays", not wrong and "n_signals" in figures, figures=dg.MetadataValue.md(table))
    p_holm = spec.promoted.figures.get("p_holm") if spec.promoted is not None else None
    significant = p_holm is not None and p_holm <= SIGNIFICANT
    yield result("significant", significant, **({} if p_holm is None else {"p_holm": float(p_holm)}))


def _volume(result: _Results, counters: Mapping[str, int]) -> dg.AssetCheckResult:
    facts = volumes(counters)
    share = round(facts.unattributed_share, 6)
    return result("volume", not facts.overfilled, unattributed_share=share, **facts._asdict())


def _problem(action: Callable[[], object]) -> str | None:
    """The message of the VPError that an action raises."""
    try:
        action()
    except VPError as error:
        return str(error)
    return None
