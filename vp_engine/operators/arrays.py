"""Arrays as kernels want them."""

from __future__ import annotations

import numpy as np


def owned(values: np.ndarray) -> np.ndarray:
    """A writable C-contiguous copy: a kernel then meets one array type, whatever view the caller holds."""
    return np.array(values, order="C")
