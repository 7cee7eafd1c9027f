"""Arrow columns over numpy memory and back. `pa.array` and `to_numpy` would import pandas, which takes seconds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_DTYPES = {
    pa.from_numpy_dtype(dtype): dtype for dtype in map(np.dtype, ("i1", "i4", "i8", "u1", "u4", "u8", "f4", "f8"))
}


def arrow_array(values: np.ndarray) -> pa.Array:
    """A flat Arrow array over a numpy array's own memory (a copy where it is not contiguous)."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), flat.size, [None, pa.py_buffer(flat)])


def numpy_array(column: pa.ChunkedArray) -> np.ndarray:
    """A column without nulls as one numpy array. KeyError for a type that no schema here has."""
    dtype = _DTYPES[column.type]
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize) for chunk in column.chunks
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])
