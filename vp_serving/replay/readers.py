"""Where a connection takes its frames from: batches in order, computed off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from vp_serving.wire.frames import Frame
from vp_serving.wire.messages import Wire


class FrameReader(Protocol):
    """Frames from one bin on. Used by one connection, on the event loop."""

    async def take(self) -> list[Frame] | None:
        """The next batch, which may be empty; None at the end. Raises what the computation raised."""

    @property
    def behind(self) -> int:
        """Bins that are computed on the way before the first of these; 0 where there are none to wait for."""

    async def close(self) -> None:
        """Let go of what is under way; called once, after the last `take` has ended or was cancelled."""


class Replayable(Protocol):
    """What a connection needs of a replay."""

    name: str
    bin_s: float
    n_bins: int

    def prepare(self) -> None:
        """Make ready what the first bin would wait for. May take seconds, nothing the second time; runs in a thread."""

    @property
    def needs(self) -> str:
        """What `prepare` makes ready, in words."""

    def runtime_config(self, speed: float, from_bin: int) -> Wire:
        """The first message."""

    def reader(self, pool: ThreadPoolExecutor, from_bin: int, patient: Callable[[], bool]) -> FrameReader:
        """Frames from a bin on; work is done in the pool. patient: whether the connection would rather wait than
        get bins for which a signal far behind has no value yet."""

    def bin_at(self, ts_ns: int) -> int:
        """The bin that holds a time; ConfigError outside the capture."""


class Ahead:
    """Reads a generator of batches in a pool, one batch ahead of what was taken."""

    @property
    def behind(self) -> int:
        """Nothing is computed on the way to the first bin."""
        return 0

    def __init__(self, pool: ThreadPoolExecutor, source: Iterator[list[Frame]]) -> None:
        self._pool, self._source = pool, source
        self._ahead: Future[list[Frame] | None] = pool.submit(next, source, None)

    async def take(self) -> list[Frame] | None:
        """The next batch, None at the end; raises what the generator raised."""
        batch = await asyncio.shield(asyncio.wrap_future(self._ahead))
        if batch is not None:
            self._ahead = self._pool.submit(next, self._source, None)
        return batch

    async def close(self) -> None:
        """Wait for the batch under way and close the generator."""
        with contextlib.suppress(Exception):
            await asyncio.shield(asyncio.wrap_future(self._ahead))
        await asyncio.wrap_future(self._pool.submit(self._source.close))  # type: ignore[attr-defined]
