"""Progress of long steps: an asset reports, whoever listens draws. Nobody listening costs nothing.

One listener per process: assets of one in-process run follow each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]  # stage, done, total

_listener: Listener | None = None


def report(stage: str, done: int, total: int) -> None:
    """`done` of `total` units of a stage are behind us."""
    if _listener is not None:
        _listener(stage, done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand every report inside the block to `listener`."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
