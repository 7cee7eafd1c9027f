"""What a signal may return: one float64 per bin, finite or NaN. Looked at in every block of a sweep and of a stream,
since a value that is missing would move all that follow, and nothing after it would notice."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from traceback import extract_tb
from types import FunctionType
from typing import Any

import numpy as np

from vp_engine.errors import SignalError


def fault_of_values(values: Any, first: int, n: int) -> str | None:
    """What is wrong with the values of the n bins from number `first` on; None if nothing is."""
    if not isinstance(values, np.ndarray) or values.dtype != np.float64:
        found = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        return f"returns {found} for bin {first:,} on, where a numpy array of float64 is needed"
    if values.shape != (n,):
        needed = f"where ({n},) is needed: one value per bin"
        return f"returns shape {values.shape} for the {n} bins from {first:,} on, {needed}"
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        at = int(infinite[0])
        return f"gives {values[at]} at bin {first + at:,}; a value is a finite number or NaN"
    return None


def checked(update: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """An own signal's `update`, with SignalError that names its file and line for what is no value, and for
    SystemExit."""
    assert isinstance(update, FunctionType)
    place = f"{update.__code__.co_filename}, line {update.__code__.co_firstlineno}"

    @wraps(update)
    def looked_at(self: Any, block: Any, *more: Any, **named: Any) -> np.ndarray:
        try:
            values: np.ndarray = update(self, block, *more, **named)
        except SystemExit as error:
            file, at = update.__code__.co_filename, int(block.bins["bin_seq"][0])
            lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == file]
            raise SignalError(
                f"signal `{self.name}` ({file}, line {lines[-1]}) asks the process to end (SystemExit: {error.code}) "
                f"in the block that begins at bin {at:,}; raise an error instead"
            ) from error
        fault = fault_of_values(values, int(block.bins["bin_seq"][0]), len(block.bins))
        if fault is not None:
            raise SignalError(f"signal `{self.name}` ({place}) {fault}")
        return values

    return looked_at
