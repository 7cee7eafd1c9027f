"""What connections share: open datasets, their decoded bins, and frames. The same request is computed once for all.

A feed is one request over one dataset: same bins, scoring, state model and signal. Its frames are made in batches of
BLOCK_BINS, by a scorer that stands at the batch's first bin; a scorer that has made a batch waits at the next one for
whoever comes first. Where no scorer stands, one is begun there. Feeds are used on the event loop, work is done in a
pool; every store is bounded, and what was let go is made again with the same bits.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from vp_engine.errors import LakeError, NotFoundError
from vp_engine.hashing import canonical_json
from vp_engine.lake import Dataset
from vp_engine.lake.lookback import LookBack
from vp_engine.lake.store import LakePath
from vp_engine.schema import BinBlock
from vp_engine.specs import VPRuntimeConfig
from vp_serving.replay.cache import Register, Shelf
from vp_serving.replay.engine_feed import Keyframes
from vp_serving.replay.scorer import BinScorer, SignalRunner
from vp_serving.replay.track import Track, Tracks
from vp_serving.wire.frames import Frame, FrameEncoder

BLOCK_BINS = 50  # bins of a batch: small enough to answer soon, large enough to cost little
PATIENCE_S = 0.3  # that bins wait for a signal which is behind
AHEAD_BINS = 2000  # bins that a signal's track is kept ahead of the frames, so that a refit stops nobody
_KEPT = 16  # open datasets and feeds that stay though no connection holds them
_serials = itertools.count()


def _block_bytes(block: BinBlock) -> int:
    return sum(array.nbytes for array in block)


def _batch_bytes(batch: list[Frame]) -> int:
    return sum(len(frame.grid) + len(frame.text) for frame in batch)


class OpenDataset:
    """A dataset with what lies behind its bins, and its decoded row groups on a shelf. Shared by threads."""

    def __init__(self, dataset: Dataset, groups: Shelf[BinBlock]) -> None:
        self.dataset = dataset
        self.serial = next(_serials)
        self.damaged = False  # nothing of it is given to those who come later
        self._groups = groups
        self._behind: LookBack | None = None
        self._lock = threading.Lock()

    @property
    def behind(self) -> LookBack:
        """Read once, when it is first wanted."""
        with self._lock:
            if self._behind is None:
                self._behind = LookBack(self.dataset)
            return self._behind

    def block(self, first: int, after: int) -> BinBlock:
        """Bins [first, after), the caller's own."""
        size = self.dataset.row_group_bins
        parts = []
        for number in range(first // size, -(-after // size)):
            group = self._groups.get_or_make((self.serial, number), partial(self.dataset.group, number))
            parts.append(group.part(max(first - number * size, 0), min(after - number * size, size)))
        if len(parts) == 1:
            return BinBlock(*(array.copy() for array in parts[0]))
        bins, grids, codes, events = zip(*parts, strict=True)
        return BinBlock(np.concatenate(bins), np.concatenate(grids, 1), np.concatenate(codes), np.concatenate(events))


class FeedRequest(NamedTuple):
    """What a feed is made from. runner: makes a fresh signal, None without one; signal_key: what tells one signal from
    another, as plain data."""

    dataset: Dataset
    config: VPRuntimeConfig
    encoder: FrameEncoder
    runner: Callable[[], SignalRunner] | None
    signal_key: dict[str, Any] | None


class Hub:
    """The shared stores of one service. cache_bytes: for decoded bins and frames together, and as much again for
    keyframes; max_scorers: scorers that wait for whoever needs them."""

    def __init__(self, pool: ThreadPoolExecutor, cache_bytes: int, max_scorers: int) -> None:
        self.pool = pool
        self.groups: Shelf[BinBlock] = Shelf(cache_bytes * 3 // 4, _block_bytes)
        self.frames: Shelf[list[Frame]] = Shelf(cache_bytes // 4, _batch_bytes)
        self.keyframes = Keyframes(cache_bytes)
        self.suspects: set[LakePath] = set()  # datasets that could not be read while they were streamed
        self.scorers: Shelf[BinScorer] = Shelf(max_scorers)
        self._datasets: Register[OpenDataset] = Register(_KEPT)
        self._feeds: Register[DatasetFeed] = Register(_KEPT)

    def feed(self, request: FeedRequest) -> DatasetFeed:
        """The feed of a request; the same one for the same request."""
        opened = self._open(request.dataset)
        key = (opened.serial, request.config.config_version, canonical_json(request.signal_key))
        return self._feeds.get_or_make(key, lambda: DatasetFeed(self, opened, request))

    def _open(self, dataset: Dataset) -> OpenDataset:
        """The open dataset of this folder, unless it was computed anew since."""
        return self._datasets.get_or_make(
            dataset.path,
            lambda: OpenDataset(dataset, self.groups),
            lambda known: known.dataset.manifest == dataset.manifest and not known.damaged,
        )

    def condemn(self, opened: OpenDataset) -> None:
        """Keep nothing of a dataset that could not be read: it is checked whole before it is streamed again."""
        opened.damaged = True
        self.suspects.add(opened.dataset.path)


class DatasetFeed:
    """Frames of one request over one dataset."""

    def __init__(self, hub: Hub, opened: OpenDataset, request: FeedRequest) -> None:
        self._hub, self._opened = hub, opened
        self._config, self._encoder = request.config, request.encoder
        self._tracks = Tracks(opened.dataset, lambda: opened.behind, request.runner) if request.runner else None
        self._serial = next(_serials)
        self._making: dict[tuple[int, bool], asyncio.Task[list[Frame]]] = {}
        self._wanted: dict[tuple[int, bool], int] = {}  # connections that wait for a batch
        self._steps: dict[Track, asyncio.Future[None]] = {}
        self._goals: dict[Track, int] = {}  # of tracks that are followed: the bin each is to reach
        self._following: set[asyncio.Task[None]] = set()
        self.n_bins = opened.dataset.n_bins
        self.readers = 0

    async def batch(self, number: int, patient: bool) -> list[Frame]:
        """Frames of bins [number, number + 1) · BLOCK_BINS. Connections that want it at once share one computation;
        what nobody waits for any more is given up. A signal that is behind holds up those who are patient only."""
        held = self._hub.frames.get((self._serial, number))
        if held is not None:
            return held
        key = number, patient
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.ensure_future(self._make(number, patient))
        self._wanted[key] = self._wanted.get(key, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key], self._making[key]
                task.cancel()

    async def _make(self, number: int, patient: bool) -> list[Frame]:
        try:
            return await self._made(number, patient)
        except (LakeError, NotFoundError, OSError):
            self._hub.condemn(self._opened)
            raise

    async def _made(self, number: int, patient: bool) -> list[Frame]:
        first = number * BLOCK_BINS
        after = min(first + BLOCK_BINS, self.n_bins)
        track = None
        if self._tracks is not None:
            track = await self._in_pool(self._tracks.at, first)
            await self._reach(track, after, None if patient else PATIENCE_S)
            self._follow(track, min(after + AHEAD_BINS, self.n_bins))
        frames: list[Frame] = await self._in_pool(self._encode, number, first, after, track)
        return frames

    async def _reach(self, track: Track, goal: int, patience_s: float | None) -> None:
        """Wait until a track knows every bin before `goal`, or for as long as the patience lasts."""
        loop = asyncio.get_running_loop()
        until = None if patience_s is None else loop.time() + patience_s
        while track.done < goal:
            step = self._step(track)
            await asyncio.wait([step], timeout=None if until is None else max(until - loop.time(), 0.0))
            if not step.done():
                return
            step.result()

    def _follow(self, track: Track, goal: int) -> None:
        """Keep a track going to a bin while anyone reads this feed."""
        if track.done >= goal:
            return
        followed = track in self._goals
        self._goals[track] = max(goal, self._goals.get(track, 0))
        if not followed:
            task = asyncio.ensure_future(self._pursue(track))
            self._following.add(task)
            task.add_done_callback(self._following.discard)

    async def _pursue(self, track: Track) -> None:
        try:
            while self.readers and track.done < self._goals[track]:
                await asyncio.wait([step := self._step(track)])
                if step.exception() is not None:
                    return  # whoever needs the bins tries again and is told
        finally:
            del self._goals[track]

    def _in_pool(self, work: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._hub.pool, work, *arguments)

    def _step(self, track: Track) -> asyncio.Future[None]:
        """One step of a track, the same for everyone who waits for it."""
        step = self._steps.get(track)
        if step is None:
            step = self._steps[track] = self._in_pool(track.advance)
            step.add_done_callback(lambda _: self._steps.pop(track))
        return step

    def _encode(self, number: int, first: int, after: int, track: Track | None) -> list[Frame]:
        """Score and encode one batch. Runs in the pool."""
        hub, opened = self._hub, self._opened
        scorer = hub.scorers.take((self._serial, first))
        if scorer is None:
            config = self._config
            scorer = BinScorer.begun_at(config, opened.behind, opened.block, first) if first else BinScorer(config)
        block = opened.block(first, after)
        if track is None:
            scored = scorer.score(block)
        elif track.done >= after:
            scored = scorer.score(block, track.part(first, after))
        else:
            scored = scorer.score(block, behind=max(first - track.done, 0))
        frames = self._encoder.encode(scored)
        if track is None or scored.signal is not None:
            hub.frames.put((self._serial, number), frames)
        if after < self.n_bins:
            hub.scorers.put((self._serial, after), scorer)
        return frames


class FeedReader:
    """A connection's place in a feed, one batch ahead of what was taken."""

    behind = 0

    def __init__(self, feed: DatasetFeed, from_bin: int, patient: Callable[[], bool]) -> None:
        self._feed, self._patient = feed, patient
        self._number, self._skip = divmod(from_bin, BLOCK_BINS)
        self._ahead: asyncio.Task[list[Frame]] | None = None
        feed.readers += 1
        self._start()

    def _start(self) -> None:
        more = self._number * BLOCK_BINS < self._feed.n_bins
        self._ahead = asyncio.ensure_future(self._feed.batch(self._number, self._patient())) if more else None

    async def take(self) -> list[Frame] | None:
        """The next batch, None at the end; raises what the computation raised."""
        if self._ahead is None:
            return None
        batch = await asyncio.shield(self._ahead)
        skip, self._skip = self._skip, 0
        self._number += 1
        self._start()
        return batch[skip:]

    async def close(self) -> None:
        """Stop waiting for the batch ahead."""
        self._feed.readers -= 1
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait([self._ahead])
            if not self._ahead.cancelled():
                self._ahead.exception()
