"""Where compiled kernels are kept: a folder for each source and each state of what that source is made of.

Numba keys a compiled function by its own file alone and does not notice that a callee or a constant in another file
changed. Here the folder's name is a digest of the file and of every file of the package that it reaches by import, so
a kernel is compiled anew exactly when something it may be made of has changed. Boundschecked code is kept apart.

Processes may start at once: every compiled piece gets a name of its own, so an index can lack a piece (it is compiled
again) but never points to another's.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numba
import numpy as np

from vp_engine.numba_internals import OTHER_LOCATORS, CacheLocator, IndexDataCacheFile, numba_config

PACKAGE = Path(__file__).parent
KEPT = 3  # states of one source: the present one and those of the branches one goes back to
_REACHED = re.compile(rb"\bvp_engine(?:\.\w+)+")


@functools.cache
def _text(path: Path) -> bytes:
    return path.read_bytes()


def _named(name: bytes, package: Path) -> list[Path]:
    """Files that a dotted name may mean; a folder means all it holds directly. Tails that are no module are cut."""
    parts = name.decode().split(".")[1:]
    while parts:
        place = package.joinpath(*parts)
        if place.with_suffix(".py").is_file():
            return [place.with_suffix(".py")]
        if place.is_dir():
            return sorted(place.glob("*.py"))
        parts.pop()
    return []


def reached(source: Path, package: Path = PACKAGE) -> list[Path]:
    """`source` and every file of the package that it names, directly or through others, in order."""
    found, ahead = {source}, [source]
    while ahead:
        for name in set(_REACHED.findall(_text(ahead.pop()))):
            for path in _named(name, package):
                if path not in found:
                    found.add(path)
                    ahead.append(path)
    return sorted(found)


@functools.cache
def source_digest(source: Path, package: Path = PACKAGE) -> str:
    """16 hex over the versions of numba and numpy and every file that a source reaches."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for path in reached(source, package):
        digest.update(os.path.relpath(path, package).encode())
        digest.update(hashlib.sha256(_text(path)).digest())
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """NUMBA_CACHE_DIR where it is set; else a folder in the package, or where that is read-only one of the user's."""
    kind = "kernels-checked" if numba_config.BOUNDSCHECK else "kernels"
    if numba_config.CACHE_DIR:
        return Path(numba_config.CACHE_DIR) / kind
    beside = PACKAGE / "__pycache__"
    if os.access(beside if beside.exists() else PACKAGE, os.W_OK):
        return beside / kind
    install = hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"spymaster-{os.getuid()}-{install}" / kind


def kernel_folder(source: Path) -> Path:
    """Folder of the kernels that a source compiles."""
    own = PACKAGE in source.parents
    name = ".".join(source.relative_to(PACKAGE).with_suffix("").parts) if own else f"own.{source.stem}"
    return cache_root() / name / source_digest(source)


def prune(folder: Path, kept: int = KEPT) -> None:
    """Delete older states beside a folder that has just been made. Whoever still runs from one compiles again."""
    states = [(path.stat().st_mtime_ns, path) for path in folder.parent.iterdir() if path.is_dir() and path != folder]
    for _, path in sorted(states, reverse=True)[kept - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


class KernelLocator(CacheLocator):  # type: ignore[misc]
    """Numba's question where to keep a function, answered for this package and for sources that use it."""

    def __init__(self, py_func: Any, source: Path) -> None:
        self._py_file = str(source)
        self._line = py_func.__code__.co_firstlineno
        self._folder = kernel_folder(source)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> KernelLocator | None:
        """None for a function that has nothing to do with the package, or where nothing can be written."""
        source = Path(py_file)
        try:
            if PACKAGE not in source.parents and not _REACHED.search(_text(source)):
                return None
            made = cls(py_func, source)
            if not made._folder.is_dir():
                made.ensure_cache_path()
                prune(made._folder)
        except OSError:
            return None
        return made

    def get_cache_path(self) -> str:
        """The folder."""
        return str(self._folder)

    def get_source_stamp(self) -> str:
        """The folder's name says it."""
        return self._folder.name

    def get_disambiguator(self) -> str:
        """Line of the function."""
        return str(self._line)


def _own_name(self: Any, number: int) -> str:
    """Name of a compiled piece that no process has given before. `number` is numba's count, which two could share."""
    return f"{self._index_name.removesuffix('.nbi')}.{uuid.uuid4().hex[:16]}.nbc"


def use_kernel_cache() -> None:
    """Make numba ask here; must run before the first kernel is imported."""
    numba_config.CACHE_LOCATOR_CLASSES = f"{__name__}.{KernelLocator.__name__},{OTHER_LOCATORS}"
    IndexDataCacheFile._data_name = _own_name
