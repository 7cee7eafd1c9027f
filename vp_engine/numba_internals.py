"""What this package uses of numba beyond its documented interface, in one place.

pyproject.toml bounds numba above, and tests/engine/test_numba_internals.py fails first when one of these changes.
"""

from __future__ import annotations

from typing import Any

from numba.core import caching, cgutils, config

numba_config: Any = config  # its fields are set at run time, unknown to type checkers
CacheLocator: Any = caching._CacheLocator  # base class of what answers where compiled code is kept
IndexDataCacheFile: Any = caching.IndexDataCacheFile  # one function's index and its compiled pieces on disk
item_pointer: Any = cgutils.get_item_pointer  # address of an array's item, for an intrinsic
OTHER_LOCATORS = "InTreeCacheLocator,UserWideCacheLocator,IPythonCacheLocator,ZipCacheLocator"  # numba's own, by name
