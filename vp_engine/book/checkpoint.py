"""A book at rest: its orders, clock and counters as one Arrow IPC file. Loading it and going on gives the same bits
as replaying the day from its start."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vp_engine.arrow import arrow_array, numpy_array
from vp_engine.book.levels import (
    is_valid,
    lay_slots,
    spot_tick,
)
from vp_engine.book.order_table import EMPTY, copy_orders_nb
from vp_engine.book.state import (
    ANCHOR,
    ANCHORED,
    COUNTER_NAMES,
    SCALAR_NAMES,
    BookState,
    new_book,
)
from vp_engine.errors import LakeError

BOOK_CODE_VERSION = "4"
_COLUMNS = ("order_id", "tick", "pending_fill", "size", "side")
_META = b"spymaster.book"


class BookCheckpoint:
    """orders: (n,) structured, by rising order id; scalars, counters and the first time of each fault (ns UTC, 0 for
    never) by name."""

    def __init__(
        self, orders: np.ndarray, scalars: dict[str, int], counters: dict[str, int], first_ns: dict[str, int]
    ) -> None:
        self.orders = orders
        self.scalars = scalars
        self.counters = counters
        self.first_ns = first_ns

    @classmethod
    def of(cls, book: BookState) -> BookCheckpoint:
        """A copy of a live book."""
        resting = book.orders[book.orders["side"] != EMPTY]
        return cls(
            np.sort(resting, order="order_id"),
            dict(zip(SCALAR_NAMES, book.scalars.tolist(), strict=True)),
            dict(zip(COUNTER_NAMES, book.counters.tolist(), strict=True)),
            dict(zip(COUNTER_NAMES, book.first_ns.tolist(), strict=True)),
        )

    @property
    def n_orders(self) -> int:
        """Resting orders."""
        return int(self.orders.size)

    @property
    def clock_ns(self) -> int:
        """Time of the last record, ns UTC."""
        return self.scalars["clock_ns"]

    @property
    def n_records(self) -> int:
        """Records of the symbol consumed since the day's start: where a replay goes on."""
        return self.scalars["event_id"]

    def restore(self, n_slots: int) -> BookState:
        """A live book with `n_slots` levels around the stored anchor."""
        book = new_book(n_slots, self.n_orders)
        copy_orders_nb(self.orders, book.orders)
        book.scalars[:] = [self.scalars[name] for name in SCALAR_NAMES]
        book.counters[:] = [self.counters[name] for name in COUNTER_NAMES]
        book.first_ns[:] = [self.first_ns[name] for name in COUNTER_NAMES]
        if self.scalars["anchored"]:
            lay_slots(book, self.scalars["anchor"])
        return book

    def _facts(self) -> dict[str, Any]:
        return {"scalars": self.scalars, "counters": self.counters, "first_ns": self.first_ns}

    def _digest(self) -> str:
        """Of all that the book is: kernels trust what they are given, so a file answers for its own bytes."""
        digest = hashlib.sha256(json.dumps(self._facts(), sort_keys=True).encode())
        for name in _COLUMNS:
            digest.update(np.ascontiguousarray(self.orders[name]).tobytes())
        return digest.hexdigest()

    def to_bytes(self) -> bytes:
        """One Arrow IPC file; equal checkpoints give equal bytes."""
        meta = json.dumps(self._facts() | {"sha256": self._digest()}, sort_keys=True)
        table = pa.table({name: arrow_array(self.orders[name]) for name in _COLUMNS})
        table = table.replace_schema_metadata({_META: meta.encode()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue().to_pybytes())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "book checkpoint") -> BookCheckpoint:
        """LakeError if the bytes are not such a file."""
        try:
            table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
            meta: dict[str, Any] = json.loads(table.schema.metadata[_META])
            orders = np.zeros(table.num_rows, new_book(2).orders.dtype)
            for column in _COLUMNS:
                np.copyto(orders[column], numpy_array(table[column]), casting="no")
            made = cls(
                orders,
                {name: int(meta["scalars"][name]) for name in SCALAR_NAMES},
                {name: int(meta["counters"][name]) for name in COUNTER_NAMES},
                {name: int(meta["first_ns"][name]) for name in COUNTER_NAMES},
            )
            if meta["sha256"] != made._digest():
                raise ValueError("its bytes have changed")
            return made
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise LakeError(f"{name}: not a book checkpoint ({error}); delete it and generate again") from error

    def save(self, path: Path) -> None:
        """Write the file in place; the lake wraps this in its commit."""
        path.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> BookCheckpoint:
        """Read a file that `save` wrote."""
        return cls.from_bytes(path.read_bytes(), path.name)


def reanchor_to_bbo(book: BookState) -> None:
    """Lay the slots around today's mid; a book without a valid mid keeps its anchor."""
    if is_valid(book) and not (book.scalars[ANCHORED] and spot_tick(book) == book.scalars[ANCHOR]):
        lay_slots(book, spot_tick(book))
