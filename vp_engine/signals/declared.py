"""Blocks that know what their reader declared: a grid field that the signal does not name in `columns` cannot be read
by accident, since its zeros in a sweep would be other values in a stream."""

from __future__ import annotations

import numpy as np

from vp_engine.errors import SignalError
from vp_engine.schema import BinBlock
from vp_engine.signals.base import Signal
from vp_engine.signals.source import called_from


class DeclaredBlock(BinBlock):
    """A block as one signal may read it. `field` raises SignalError for a column that the signal does not declare."""

    reader: type[Signal]

    def field(self, name: str) -> np.ndarray:
        """One grid column as (n, rows): a view, no copy."""
        reader = self.reader
        if name not in reader.stored_columns():
            raise SignalError(
                f"signal `{reader.name}` ({called_from(reader)}) reads column `{name}`, which its `columns` do not "
                f"declare; add it there"
            )
        return super().field(name)

    def part(self, first: int, last: int) -> BinBlock:
        """Bins [first, last) as views."""
        return declared(super().part(first, last), self.reader)


def declared(block: BinBlock, reader: type[Signal]) -> DeclaredBlock:
    """The same arrays for this reader."""
    guarded = DeclaredBlock(*block)
    guarded.reader = reader
    return guarded
