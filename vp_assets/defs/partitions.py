"""Daily partitions, without exclusions: the calendar advises, data decides.

A key of `raw_dbn` is a UTC date; a key of every other asset is the Eastern date of its capture's `start_time`.
A spec with a fixed `dt` has that one day. Parameters live in specs, never in partition keys.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg

from vp_engine.errors import ConfigError
from vp_engine.specs.pipeline import PipelineSpec
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import parse_date

# Two days on both sides of the daylight saving changes: between them a capture's UTC days do not vary.
_WINTER_AND_SUMMER = ("2024-01-10", "2024-07-10")


def every_day(first_day: dt.date) -> dg.DailyPartitionsDefinition:
    """Every day so far: one definition for raw days and for captures without a `dt`, so that one run holds both."""
    return dg.DailyPartitionsDefinition(first_day.isoformat(), end_offset=1)


def capture_days(spec: PipelineSpec, first_day: dt.date) -> dg.DailyPartitionsDefinition:
    """Eastern days of a pipeline: its fixed day, or every day so far."""
    if spec.capture.dt is None:
        return every_day(first_day)
    day = parse_date(spec.capture.dt)
    return dg.DailyPartitionsDefinition(day.isoformat(), end_date=(day + dt.timedelta(days=1)).isoformat())


def raw_mapping(spec: PipelineSpec, lock: VPRuntimeConfig, *, book_only: bool) -> dg.TimeWindowPartitionMapping:
    """From a capture's day to the UTC days it reads (the book cache reads only the day of the warm-up's start)."""
    offsets: list[int] = []
    for day in [spec.capture.dt] if spec.capture.dt else _WINTER_AND_SUMMER:
        capture = spec.resolve(lock, day)
        days = [capture.book_day()] if book_only else capture.utc_days()
        offsets += [(utc_day - capture.dt).days for utc_day in days]
    return dg.TimeWindowPartitionMapping(start_offset=min(offsets), end_offset=max(offsets))


def require_key(partitions: dg.PartitionsDefinition, key: str, what: str) -> str:
    """The key, or ConfigError: Dagster's API takes keys that do not exist, so every asset asks here first."""
    parse_date(key, "partition key")
    if not partitions.has_partition_key(key):
        keys = partitions.get_partition_keys()
        span = f"{keys[0]} to {keys[-1]}" if keys else "none yet: its day lies in the future"
        raise ConfigError(f"{what} has no partition {key} (it has {span})")
    return key
