"""Signals from outside: Python files that a user names, and packages that offer some under ENTRY_POINTS.

Every concrete Signal class that a file defines is registered. The digest of the file, and of those beside it that it
imports, joins its signals' code version,
so that an edited signal gives new runs and never answers for old ones.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from vp_engine.errors import ConfigError
from vp_engine.hashing import canonical_json, sha256_file, sha256_text
from vp_engine.signals.base import Signal
from vp_engine.signals.registry import leave_out, register_signal
from vp_engine.signals.source import place_of_signal, used_files

ENTRY_POINTS = "spymaster.signals"  # each names a Signal class, or a module that defines some
_DIGEST = 8

T = TypeVar("T")
_files: dict[Path, str] = {}  # digest of every file loaded, with what it imports from beside it


def load_signals(
    paths: Iterable[str | Path] = (), on_problem: Callable[[ConfigError], None] | None = None
) -> tuple[str, ...]:
    """Register the signals of installed packages, of these files, and of the Python files in these folders (names that
    begin with an underscore are left out). Names of those found, in order.

    Loading twice does nothing; a file edited since is loaded anew. ConfigError in one line for what cannot be loaded;
    with `on_problem` that is told to it, and everything else is loaded.
    """

    def attempt(load: Callable[[], list[T]]) -> list[T]:
        try:
            return load()
        except ConfigError as error:
            if on_problem is None:
                raise
            leave_out(str(error))
            on_problem(error)
            return []

    found = [one for entry in sorted(entry_points(group=ENTRY_POINTS)) for one in attempt(partial(_of_package, entry))]
    for path in paths:
        for file in attempt(partial(_python_files, Path(path))):
            found += attempt(partial(_of_file, file))
    return tuple(dict.fromkeys(signal.name for signal in found))


def loaded_files() -> tuple[Path, ...]:
    """Files loaded so far: what another process must load to know the same signals."""
    return tuple(_files)


def is_from_file(signal: type[Signal]) -> bool:
    """Whether a signal was loaded from a file that a user named."""
    return place_of_signal(signal).rsplit(", line ", 1)[0] in {str(file) for file in _files}


def _python_files(path: Path) -> list[Path]:
    path = path.resolve()
    if path.is_dir():
        return sorted(file for file in path.glob("*.py") if not file.name.startswith("_"))
    if not path.is_file():
        raise ConfigError(f"own signals: there is no file or folder {path}")
    if path.suffix != ".py":
        raise ConfigError(f"own signals: {path} is no Python file")
    return [path]


def _of_file(file: Path) -> list[type[Signal]]:
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"own signals: {file} cannot be read as text ({error})") from None
    name = f"vp_own_{file.stem}_{sha256_text(str(file))[:_DIGEST]}"
    loaded = sys.modules.get(name)
    if loaded is not None and _files.get(file) == _digest(source, loaded):
        return _defined_in(loaded)
    for beside in _beside(loaded).values() if loaded is not None else ():
        sys.modules.pop(beside, None)  # what it imports may have been edited too
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations of classes are looked up there
    try:
        with _imports_from(file.parent):
            exec(compile(source, str(file), "exec"), vars(module))  # what was read, never an older compiled copy
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if isinstance(error, ConfigError):
            raise ConfigError(f"own signals: {file}: {error}") from None
        raise ConfigError(f"own signals: {file} fails: {_one_line(error)}") from error
    found = _defined_in(module)
    if not found:
        raise ConfigError(f"own signals: {file} defines no signal; a signal is a subclass of Signal with an `update`")
    digest = _digest(source, module)
    for signal in found:
        signal.code_version = f"{signal.code_version}.{digest}"
        _register(signal, str(file))
    _files[file] = digest
    return found


@contextmanager
def _imports_from(folder: Path) -> Iterator[None]:
    """A file may import those beside it; what is installed under the same name comes first."""
    importlib.invalidate_caches()
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _beside(module: ModuleType) -> dict[Path, str]:
    """Files beside a loaded one that it imports, with the names of their modules."""
    return {file: name for file, name in used_files(module).items() if name != module.__name__}


def _digest(source: str, module: ModuleType) -> str:
    """Of a file's text and of what it imports from beside it, on which its values depend as much."""
    beside = sorted((file.name, sha256_file(file)) for file in _beside(module))
    return sha256_text(source + canonical_json(beside) if beside else source)[:_DIGEST]


def _of_package(entry: EntryPoint) -> list[type[Signal]]:
    where = f"entry point {ENTRY_POINTS}:{entry.name}"
    try:
        target = entry.load()
    except Exception as error:
        raise ConfigError(f"own signals: {where} fails: {_one_line(error)}") from error
    found = _defined_in(target) if isinstance(target, ModuleType) else [target]
    if not found or not all(inspect.isclass(signal) and issubclass(signal, Signal) for signal in found):
        raise ConfigError(f"own signals: {where} names no Signal class and no module that defines one")
    for signal in found:
        _register(signal, where)
    return found


def _defined_in(module: ModuleType) -> list[type[Signal]]:
    """Concrete signals of a module, in the order they stand there."""
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Signal)
        and not inspect.isabstract(value)
        and value.__module__ == module.__name__
    ]


def _register(signal: type[Signal], where: str) -> None:
    try:
        register_signal(signal)
    except ConfigError as error:
        raise ConfigError(f"own signals: {where}: {error}") from None


def _one_line(error: BaseException) -> str:
    """Kind, message and place of an error in a user's file."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    line = f" (line {place.tb_lineno} of {Path(place.tb_frame.f_code.co_filename).name})" if place else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{line}"
