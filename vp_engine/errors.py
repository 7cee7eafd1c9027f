"""Errors a user can act on. Each message is one line: what is wrong, where, and what to do.

Command lines turn a `VPError` into exit code 2, the stream into close code 1008, REST into a 4xx.
"""

from __future__ import annotations

from collections.abc import Iterator


class VPError(Exception):
    """Base of everything this package raises on purpose."""

    code = "error"


class ConfigError(VPError):
    """A spec, parameter or instrument that cannot be used as given."""

    code = "bad_config"


class DataError(VPError):
    """Input bytes that are missing, foreign, truncated or corrupt."""

    code = "bad_data"


class BookError(DataError):
    """An event stream that no order book can have produced."""

    code = "bad_book"


class NotFoundError(VPError):
    """A name, address or file that does not exist where it was looked for."""

    code = "not_found"


class LakeError(VPError):
    """A stored thing that does not match its manifest, or a lake that cannot be written."""

    code = "bad_lake"


class UnreachableError(LakeError):
    """A store that does not answer now; what it holds may be whole."""


class SignalError(VPError):
    """A signal that breaks its contract: it looks ahead, depends on how its input is cut, or reads what it does not
    declare."""

    code = "bad_signal"


def causes(error: BaseException | None, during: bool = True) -> Iterator[BaseException]:
    """An exception, what it was raised from and, if `during`, what was being handled then, and the members of groups;
    each once, cycles included."""
    ahead, seen = [error], set[int]()
    while ahead:
        current = ahead.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        ahead.append(current.__cause__)
        if during and not current.__suppress_context__:
            ahead.append(current.__context__)
        if isinstance(current, BaseExceptionGroup):
            ahead += current.exceptions
