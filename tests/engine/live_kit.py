"""A gateway without a network and a clock that the test turns: what a live session meets, step by step."""

from __future__ import annotations

import datetime as dt

import numpy as np
from streams import INSTRUMENT_ID

from vp_engine.feed import MBO_DTYPE
from vp_engine.feed.live_protocol import LineLost, Received
from vp_engine.feed.made import snapshot_records
from vp_engine.live import LiveEngine
from vp_engine.live.resync import adds_of
from vp_engine.schema import BinBlock
from vp_engine.specs import Capture, VPRuntimeConfig

LINE_NS = 3_000_000  # what the line always takes
NEVER_NS = 1 << 61


class Gathered:
    """Bins as they close."""

    def __init__(self) -> None:
        self.blocks: list[BinBlock] = []

    def __call__(self, block: BinBlock) -> None:
        self.blocks.append(block)


def same_bits(left: BinBlock, right: BinBlock) -> None:
    """Every bit of every field, the padding between the fields of a bin left out."""
    for name in left.bins.dtype.names:
        assert left.bins[name].tobytes() == right.bins[name].tobytes(), name
    for one, other in zip(left[1:], right[1:], strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()


class Script:
    """A feed and the clock of whoever reads it. Steps: records to hand over, a number of ns that pass with nothing,
    `refused` (a connection that does not come about), any other word (the line breaks). A connection takes down_ns."""

    def __init__(self, now_ns: int, *steps: np.ndarray | int | str, down_ns: int = 0) -> None:
        self.now_ns = now_ns
        self.down_ns = down_ns
        self.steps = list(steps)
        self.connects = 0
        self._clock_ns = 0

    @property
    def over(self) -> bool:
        return not self.steps

    def clock(self) -> int:
        self.now_ns += 1_000
        return self.now_ns

    def connect(self) -> None:
        self.connects += 1
        self.now_ns += self.down_ns
        if self.steps and isinstance(self.steps[0], str) and self.steps[0] == "refused":
            self.steps.pop(0)
            raise LineLost("Connection to nowhere failed")

    def take(self, timeout_s: float) -> Received:
        step = self.steps.pop(0) if self.steps else 0
        nothing = np.zeros(0, MBO_DTYPE)
        if isinstance(step, str):
            return Received(nothing, self._clock_ns, step)
        if isinstance(step, np.ndarray):
            self._clock_ns = max(self._clock_ns, int(step["ts_recv"].max()))
            self.now_ns = max(self.now_ns, int(step["ts_recv"][-1]) + LINE_NS)
            return Received(step, self._clock_ns, None)
        self.now_ns += step
        return Received(nothing, self._clock_ns, None)

    def close(self) -> None:
        return


def in_chunks(records: np.ndarray, rng: np.random.Generator, mean: int = 7) -> list[np.ndarray]:
    """Records in pieces of random length."""
    cuts = np.cumsum(rng.integers(1, 2 * mean, size=records.size))
    return [piece for piece in np.split(records, cuts[cuts < records.size]) if piece.size]


def book_after(records: np.ndarray, config: VPRuntimeConfig, ts_ns: int) -> np.ndarray:
    """What a gateway sends first: the book behind these records, restated at one time. MBO_DTYPE (n + 1,)."""
    never = Capture(config.symbol, dt.date(2000, 1, 1), NEVER_NS, NEVER_NS + config.bin_ns, NEVER_NS, config.bin_ns)
    engine = LiveEngine(config, never, Gathered())
    engine.feed(records)
    adds = adds_of(engine.orders(), config.tick_int, ts_ns, INSTRUMENT_ID, 1)
    return snapshot_records(adds, ts_ns, INSTRUMENT_ID, 1)
