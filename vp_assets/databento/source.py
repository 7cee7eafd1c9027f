"""Days past from Databento into the lake: a single day as a stream, a run of days as one batch job.

What is there is left alone, what is asked for is paid for within the ceiling, what arrives is checked before it counts.
One day that fails does not stop the others.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vp_assets.databento import admission
from vp_assets.databento.admission import Admission, judge
from vp_assets.databento.ledger import Ledger, LedgerEntry
from vp_assets.databento.retry import CutShort, Patience
from vp_assets.databento.vendor import Days, JobFile, Vendor, runs_of
from vp_assets.databento.verify_download import require_hash, require_records
from vp_assets.settings import Settings
from vp_engine.errors import ConfigError, DataError, LakeError
from vp_engine.lake import Lake, RawManifest, find_raw, import_raw
from vp_engine.lake.admission import admit_raw, find_no_session, write_no_session
from vp_engine.lake.store import LakePath
from vp_engine.specs import VPRuntimeConfig

SOURCE = "databento"
_FETCH_ATTEMPTS = 2  # a file whose bytes are wrong is fetched once more
Report = Callable[[str, int, int], None]


class Arrival(NamedTuple):
    """One day's outcome. state: new, was there, quarantined, no session, pending, missing, failed."""

    day: dt.date
    state: str
    note: str = ""
    manifest: RawManifest | None = None
    path: LakePath | None = None


class Polling(NamedTuple):
    """How often a batch job is looked at (seconds, growing), and how long one call waits for it in all."""

    first_s: float = 2.0
    longest_s: float = 60.0
    total_s: float = 6 * 3600.0
    sleep: Callable[[float], None] = time.sleep


class Terms(NamedTuple):
    """max_cost_usd: of everything asked for in one call. admit: let days in that the vendor doubts. replace: fetch
    days that are there. one_by_one: no batch jobs."""

    max_cost_usd: float
    admit: bool = False
    replace: bool = False
    one_by_one: bool = False


class _Wanted(NamedTuple):
    """A day to be fetched, how many records it must have, and what becomes of it."""

    records: int
    verdict: Admission


def _silent(stage: str, done: int, total: int) -> None:
    return


class DatabentoSource:
    """One lake, one contract, one account."""

    def __init__(self, lake: Lake, config: VPRuntimeConfig, vendor: Vendor, polling: Polling | None = None) -> None:
        self.lake, self.config, self.vendor = lake, config, vendor
        self._polling = polling or Polling()
        self._ledger = Ledger(lake, config)

    def bring(self, days: Sequence[dt.date], terms: Terms, report: Report = _silent) -> list[Arrival]:
        """Every one of these UTC days that can be had. ConfigError, before anything is bought, above the ceiling."""
        settled: dict[dt.date, Arrival] = {}
        if not terms.replace:
            settled = {day: held for day in days if (held := self._held(day, terms.admit)) is not None}
        wanted: dict[dt.date, _Wanted] = {}
        if open_days := [day for day in days if day not in settled]:
            settled |= self._judged(open_days, wanted, report)
        resumed = [] if terms.replace or terms.one_by_one else self._resumable(wanted)
        asked = {day for entry in resumed for day in entry.days.each()}
        runs = runs_of([day for day in wanted if day not in asked])
        cost = self._cost(runs, terms.max_cost_usd)
        spans = [(entry.days, True) for entry in resumed]
        spans += [(run, run.first != run.last and not terms.one_by_one) for run in runs]
        for span, by_job in spans:
            mine = {day: wanted[day] for day in span.each() if day in wanted}
            way = self._by_job(span, mine, cost.get(span), terms, report) if by_job else self._by_stream(mine, terms)
            for arrival in way:
                settled[arrival.day] = arrival
                report("days", sum(day in settled for day in wanted), len(wanted))
        return [settled[day] for day in days]

    def _held(self, day: dt.date, admit: bool) -> Arrival | None:
        """A day that needs no asking."""
        try:
            found = find_raw(self.lake, self.config, day, SOURCE)
        except LakeError as error:  # a damaged day is fetched again on purpose only
            return Arrival(day, "failed", f"{error}; or fetch it again with --replace")
        if found is not None:
            if admit and found.manifest.quarantine is not None:
                found = admit_raw(self.lake, self.config, day, "admitted with --admit")
            reason = found.manifest.quarantine
            return Arrival(
                day, "was there" if reason is None else "quarantined", reason or "", found.manifest, found.path
            )
        closed = find_no_session(self.lake, self.config, day, SOURCE)
        return Arrival(day, "no session", closed.reason) if closed is not None else None

    def _judged(
        self, days: Sequence[dt.date], wanted: dict[dt.date, _Wanted], report: Report
    ) -> dict[dt.date, Arrival]:
        """Days that there is nothing to fetch of; the others go into `wanted`."""
        conditions = self.vendor.conditions(Days(min(days), max(days)))
        until = self.vendor.available_until()
        settled = {}
        for n, day in enumerate(days):
            published = admission.ends(day) <= until  # beyond it the service refuses every question
            records = self.vendor.count(day) if published and admission.may_trade(day) else 0
            verdict = judge(day, conditions.get(day), records, until, self.config.symbol)
            if verdict.act == admission.NO_SESSION:
                write_no_session(self.lake, self.config, day, verdict.reason, verdict.condition, SOURCE)
            if verdict.act in (admission.ADMIT, admission.QUARANTINE):
                wanted[day] = _Wanted(records, verdict)
            else:
                settled[day] = Arrival(day, verdict.act, verdict.reason)
            report("asked about", n + 1, len(days))
        return settled

    def _resumable(self, wanted: dict[dt.date, _Wanted]) -> list[LedgerEntry]:
        """Jobs of earlier calls that hold days still wanted; those that hold none are closed."""
        found = []
        for entry in self._ledger.open_entries():
            if any(day in wanted for day in entry.days.each()):
                found.append(entry)
            elif entry.state == "asked" and all(self._held(day, False) for day in entry.days.each()):
                self._ledger.close(entry)
        return found

    def _cost(self, runs: Sequence[Days], max_cost_usd: float) -> dict[Days, float]:
        """Price of each run; ConfigError if they cost more than the ceiling together."""
        cost = {days: self.vendor.cost_usd(days) for days in runs}
        total = sum(cost.values())
        if total > max_cost_usd:
            raise ConfigError(
                f"{', '.join(map(str, runs))} of {self.config.symbol} would cost ${total:,.2f}, the ceiling is "
                f"${max_cost_usd:,.2f}; ask for fewer days or raise it with --max-cost"
            )
        return cost

    def _by_stream(self, wanted: dict[dt.date, _Wanted], terms: Terms) -> Iterator[Arrival]:
        """Days one after the other, each billed as it is sent."""
        for day, want in wanted.items():
            yield self._one(day, want, terms, functools.partial(self.vendor.stream, day))

    def _by_job(
        self, span: Days, wanted: dict[dt.date, _Wanted], cost_usd: float | None, terms: Terms, report: Report
    ) -> Iterator[Arrival]:
        """Days of one batch job; it stays open in the ledger until all of them are in."""
        entry, files = self._finished(span, cost_usd, report)
        whole = True
        for day, want in wanted.items():
            arrival = self._one(day, want, terms, functools.partial(self._from_job, entry, files.get(day)))
            whole = whole and arrival.state != "failed"
            yield arrival
        if whole:
            self._ledger.close(entry)

    def _finished(
        self, span: Days, cost_usd: float | None, report: Report
    ) -> tuple[LedgerEntry, dict[dt.date, JobFile]]:
        """Wait for a job over these days, asked for if need be; an expired one is asked for anew."""
        entry = self._ledger.job_for(self.vendor, span, cost_usd)
        waited, pause = 0.0, self._polling.first_s
        while True:
            job = self.vendor.job(entry.job_id or "")
            state = str(job.get("state"))
            report(f"batch job {state}", int(job.get("progress") or 0), 100)
            if state == "done":
                return entry, self.vendor.files(entry.job_id or "")
            if state == "expired":
                self._ledger.close(entry)
                entry = self._ledger.job_for(self.vendor, span, cost_usd)
                continue
            if waited >= self._polling.total_s:
                raise DataError(
                    f"batch job {entry.job_id} over {span} is still {state}; run the same again later, it goes on there"
                )
            self._polling.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, self._polling.longest_s)

    def _from_job(self, entry: LedgerEntry, file: JobFile | None, target: Path) -> None:
        if file is None:
            raise DataError(f"batch job {entry.job_id} over {entry.days} has no file of the day")
        self.vendor.fetch(file, target)
        require_hash(target, file.name, file.sha256, file.bytes)

    def _one(self, day: dt.date, wanted: _Wanted, terms: Terms, fetch: Callable[[Path], None]) -> Arrival:
        """One day through fetching, checking and the lake's own reading."""
        verdict = wanted.verdict
        doubted = verdict.reason if verdict.act == admission.QUARANTINE and not terms.admit else None
        try:
            with self.lake.staged(self.lake.path("databento")) as folder:  # swept later if this process dies
                folder.mkdir()
                file = folder / f"{self.config.dataset.lower().replace('.', '-')}-{day:%Y%m%d}.mbo.dbn.zst"
                counted = Patience(_FETCH_ATTEMPTS, 0.0).call(functools.partial(_sound, file, wanted.records, fetch))
                taken = import_raw(
                    self.lake, self.config, file, SOURCE, day=day, condition=verdict.condition, quarantine=doubted,
                    counted=f"Databento counts {counted}", replace=terms.replace,
                )  # fmt: skip
        except CutShort as error:
            return Arrival(day, "failed", f"{error}; run the same again later")
        except (DataError, LakeError) as error:
            return Arrival(day, "failed", str(error))
        reason = taken.manifest.quarantine
        state = "quarantined" if reason else ("was there" if taken.hit else "new")
        return Arrival(day, state, reason or "", taken.manifest, taken.path)


def _sound(file: Path, records: int, fetch: Callable[[Path], None]) -> str:
    """Fetch and check; what the vendor counts. Wrong bytes do not stay, or the next try would go on behind them."""
    try:
        fetch(file)
        return require_records(file, file.name, records)
    except CutShort:
        file.unlink(missing_ok=True)
        raise


def open_source(settings: Settings, lake: Lake, config: VPRuntimeConfig, **tuning: Any) -> DatabentoSource:
    """The source of these settings; ConfigError without a key. `tuning`: patience, polling."""
    if settings.databento_key is None:
        raise ConfigError("no Databento key; set DATABENTO_API_KEY to the key of your account")
    vendor = Vendor(settings.databento_key, config, settings.databento_gateway, tuning.pop("patience", None))
    return DatabentoSource(lake, config, vendor, **tuning)


def failure(arrivals: Sequence[Arrival]) -> DataError | None:
    """One line over the days that should have come and did not, or None."""
    failed = [arrival for arrival in arrivals if arrival.state in ("failed", "missing")]
    if not failed:
        return None
    first = failed[0]
    return DataError(f"{len(failed)} of {len(arrivals)} days did not arrive; {first.day}: {first.note}")
