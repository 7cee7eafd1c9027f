"""How kernels are compiled, said once: cached on disk, without the GIL, with C's division.

`kernel` is for what is called from Python or does a loop's worth of work; `inlined` for the small steps inside, which
then cost no call and no reference counting of the arrays in their arguments.
"""

from __future__ import annotations

from typing import Any

from numba import njit

kernel: Any = njit(cache=True, nogil=True, error_model="numpy")
inlined: Any = njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
# For what only other kernels call: without an entry for Python, which takes half of the time to compile.
_NO_ENTRY: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inner: Any = njit(cache=True, nogil=True, error_model="numpy", **_NO_ENTRY)
