"""An event loop whose time stands while anything is to be done and jumps to the next timer when nothing is: minutes of
pacing take milliseconds, and come out the same every time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Leaping(selectors.SelectSelector):
    """Waits for nothing: what would have been waited is added to `now`."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            assert timeout is not None, "everything waits and no timer runs"
            self.now += max(timeout, 0.0)
        return found


class Clockwork(asyncio.SelectorEventLoop):
    """Its `time` is told by the timers alone."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now

    def stand_still(self, seconds: float) -> None:
        """Time goes by in which the loop does nothing, as where something else has the processor."""
        self._leaping.now += seconds


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """As `asyncio.run`, by clockwork."""
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        return runner.run(work)
