"""Exceptions as a client is told them: the message, and how the stream closes."""

from __future__ import annotations

from typing import cast

from vp_engine.errors import VPError
from vp_engine.signals.blame import own_signal_line
from vp_serving.wire.messages import CLOSE_INTERNAL, CLOSE_REFUSED, ErrorCode, StreamError


def unreadable(error: OSError) -> str:
    """A file that cannot be read, in one line."""
    return f"{error.filename}: cannot be read ({error.strerror}); check that the lake is whole with `vp verify`"


def close_code(error: BaseException) -> int:
    """How a stream ends that this has ended: as refused where the client was told why, else as an internal failure."""
    known = isinstance(error, VPError) or (isinstance(error, OSError) and error.filename is not None)
    return CLOSE_REFUSED if known else CLOSE_INTERNAL


def error_message(error: BaseException) -> StreamError:
    """An exception as the client is told; anything unexpected is named only in the log."""
    if isinstance(error, VPError):
        code = cast(ErrorCode, error.code)
        return StreamError(code=code, message=str(error), parameter=getattr(error, "parameter", None))
    if isinstance(error, OSError) and error.filename is not None:  # a file went while it was wanted
        return StreamError(code="bad_lake", message=unreadable(error))
    message = own_signal_line(error) or "the service failed while replaying; its log says why"
    return StreamError(code="internal", message=message)
