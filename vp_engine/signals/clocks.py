"""A clock that runs ahead, for the names that one module has of it: values that depend on the time of day then differ
from one run to the next. The rest of the process keeps its clock."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_AHEAD_S = 10_000_000.0 + 12_345.678901  # months, hours, minutes and fractions of a second all differ
_READERS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")


class _LaterDate(datetime.date):
    @classmethod
    def today(cls) -> Any:
        return datetime.date.today() + datetime.timedelta(seconds=_AHEAD_S)


class _LaterDateTime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=_AHEAD_S)

    @classmethod
    def utcnow(cls) -> Any:
        return datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=_AHEAD_S)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


@contextmanager
def later(module: ModuleType | None) -> Iterator[None]:
    """While the context lasts, what `module` has imported of `time` and `datetime` is months ahead."""
    names = {} if module is None else vars(module)
    kept = {name: value for name, value in names.items() if (_replacement(value)) is not None}
    names.update({name: _replacement(value) for name, value in kept.items()})
    try:
        yield
    finally:
        names.update(kept)


def _replacement(value: Any) -> Any:
    """What stands in for a clock, or for a module that has one; None for anything else."""
    if value is time:
        return _stand_in(time, {name: _shifted(getattr(time, name)) for name in _clock_names()})
    if value is datetime:
        return _stand_in(datetime, {"datetime": _LaterDateTime, "date": _LaterDate})
    if value is datetime.datetime:
        return _LaterDateTime
    if value is datetime.date:
        return _LaterDate
    if any(value is getattr(time, name) for name in _clock_names()):
        return _shifted(value)
    return None


def _clock_names() -> list[str]:
    return [name + end for name in _READERS for end in ("", "_ns")]


def _shifted(clock: Callable[[], Any]) -> Callable[[], Any]:
    ahead = int(_AHEAD_S * 1e9) if clock.__name__.endswith("_ns") else _AHEAD_S
    return lambda: clock() + ahead


def _stand_in(module: ModuleType, changed: dict[str, Any]) -> ModuleType:
    copy = ModuleType(module.__name__)
    copy.__dict__.update({**vars(module), **changed})
    return copy
