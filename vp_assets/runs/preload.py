"""What a run imports, imported before it begins; `launcher` copies the process that has done so.

Nothing is opened, read or started here: threads and connections do not survive the copying.
"""

from __future__ import annotations

import importlib
import os
import sys

from vp_assets.dagster_internals import API_CLI_MODULE

_MODULES = (
    API_CLI_MODULE, "matplotlib.backends.backend_agg", "matplotlib.figure", "PIL.Image",
    "vp_assets.defs.definitions", "vp_assets.databento", "vp_engine.live",
)  # fmt: skip
_PACKAGES = ("vp_assets", "vp_engine")


def _files() -> dict[str, tuple[int, int]]:
    """Time and size of the file of each of our modules that is imported."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if name.partition(".")[0] in _PACKAGES and path:
            try:
                facts = os.stat(path)
            except OSError:
                found[path] = (-1, -1)
            else:
                found[path] = (facts.st_mtime_ns, facts.st_size)
    return found


for _name in _MODULES:
    importlib.import_module(_name)
_IMPORTED = _files()


def is_stale() -> bool:
    """Whether a file has changed since it was imported."""
    now = _files()
    return any(now.get(path) != facts for path, facts in _IMPORTED.items())
