"""How kernels are compiled, said once: cached on disk, without the GIL, with C's division.

`kernel` is for what is called from Python or does a loop's worth of work, `inlined` for the small steps inside it,
`inner` for larger steps that only other kernels call (without an entry for Python, which takes a third of the time to
compile). None of them may allocate: without numba's reference counts, whose atomic adds at every use of an array cost
four times the work itself, the book runs at memory speed. `allocating` is for the few that must make an array.
"""

from __future__ import annotations

from typing import Any

from numba import njit

_njit: Any = njit
_COMMON: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

kernel: Any = _njit(**_COMMON, _nrt=False)
inlined: Any = _njit(**_COMMON, _nrt=False, forceinline=True)
inner: Any = _njit(**_COMMON, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
allocating: Any = _njit(**_COMMON)
