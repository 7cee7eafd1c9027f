"""After the close: which days the exchange has finished, and which of them the lake does not have yet.

The calendar advises, data decide: a day is asked for if the calendar says that its window traded, its raw days are
there or over, and something of it is missing. Every tick looks back over a few days, so what one tick missed or what
failed is asked for by the next, up to a limit. A raw file is a whole UTC day, which ends after the first tick of an
evening; the second tick of the evening takes up what was not over yet.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import dagster as dg

from vp_assets.defs.assets.raw import KEY as RAW_KEY
from vp_assets.defs.jobs import JOB, daily_experiments, daily_pipelines, pipeline_keys
from vp_assets.research.calendar import closed_session, session_of
from vp_assets.research.requests import Chain
from vp_engine.errors import ConfigError, VPError
from vp_engine.lake import find_dataset, find_raw
from vp_engine.lake.admission import find_no_session
from vp_engine.specs import Capture
from vp_engine.units import ET, datetime_to_ns, utc_midnight_ns

SCHEDULE = "after_the_close"
CRON = ("45 17 * * *", "15 20 * * *")  # Eastern: the halt has begun; the UTC day is over, in summer too
MAX_RUNS_PER_DAY = 3  # of one day and the same assets; then a person must look
DAY_TAG, BY_TAG, ASKED_TAG = "spymaster/day", "spymaster/by", "spymaster/asked"


class Due(NamedTuple):
    """One run to ask for: a day, and what of it. `raw` says whether the raw day of that date is part of the run."""

    day: dt.date
    raw: bool
    pipelines: tuple[str, ...]

    @property
    def asked(self) -> str:
        """What the run is asked for, in words that name it."""
        return " ".join([*(["raw"] if self.raw else []), *self.pipelines])


def due_days(chain: Chain, now: dt.datetime, days_back: int) -> list[Due]:
    """What is to be asked for at an aware time, oldest day first, looking back so many Eastern days."""
    today = now.astimezone(ET).date()
    raw: set[dt.date] = set()
    captures: dict[dt.date, list[str]] = {}
    for back in range(days_back, -1, -1):
        day = today - dt.timedelta(days=back)
        if day < chain.first_day:
            continue
        for pipeline in daily_pipelines(chain):
            capture = _traded(chain, pipeline, day, now)
            if capture is None or not _is_missing(chain, pipeline, day):
                continue
            absent = [utc_day for utc_day in capture.utc_days() if _is_absent(chain, utc_day)]
            if any(not _is_over(utc_day, now) or _had_no_session(chain, utc_day) for utc_day in absent):
                continue
            if capture.utc_days() == [day]:  # the run brings its raw day itself
                raw.add(day)
                captures.setdefault(day, []).append(pipeline)
            elif absent:  # raw days of other dates come in runs of their own; the next tick goes on from there
                raw.update(absent)
            else:
                captures.setdefault(day, []).append(pipeline)
    return [Due(day, day in raw, tuple(captures.get(day, ()))) for day in sorted(raw | captures.keys())]


def _traded(chain: Chain, pipeline: str, day: dt.date, now: dt.datetime) -> Capture | None:
    """The capture, if its window is over and the calendar says that it traded; a window that daylight saving makes
    ambiguous on this day has none."""
    try:
        capture = chain.capture(pipeline, day)
    except ConfigError:
        return None
    return capture if capture.end_ns <= datetime_to_ns(now) and session_of(capture) is not None else None


def _is_absent(chain: Chain, utc_day: dt.date) -> bool:
    """Whether the lake lacks a raw day; a damaged one is there, and the run that reads it says so."""
    try:
        return find_raw(chain.lake, chain.lock, utc_day) is None
    except VPError:
        return False


def _is_over(utc_day: dt.date, now: dt.datetime) -> bool:
    return datetime_to_ns(now) >= utc_midnight_ns(utc_day + dt.timedelta(days=1))


def _had_no_session(chain: Chain, utc_day: dt.date) -> bool:
    return find_no_session(chain.lake, chain.lock, utc_day) is not None


def _is_missing(chain: Chain, pipeline: str, day: dt.date) -> bool:
    """Whether the dataset of a day, or a sweep over it, is not in the lake."""
    try:
        if find_dataset(chain.lake, chain.bins(pipeline, day).address) is None:
            return True
    except VPError:  # damage too: the run makes it again, or fails and says what is damaged
        return True
    return any(chain.swept(name, day.isoformat()) is None for name in daily_experiments(chain, pipeline))


def requests(chain: Chain, due: Iterable[Due], instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    """One run per day, unless one is under way or it has been tried `MAX_RUNS_PER_DAY` times.

    The run key counts the tries: the same tick evaluated twice asks once, a later tick may ask again.
    """
    asked = instance.get_runs(dg.RunsFilter(tags={BY_TAG: SCHEDULE}), limit=1_000)
    tried = Counter((run.tags.get(DAY_TAG), run.tags.get(ASKED_TAG)) for run in asked)
    under_way = {run.tags.get(DAY_TAG) for run in asked if not run.is_finished}
    for one in due:
        day = one.day.isoformat()
        before = tried[day, one.asked]
        if day in under_way or before >= MAX_RUNS_PER_DAY:
            continue
        keys = [key for pipeline in one.pipelines for key in pipeline_keys(chain, pipeline)]
        yield dg.RunRequest(
            run_key=f"{day} {one.asked} #{before + 1}",
            partition_key=day,
            asset_selection=[*([RAW_KEY] if one.raw else []), *keys],
            tags={BY_TAG: SCHEDULE, DAY_TAG: day, ASKED_TAG: one.asked},
        )


def build_schedule(chain: Chain, job: dg.UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
    """The schedule, off until somebody switches it on (Automation in the UI)."""

    @dg.schedule(
        name=SCHEDULE,
        job=job,
        cron_schedule=CRON,
        execution_timezone=str(ET),
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Asks for every finished day that is missing, {chain.settings.catch_up_days} days back. "
        "Evenings at 17:45 and 20:15 Eastern; off until switched on.",
    )
    def after_the_close(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        now = context.scheduled_execution_time
        due = due_days(chain, now, chain.settings.catch_up_days)
        asked = list(requests(chain, due, context.instance))
        yield from asked
        if not asked:
            last = closed_session(now)
            closed = f"the last session closed was {last.day}" if last else "no session closed of late"
            waiting = (
                f"{len(due)} days are under way or were tried {MAX_RUNS_PER_DAY} times" if due else "nothing is due"
            )
            yield dg.SkipReason(f"{closed}; {waiting}")

    return after_the_close


__all__ = ["CRON", "JOB", "SCHEDULE", "Due", "build_schedule", "due_days", "requests"]
