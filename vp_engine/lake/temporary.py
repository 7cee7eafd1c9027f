"""Temporary names: hidden, beside their target, and telling who writes (process, its start, host), so that what a dead
writer left behind can be swept."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

FOREIGN_LEFTOVER_S = 24 * 3600  # a writer on another host cannot be asked whether it lives

# `.tmp-<pid>-<start of the process>-<host digest>-<random>-<target's name>`
_TEMPORARY = re.compile(r"\.tmp-(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}-.+", re.DOTALL)


def temporary_name(name: str) -> str:
    """A hidden name beside `name` that says who writes it."""
    pid = os.getpid()
    return f".tmp-{pid}-{max(_process_start(pid), 0)}-{_host()}-{secrets.token_hex(4)}-{name}"


def leftovers(root: Path) -> list[Path]:
    """Temporary names of dead writers, anywhere below a folder."""
    found = []
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            match = _TEMPORARY.fullmatch(name)
            if match and _is_dead(Path(folder, name), match):
                found.append(Path(folder, name))
        folders[:] = [name for name in folders if not name.startswith(".tmp-")]
    return sorted(found)


def discard(path: Path) -> None:
    """Delete a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _process_start(pid: int) -> int:
    """Start of a process in clock ticks since boot, 0 where the system does not tell; -1 if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return -1 if Path("/proc/self/stat").exists() else _probe(pid)
    except OSError:
        return 0
    fields = stat[stat.rindex(b")") + 2 :].split()  # the name before it may hold blanks and brackets
    return -1 if fields[0] == b"Z" else int(fields[19])


def _probe(pid: int) -> int:
    """0 if a process lives, -1 if not, without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return -1
    except OSError:
        return 0
    return 0


def _is_dead(path: Path, match: re.Match[str]) -> bool:
    """Whether the writer of a temporary name is gone."""
    pid, start, host = int(match[1]), int(match[2]), match[3]
    if host != _host():
        try:
            return time.time() - _newest_mtime(path) > FOREIGN_LEFTOVER_S
        except OSError:  # gone or changing under our eyes: somebody is at work
            return False
    now = _process_start(pid)
    return now < 0 or (start > 0 and now > 0 and now != start)


def _newest_mtime(path: Path) -> float:
    inside = path.rglob("*") if path.is_dir() else ()
    return max(float(item.stat().st_mtime) for item in (path, *inside))
