"""Where a signal is written: file and line for messages, a digest of the code that its values depend on."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType

from vp_engine.hashing import canonical_json, sha256_bytes, sha256_file, sha256_text
from vp_engine.signals.base import Signal

_PACKAGE = Path(__file__).resolve().parents[1]
_SHARED = ("signals", "operators", "spectrum")  # folders of this package that every signal's values depend on
_METHODS = ("update", "features", "fit", "__init__")


def is_shipped(signal: type[Signal]) -> bool:
    """Whether the signal is one of this package's own."""
    return signal.__module__.startswith("vp_engine.")


def place_of_signal(signal: type[Signal]) -> str:
    """`FILE, line N` of what the class itself defines first among `update`, `features` and its other methods."""
    own = vars(signal)
    ordered = [own[name] for name in _METHODS if name in own] + list(own.values())
    for value in ordered:
        if isinstance(value, FunctionType):
            value = inspect.unwrap(value)
            return f"{value.__code__.co_filename}, line {value.__code__.co_firstlineno}"
    return _file(signal.__module__) or signal.__module__


def called_from(signal: type[Signal]) -> str:
    """`FILE, line N` of the innermost running frame in the signal's file; the class's place if there is none."""
    file = place_of_signal(signal).rsplit(", line ", 1)[0]
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == file:
            return f"{file}, line {frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return place_of_signal(signal)


def source_digest(signal: type[Signal]) -> str:
    """Hex sha256 of the class's module and those of its bases, of modules beside them that they use, of the operators
    and signals of this package, and of `code_version`, which holds the digest of an own file as it was loaded."""
    files: dict[str, str] = {}
    for base in signal.__mro__:
        module = sys.modules.get(base.__module__)
        if module is not None and issubclass(base, Signal) and not base.__module__.startswith("vp_engine."):
            own = Path(str(module.__file__)).parent
            for file in used_files(module):
                files[f"{module.__name__}:{file.relative_to(own)}"] = sha256_file(file)
    return sha256_text(
        canonical_json(
            {"class": signal.__qualname__, "code_version": signal.code_version, "files": files, "engine": _engine()}
        )
    )


@lru_cache(maxsize=1)
def _engine() -> str:
    """Digest of the sources that every signal's values depend on."""
    sources = sorted(path for folder in _SHARED for path in (_PACKAGE / folder).rglob("*.py"))
    return sha256_bytes(b"\0".join(path.read_bytes() for path in sources))


def used_files(module: ModuleType) -> dict[Path, str]:
    """The module's file, and those beside or below it of modules that its names come from, and theirs: file to name of
    the module."""
    own = _file(module.__name__)
    if own is None:
        return {}
    folder, found, ahead = Path(own).parent, dict[Path, str](), [module.__name__]
    while ahead:
        name = ahead.pop()
        file = _file(name)
        if file is None or Path(file) in found or folder not in Path(file).parents or not Path(file).is_file():
            continue
        found[Path(file)] = name
        for value in vars(sys.modules[name]).values():
            ahead.append(value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", "")))
        ahead += _imported(Path(file))
    return found


def _imported(file: Path) -> list[str]:
    """Modules that a file imports by their whole name: of a constant nobody can tell where it came from."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return []
    whole = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return [*whole, *(name for name in parts if name)]


def _file(module_name: str) -> str | None:
    file = getattr(sys.modules.get(module_name), "__file__", None)
    return str(file) if file else None
