"""What a person is told of an exception, wherever it was raised: one line. Dagster wraps what its assets raise, and its
chains of causes can be cycles."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import traceback
from pathlib import Path

from vp_engine.errors import VPError, causes
from vp_engine.signals.blame import own_signal_line, short

_LOGS_FOLDER = "logs"
_log_folder: Path | None = None


def log_faults_below(home: Path) -> None:
    """Faults of this process are written below this folder from now on: the lake, or where a remote lake's files of
    this machine are."""
    global _log_folder
    _log_folder = home / _LOGS_FOLDER


def user_line(error: BaseException) -> str:
    """The line for any exception: the words of a VPError, the file and line of an own signal, the words of the system,
    or for a fault of this project the log file that holds its traceback."""
    chain = list(causes(error, during=False))  # a fault that is raised while another error is handled is a fault
    for cause in chain:
        if isinstance(cause, VPError):
            return str(cause)
    line = own_signal_line(error)
    if line is not None:
        return line
    for cause in chain:
        if isinstance(cause, OSError):
            return str(cause)
    return _fault_line(error, chain)


def _fault_line(error: BaseException, chain: list[BaseException]) -> str:
    """Write the traceback to a file of its own and name it."""
    innermost = next((cause for cause in reversed(chain) if cause.__traceback__ is not None), error)
    now = dt.datetime.now(dt.UTC)
    name = f"fault-{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}.log"
    for folder in (_log_folder, Path(tempfile.gettempdir())):
        if folder is None:
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
        except OSError:
            continue
        return f"this is a fault of Spymaster ({short(innermost)}); its traceback is in {path}"
    return f"this is a fault of Spymaster ({short(innermost)}), and its traceback could not be written"
