"""Bins to the bytes of the wire: JSON text and one Arrow IPC stream of `rows` rows per bin.

Every frame of a stream has the same Arrow layout, so pyarrow encodes one, and the buffers of the others are written
over a copy of it, a whole block of bins per column. The bytes are those that pyarrow would write.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from vp_engine.schema import (
    BIN_FIELDS,
    GRID_F32_NAMES,
    GRID_WIRE,
    STATE_MODEL_FIELDS,
    BinBlock,
    arrow_schema,
    wire_fields,
)
from vp_serving.wire.messages import UPDATE_FIELDS, is_int64_text

STATE_MODEL_NAME = "derivative"
_PER_BIN = frozenset(field.name for field in BIN_FIELDS) & frozenset(field.name for field in GRID_WIRE)
_TEXT_INTS = tuple(field.name for field in UPDATE_FIELDS if is_int64_text(field))
_DROPPED_AT = ',"dropped":'
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class ScoredBlock(NamedTuple):
    """n bins with everything the wire says of them.

    flow_score f4 and flow_state_code i1 (n, rows); projections f4 (horizons, n, rows); state STATE_MODEL_DTYPE (n,);
    signal f8 (n,) or None where there is none to speak; fired i1 (n,). behind: bins that the signal has still to work
    through before the first of these, where it does not speak yet.
    """

    block: BinBlock
    flow_score: np.ndarray
    flow_state_code: np.ndarray
    projections: np.ndarray
    state: np.ndarray
    signal: np.ndarray | None
    fired: np.ndarray
    behind: int = 0

    def since(self, first: int) -> ScoredBlock:
        """Bins [first, n) as views."""
        if first == 0:
            return self
        return ScoredBlock(
            self.block.part(first, self.block.bins.size),
            self.flow_score[first:],
            self.flow_state_code[first:],
            self.projections[:, first:],
            self.state[first:],
            None if self.signal is None else self.signal[first:],
            self.fired[first:],
        )


class Frame(NamedTuple):
    """One bin, encoded. `text` lacks its end, which `text_message` adds when the number of dropped bins is known."""

    bin_seq: int
    ts_ns: int
    text: str
    grid: bytes

    def text_message(self, dropped: int) -> str:
        """The grid_update message after `dropped` bins were skipped."""
        return f"{self.text}{_DROPPED_AT}{dropped}}}"


class GridEncoder:
    """Arrow IPC streams of `2 * radius + 1` rows with projection columns for these horizons."""

    def __init__(self, radius: int, horizons_ms: Sequence[int]) -> None:
        self.fields = wire_fields(horizons_ms)
        self.radius = radius
        self._horizons = [field.name for field in self.fields[len(GRID_WIRE) :]]
        rows = 2 * radius + 1
        schema = arrow_schema(self.fields)
        columns = [np.zeros(rows, field.dtype) for field in self.fields]
        columns[0] = np.arange(-radius, radius + 1, dtype=np.int32)
        template = encode_table(schema, columns)
        batch = pa.ipc.open_stream(template).read_next_batch()
        offsets = [column.buffers()[1].address - template.address for column in batch.columns]
        layout = {
            "names": [field.name for field in self.fields],
            "formats": [(field.dtype, (rows,)) for field in self.fields],
            "offsets": offsets,
            "itemsize": template.size,
        }
        self._dtype = np.dtype(layout)  # type: ignore[call-overload]  # offsets are not in numpy's stubs
        self._template = np.frombuffer(template, np.uint8)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one bin's grid."""
        return self._template.size

    def encode(self, scored: ScoredBlock) -> list[bytes]:
        """One message per bin of the block."""
        block, n = scored.block, scored.block.bins.size
        frames = np.empty((n, self._template.size), np.uint8)
        frames[:] = self._template
        columns = frames.view(self._dtype)[:, 0]
        for name, values in zip(GRID_F32_NAMES, block.grid, strict=True):
            columns[name] = values
        for name in _PER_BIN:
            columns[name] = block.bins[name][:, None]
        columns["state5_code"] = block.state5
        columns["last_event_id"] = block.last_event_id
        columns["flow_score"] = scored.flow_score
        columns["flow_state_code"] = scored.flow_state_code
        for name, values in zip(self._horizons, scored.projections, strict=True):
            columns[name] = values
        return [frame.tobytes() for frame in frames]


def encode_table(schema: pa.Schema, columns: Sequence[np.ndarray]) -> pa.Buffer:
    """One record batch as an Arrow IPC stream, by pyarrow."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=schema))
    return sink.getvalue()


class FrameEncoder:
    """Scored blocks to frames. `signal_name` and `threshold` stand in the signal block of every bin."""

    def __init__(
        self, radius: int, horizons_ms: Sequence[int], signal_name: str | None = None, threshold: float | None = None
    ) -> None:
        self.grid = GridEncoder(radius, horizons_ms)
        self._signal_name, self._threshold = signal_name, threshold

    def encode(self, scored: ScoredBlock) -> list[Frame]:
        """Frames of all bins of the block, in order."""
        texts = self._texts(scored)
        bins = scored.block.bins
        return [
            Frame(int(seq), int(ts), text, grid)
            for seq, ts, text, grid in zip(bins["bin_seq"], bins["ts_ns"], texts, self.grid.encode(scored), strict=True)
        ]

    def _texts(self, scored: ScoredBlock) -> list[str]:
        columns: dict[str, list[Any]] = {}
        for field in UPDATE_FIELDS:
            values = scored.block.bins[field.name].tolist()
            if field.name in _TEXT_INTS:
                values = [str(value) for value in values]
            columns[field.name] = values
        columns["book_valid"] = [value != 0 for value in columns["book_valid"]]
        n = scored.block.bins.size
        columns["state_model_name"] = [STATE_MODEL_NAME] * n
        for field in STATE_MODEL_FIELDS:
            columns[f"state_model_{field.name}"] = scored.state[field.name].tolist()
        columns["state_model_ready"] = [value != 0 for value in columns["state_model_ready"]]
        columns["signal"] = self._signals(scored, n)
        names = ("type", *columns)
        return [
            _to_json(dict(zip(names, ("grid_update", *row), strict=True)))[:-1]
            for row in zip(*columns.values(), strict=True)
        ]

    def _signals(self, scored: ScoredBlock, n: int) -> list[dict[str, Any] | None]:
        if self._signal_name is None:
            return [None] * n
        known = scored.signal is not None
        values = scored.signal.tolist() if scored.signal is not None else [math.nan] * n
        return [
            {
                "name": self._signal_name,
                "value": value if math.isfinite(value) else None,
                "threshold": self._threshold,
                "fired": fired,
                "behind": 0 if known else scored.behind + at + 1,
            }
            for at, (value, fired) in enumerate(zip(values, scored.fired.tolist(), strict=True))
        ]
