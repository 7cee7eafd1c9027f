"""The stream's query string, parsed and checked. What is wrong is said in one line that names the parameter."""

from __future__ import annotations

import difflib
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vp_engine.errors import ConfigError
from vp_engine.lake.paths import is_dataset_id
from vp_engine.specs import VPRuntimeConfig
from vp_engine.units import parse_clock, parse_date
from vp_serving.settings import override_fields
from vp_serving.wire.messages import STREAM_PATH

MAX_SPEED = 1e6
MAX_HORIZONS, MAX_HORIZON_BINS = 16, 6000  # each is a column of every bin that is sent
NAME = re.compile(r"[a-z0-9_]{1,100}")
RUN_ID = re.compile(r"[0-9a-f]{16}")
_INTEGER = re.compile(r"\d{1,18}")


class QueryError(ConfigError):
    """A query that cannot be served. `code` as in StreamError; `parameter` is the offending one."""

    def __init__(self, parameter: str, message: str, code: str = "bad_value") -> None:
        super().__init__(message)
        self.parameter = parameter
        self.code = code


def stream_url(**query: Any) -> str:
    """Path and query of a stream."""
    return f"{STREAM_PATH}?{urlencode(query)}"


@dataclass(frozen=True)
class StreamRequest:
    """What a client asks for; None where it left a parameter out. `overrides` are runtime config fields."""

    product_type: str | None = None
    symbol: str | None = None
    dt: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    serving: str | None = None
    dataset: str | None = None
    run_id: str | None = None
    threshold: float | None = None
    speed: float = 1.0
    from_bin: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)


def parse_query(items: Iterable[tuple[str, str]]) -> StreamRequest:
    """A request from decoded (name, value) pairs; QueryError for the first that cannot be used."""
    values: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    for name, text in items:
        if name in values or name in overrides:
            raise QueryError(name, f"`{name}` is given twice")
        if name in _REFUSED:
            _REFUSED[name](name, text)
            values[name] = None
        elif name in _PARSERS:
            values[name] = _PARSERS[name](name, text)
        elif name in _OVERRIDES:
            overrides[name] = _override(name, text)
        else:
            raise QueryError(name, _unknown(name), "unknown_parameter")
    for name in _REFUSED:
        values.pop(name, None)
    request = StreamRequest(**values, overrides=overrides)
    _check_together(request)
    return request


def check_name(name: str, parameter: str) -> str:
    """A spec's or signal's name as it may touch a path."""
    return _matching(NAME, "lower-case letters, digits and underscores")(parameter, name)


def check_dataset_id(text: str, parameter: str = "dataset") -> str:
    """A dataset id as it may touch a path."""
    if not is_dataset_id(text):
        form = "<symbol>_<yyyymmdd>_<hhmm>_<hhmm>__<pipeline>__<12 hex digits>"
        raise QueryError(parameter, f"`{parameter}` must be {form}, was {_shown(text)}")
    return text


def check_run_id(text: str, parameter: str = "run_id") -> str:
    """A run id."""
    return _matching(RUN_ID, "16 hex digits")(parameter, text)


def _check_together(request: StreamRequest) -> None:
    """Parameters that exclude or need each other."""
    named = [name for name in ("serving", "run_id") if getattr(request, name) is not None]
    if len(named) > 1:
        raise QueryError("run_id", "`run_id` brings its own serving spec; leave out `serving`")
    horizons = request.overrides.get("projection_horizons_bins", ())
    if len(horizons) > MAX_HORIZONS or max(horizons, default=0) > MAX_HORIZON_BINS:
        name = "projection_horizons_bins"
        raise QueryError(name, f"`{name}` must be at most {MAX_HORIZONS} numbers of bins up to {MAX_HORIZON_BINS}")
    if request.threshold is not None and request.run_id is None:
        raise QueryError("threshold", "`threshold` chooses a row of a run; give `run_id` with it")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*_PARSERS, *_REFUSED, *_OVERRIDES], n=1)
    return f"unknown parameter `{name[:60]}`" + (f"; did you mean `{near[0]}`?" if near else "")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _matching(pattern: re.Pattern[str], form: str) -> Callable[[str, str], str]:
    def parse(name: str, text: str) -> str:
        if not pattern.fullmatch(text):
            raise QueryError(name, f"`{name}` must be {form}, was {_shown(text)}")
        return text

    return parse


def _via(check: Callable[[str, str], Any]) -> Callable[[str, str], str]:
    """A parser of `vp_engine.units` as one of ours: the text itself once it is found good."""

    def parse(name: str, text: str) -> str:
        try:
            check(text, name)
        except ConfigError as error:
            raise QueryError(name, str(error)) from None
        return text

    return parse


def _text(name: str, text: str) -> str:
    if not text or len(text) > 60:
        raise QueryError(name, f"`{name}` must not be empty or longer than 60 characters")
    return text


def _number(low: float, high: float) -> Callable[[str, str], float]:
    def parse(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise QueryError(name, f"`{name}` must be a number from {low:.0f} to {high:.0f}, was {_shown(text)}")
        return value

    return parse


def _bin(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise QueryError(name, f"`{name}` must be a bin number, 0 or more, was {_shown(text)}")
    return int(text)


def _override(name: str, text: str) -> Any:
    """A runtime config field from text; lists are comma-separated."""
    value: Any = [part.strip() for part in text.split(",")] if _OVERRIDES[name].is_list else text.strip()
    try:
        return _OVERRIDES[name].adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        raise QueryError(name, f"`{name}`: {problem[0].lower()}{problem[1:]}, was {_shown(text)}") from None


def _refuse_projection(name: str, text: str) -> None:
    if text == "frontend":
        raise QueryError(name, f"`{name}` frontend is not served; projections come from the backend", "unsupported")
    if text != "backend":
        raise QueryError(name, f"`{name}` must be backend, was {_shown(text)}")


def _refuse_dev_scoring(name: str, text: str) -> None:
    if text.lower() in ("true", "1"):
        raise QueryError(name, f"`{name}` is not served; scores come from the engine's scorer", "unsupported")
    if text.lower() not in ("false", "0"):
        raise QueryError(name, f"`{name}` must be false, was {_shown(text)}")


class _Override(NamedTuple):
    """How a field of the runtime config is read from text."""

    adapter: TypeAdapter[Any]
    is_list: bool


def _overrides() -> dict[str, _Override]:
    hints = typing.get_type_hints(VPRuntimeConfig, include_extras=True)
    found = {}
    for name in override_fields():
        plain = hints[name]
        while typing.get_origin(plain) is typing.Annotated:
            plain = typing.get_args(plain)[0]
        is_list = typing.get_origin(plain) in (tuple, list)
        found[name] = _Override(TypeAdapter(hints[name], config=ConfigDict(allow_inf_nan=False)), is_list)
    return found


_OVERRIDES = _overrides()
_PARSERS: dict[str, Callable[[str, str], Any]] = {
    "product_type": _text,
    "symbol": _text,
    "dt": _via(parse_date),
    "start_time": _via(parse_clock),
    "end_time": _via(parse_clock),
    "serving": _matching(NAME, "lower-case letters, digits and underscores"),
    "dataset": lambda name, text: check_dataset_id(text, name),
    "run_id": lambda name, text: check_run_id(text, name),
    "threshold": _number(-1e12, 1e12),
    "speed": _number(0, MAX_SPEED),
    "from_bin": _bin,
}
_REFUSED: dict[str, Callable[[str, str], None]] = {
    "projection_source": _refuse_projection,
    "dev_scoring": _refuse_dev_scoring,
}
