"""Where compiled kernels are kept: a folder named by a digest of every kernel source.

Numba keys a compiled function by its own file alone and does not notice that a callee in another file changed,
so the folder's name changes with any of them. Boundschecked code is kept apart from unchecked code.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numba
from numba.core import config as _config

numba_config: Any = _config  # its fields are set at run time, unknown to type checkers

_PACKAGE = Path(__file__).parent
_MARKS = (b"numba", b"vp_engine.jit")  # of sources that compile kernels


def kernel_digest(package: Path = _PACKAGE) -> str:
    """16 hex over numba's version and every source below `package` that compiles kernels."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(package.rglob("*.py")):
        text = source.read_bytes()
        if any(mark in text for mark in _MARKS):
            digest.update(source.relative_to(package).as_posix().encode())
            digest.update(text)
    return digest.hexdigest()[:16]


def kernel_cache_dir() -> Path:
    """A folder beside the package, or below the temporary folder where the package is read-only."""
    name = kernel_digest() + ("-checked" if numba_config.BOUNDSCHECK else "")
    beside = _PACKAGE / "__pycache__"
    writable = os.access(beside if beside.exists() else _PACKAGE, os.W_OK)
    root = beside if writable else Path(tempfile.gettempdir()) / f"spymaster-{os.getuid()}"
    return root / "kernels" / name


def use_kernel_cache() -> None:
    """Point numba at the folder; must run before the first kernel is imported."""
    numba_config.CACHE_DIR = str(kernel_cache_dir())
