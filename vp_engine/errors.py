"""Errors a user can act on. Each message is one line: what is wrong, where, and what to do.

Command lines turn a `VPError` into exit code 2, the stream into close code 1008, REST into a 4xx.
"""


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


class SignalError(VPError):
    """A signal that breaks its contract: it looks ahead, depends on how its input is cut, or reads what it does not
    declare."""

    code = "bad_signal"
