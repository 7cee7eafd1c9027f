"""Frames of a capture that has no dataset: the engine computes its bins as they are wanted. Bins by `bin_seq`.

The engine knows a bin only by way of all before it, so the first look far ahead takes as long as the bins on the way
take, some ten thousand a second. What stands behind every KEY_BINS of them is kept, packed, for all connections of the
same request: a later seek begins at the nearest keyframe, with the same bits.
"""

from __future__ import annotations

import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import structlog
import zstandard

from vp_engine.engine import Keyframe
from vp_engine.stream import EventStream
from vp_serving.replay.readers import Ahead
from vp_serving.replay.scorer import BinScorer
from vp_serving.wire.frames import Frame, FrameEncoder

KEY_BINS = 5000  # between keyframes: half a second of computing
Opened = Callable[[Keyframe | None], EventStream]
log = structlog.get_logger("vp_serving")


class _Kept:
    """Keyframes of one request: packed bytes by bin, at multiples of `spacing`."""

    def __init__(self) -> None:
        self.packed: dict[int, bytes] = {}
        self.spacing = KEY_BINS


class Keyframes:
    """Packed keyframes of every request within a room of bytes. Where it is full, the request that was used longest ago
    is let go; one that is alone keeps every second of its own. Shared by threads."""

    def __init__(self, room_bytes: int) -> None:
        self._room = room_bytes
        self._requests: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self.used = 0
        """Bytes kept."""

    def keep(self, request: Hashable, bin_seq: int, state: Callable[[], tuple[Keyframe, BinScorer]]) -> bool:
        """Keep what stands before a bin, unless it is there or too near others; False for an own signal whose state
        cannot be copied."""
        with self._lock:
            kept = self._requests.setdefault(request, _Kept())
            if bin_seq in kept.packed or bin_seq % kept.spacing:
                return True
        try:
            packed = zstandard.compress(pickle.dumps(state(), pickle.HIGHEST_PROTOCOL), 1)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            log.warning("no keyframes", error=str(error))
            return False
        with self._lock:
            kept = self._requests.setdefault(request, _Kept())
            self._requests.move_to_end(request)
            self.used += len(packed) - len(kept.packed.get(bin_seq, b""))
            kept.packed[bin_seq] = packed
            while self.used > self._room:
                self._thin()
        return True

    def before(self, request: Hashable, bin_seq: int, after: int) -> tuple[Keyframe, BinScorer] | None:
        """The last one at or before a bin and after bin `after`; None without one."""
        with self._lock:
            kept = self._requests.get(request)
            near = [at for at in kept.packed if after < at <= bin_seq] if kept is not None else []
            if kept is None or not near:
                return None
            self._requests.move_to_end(request)
            packed = kept.packed[max(near)]
        # These bytes never left this process.
        found: tuple[Keyframe, BinScorer] = pickle.loads(zstandard.decompress(packed))
        return found

    def _thin(self) -> None:
        oldest, kept = next(iter(self._requests.items()))
        gone = list(kept.packed)
        if len(self._requests) > 1 or len(gone) <= 1:
            del self._requests[oldest]
        else:
            kept.spacing *= 2
            gone = [at for at in gone if at % kept.spacing]
        self.used -= sum(len(kept.packed.pop(at)) for at in gone)


class EnginePlay(NamedTuple):
    """How a request is computed. key: what tells it from others; opened: the capture's bins, from a keyframe or from
    its beginning; scorer: makes what scores them."""

    key: Hashable
    opened: Opened
    scorer: Callable[[], BinScorer]
    encoder: FrameEncoder


def _state(events: EventStream, scorer: BinScorer) -> tuple[Keyframe, BinScorer]:
    return events.keyframe(), scorer


class EngineReader(Ahead):
    """A connection's place in a capture that is computed. `behind`: bins on the way to the first wanted one."""

    def __init__(self, play: EnginePlay, keyframes: Keyframes, pool: ThreadPoolExecutor, from_bin: int) -> None:
        self._play, self._keyframes = play, keyframes
        self._at = 0
        self._from_bin = from_bin
        super().__init__(pool, self._frames())

    @property
    def behind(self) -> int:
        """Bins on the way to the first wanted one."""
        return max(self._from_bin - self._at, 0)

    def _frames(self) -> Iterator[list[Frame]]:
        """Batches of frames; empty ones for bins that are computed on the way to the first."""
        play, first = self._play, self._from_bin
        found = self._keyframes.before(play.key, first, -1)
        while True:
            begin, scorer = found or (None, play.scorer())
            found = None
            events = play.opened(begin)
            keeps = self._keyframes.keep(play.key, begin.bin_seq if begin else 0, partial(_state, events, scorer))
            for block in events:
                scored = scorer.score(block)
                begins, self._at = int(block.bins["bin_seq"][0]), int(block.bins["bin_seq"][-1]) + 1
                yield play.encoder.encode(scored.since(max(first - begins, 0))) if first < self._at else []
                if self._at % KEY_BINS == 0 and keeps:
                    # Another connection may have been this way already, and further.
                    found = self._keyframes.before(play.key, first, self._at)
                    if found is not None:
                        break
                    keeps = self._keyframes.keep(play.key, self._at, partial(_state, events, scorer))
            if found is None:
                return
