"""Memory that goes back to the system. Row groups of tens of megabytes come and go on many threads; left to itself,
glibc keeps what is freed, in an arena per thread, and a service that holds 200 MB comes to occupy a gigabyte. Frames of
some 20 kB leave holes between what stays, so the arenas are trimmed now and then.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of glibc's malloc.h
MAPPED_BYTES = 1 << 20  # allocations from here on are mapped one by one, and unmapped when they are freed
ARENAS = 2


def return_freed_memory() -> bool:
    """Tell the allocator; False where it cannot be told, as on other systems than glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)) and bool(mallopt(_M_ARENA_MAX, ARENAS))


def trim() -> bool:
    """Give whole free pages back, which takes some milliseconds; False where the allocator has no such call."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
