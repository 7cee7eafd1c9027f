"""Whether files of models may be decoded here: each is decoded and predicted with once in a process of its own
(`model_probe`), under limits of memory and time. What passed is remembered by its digest while this process lives, so a
file is checked once; so are the files that this process has written itself, from models that it had fitted.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import NamedTuple

from vp_engine.errors import LakeError
from vp_engine.signals.ml import model_probe

CPU_SECONDS = 5.0  # of a file: the largest take a hundredth of it
MEMORY_BYTES = 1 << 30  # of a check, beyond what the libraries take
WALL_SECONDS = 120.0  # of a whole check: a reader that spins is ended by its processor time long before
_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")  # as by a machine without memory: no word on the file
_LOCKS = tuple(threading.Lock() for _ in range(16))  # files of one set wait for one check, other sets do not
_reasons: dict[tuple[str, str], str | None] = {}


class ModelFile(NamedTuple):
    """A file's sha256 and its bytes, which have that digest."""

    sha256: str
    content: bytes


def is_known(kind: str, sha256: str) -> bool:
    """Whether the file has been checked as a model of class `kind`, whatever came of it."""
    return (kind, sha256) in _reasons


def trust(kind: str, sha256: str) -> None:
    """Take a file as checked: it was written from a model of this process."""
    _reasons[kind, sha256] = None


def why_refused(kind: str, sha256: str, files: Iterable[ModelFile]) -> str | None:
    """Why the file of this digest is no model of class `kind`, or None if it may be decoded.

    files: read only if the file has not been checked; it is the first of them, the others are checked on the way.
    LakeError where the check itself cannot be made.
    """
    with _LOCKS[int(sha256[0], 16)]:
        if not is_known(kind, sha256):
            _check(kind, list(files))
        return _reasons[kind, sha256]


def _check(kind: str, files: list[ModelFile]) -> None:
    """Probe the files in order, up to the first that ends the process, and remember what came of them."""
    command = [sys.executable, "-P", model_probe.__file__, kind, str(CPU_SECONDS), str(MEMORY_BYTES)]
    pipe = subprocess.PIPE  # a session of its own: an interrupt from the keyboard is for this process alone
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    sent = b"".join(part for file in files for part in (len(file.content).to_bytes(8, "big"), file.content))
    late = False
    try:
        out, err = process.communicate(sent, WALL_SECONDS)
    except subprocess.TimeoutExpired:
        late = True
        process.kill()
        out, err = process.communicate()
    ready, *answers = out.decode().splitlines() or [""]
    if ready != "ready":
        said = err.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise LakeError(f"cannot check model files in a process of its own ({said[-1]})")
    for file, answer in zip(files, answers, strict=False):
        _reasons[kind, file.sha256] = json.loads(answer)
    if len(answers) == len(files):
        return
    ended = signal.Signals(-process.returncode).name if process.returncode < 0 else f"exit code {process.returncode}"
    if ended in _FROM_OUTSIDE and not late:
        raise LakeError(f"the check of a model file was ended from outside ({ended}); is there memory enough?")
    seconds = WALL_SECONDS if late else CPU_SECONDS if ended == "SIGPROF" else None
    reason = f"its reader crashes ({ended})" if seconds is None else f"its reader does not end within {seconds:g} s"
    _reasons[kind, files[len(answers)].sha256] = reason
