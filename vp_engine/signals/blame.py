"""Whose code an exception came from: an own signal is named by its file and line, so that its author can mend it."""

from __future__ import annotations

import re
import sys
import traceback
from importlib.metadata import entry_points

from vp_engine.errors import causes
from vp_engine.signals.own import ENTRY_POINTS, loaded_files

_REMOTE_FRAME = re.compile(r'^\s*File "(.+?)", line (\d+)', re.MULTILINE)
_LONGEST = 300  # characters of an exception's own words


def own_signal_line(error: BaseException) -> str | None:
    """One line for an exception raised in the code of an own signal, with the file and line; None for any other."""
    files = _own_files()
    if not files:
        return None
    found = None  # the innermost cause speaks last
    for cause in causes(error):
        place = _place(cause, files)
        if place is not None:
            found = f"own signal: {place[0]}, line {place[1]}: {short(cause)}"
    return found


def short(error: BaseException) -> str:
    """Kind and words of an exception on one line."""
    words = " ".join(str(error).split())
    words = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _place(error: BaseException, files: set[str]) -> tuple[str, int] | None:
    """The innermost line of these files that an exception passed through, here or in the process it came from."""
    frames = [
        (frame.filename, frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename in files
    ]
    if not frames and type(error).__name__ == "_RemoteTraceback":
        frames = [(name, int(line)) for name, line in _REMOTE_FRAME.findall(str(error)) if name in files]
    return frames[-1] if frames else None


def _own_files() -> set[str]:
    """Source files of every own signal that is loaded."""
    files = {str(path) for path in loaded_files()}
    for entry in entry_points(group=ENTRY_POINTS):
        module = sys.modules.get(entry.module)
        if module is not None and getattr(module, "__file__", None):
            files.add(str(module.__file__))
    return files
