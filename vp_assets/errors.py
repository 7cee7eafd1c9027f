"""What a person is told of an error that came through Dagster."""

from __future__ import annotations

from vp_engine.errors import VPError


def user_line(error: BaseException | None) -> str | None:
    """The message of the VPError or OSError behind an exception, or None; Dagster wraps what an IO manager raises."""
    while error is not None:
        if isinstance(error, (OSError, VPError)):
            return str(error)
        error = error.__cause__ or error.__context__
    return None
