"""The one place that writes to a lake: all or nothing, and every file access goes through here.

A thing is written under a temporary name beside its target, fsynced, renamed, and its folder fsynced. The temporary
name says who writes (process, its start, host), so that what a dead writer left behind can be swept.
A committed folder holds `manifest.json` (exists: the folder is whole) and `checksums.json` (sha256 per file).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.hashing import sha256_file

MANIFEST = "manifest.json"
CHECKSUMS = "checksums.json"
FOREIGN_LEFTOVER_S = 24 * 3600  # a writer on another host cannot be asked whether it lives

# `.tmp-<pid>-<start of the process>-<host digest>-<random>-<target's name>`
_TEMPORARY = re.compile(r"\.tmp-(\d+)-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}-.+", re.DOTALL)


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


def temporary_name(name: str) -> str:
    """A hidden name beside `name` that says who writes it."""
    pid = os.getpid()
    return f".tmp-{pid}-{max(_process_start(pid), 0)}-{_host()}-{secrets.token_hex(4)}-{name}"


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


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON for people: sorted, indented, one newline at the end."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON into a place that is not visible yet (a temporary name)."""
    path.write_bytes(json_bytes(value))


class Lake:
    """A folder of raw and derived files. Names below it come from `paths`."""

    def __init__(self, root: str | Path) -> None:
        if "://" in str(root):
            raise ConfigError(f"the lake root must be a path on this machine, was {root}")
        self.root = Path(root).expanduser().absolute()

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

    def path(self, *parts: str | PurePosixPath) -> Path:
        """Full path of something in the lake."""
        return self.root.joinpath(*parts)

    def exists(self, target: Path) -> bool:
        """Whether a file, or a folder with its manifest, is committed."""
        return target.is_file() or (target / MANIFEST).is_file()

    def make_folder(self, folder: Path) -> None:
        """Create a folder and its parents durably."""
        missing = []
        at = folder
        while not at.is_dir():
            missing.append(at)
            if at == at.parent:
                break
            at = at.parent
        try:
            for path in reversed(missing):
                path.mkdir(exist_ok=True)
                _fsync(path.parent)
        except OSError as error:
            raise LakeError(f"{folder}: cannot be created ({error.strerror}); is the lake root writable?") from error

    @contextmanager
    def commit_dir(self, target: Path) -> Iterator[Path]:
        """A temporary folder to write into, `manifest.json` included; whole and visible as `target` afterwards.

        If the body raises, nothing is left. If another writer was first, its folder stays and ours is dropped.
        """
        self.make_folder(target.parent)
        temporary = target.parent / temporary_name(target.name)
        temporary.mkdir()
        try:
            yield temporary
            self._seal(temporary)
            self._publish(temporary, target)
        finally:
            _remove(temporary)

    @contextmanager
    def commit_file(self, target: Path) -> Iterator[Path]:
        """A temporary name to write one file under; renamed to `target` afterwards, over what was there."""
        self.make_folder(target.parent)
        temporary = target.parent / temporary_name(target.name)
        try:
            yield temporary
            _fsync(temporary)
            os.replace(temporary, target)
            _fsync(target.parent)
        finally:
            _remove(temporary)

    @contextmanager
    def locked(self, folder: Path) -> Iterator[None]:
        """Alone among the processes of this host that ask for the same folder; for things of more than one file."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def commit_bytes(self, target: Path, content: bytes) -> None:
        """One small file, all or nothing."""
        with self.commit_file(target) as temporary:
            temporary.write_bytes(content)

    def _seal(self, folder: Path) -> None:
        """Checksums over every file, then everything to disk."""
        if not (folder / MANIFEST).is_file():
            raise LakeError(f"{folder.name}: a folder without {MANIFEST} cannot be committed")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
        write_json(folder / CHECKSUMS, sums)
        for path in (*files, folder / CHECKSUMS):
            _fsync(path)
        for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
            _fsync(path)

    def _publish(self, temporary: Path, target: Path) -> None:
        """Rename into place; a whole folder that is already there wins, a broken one is replaced."""
        for _ in range(3):
            try:
                os.rename(temporary, target)
                break
            except OSError as error:
                if not target.exists():
                    raise LakeError(f"{target}: cannot be committed ({error.strerror})") from error
                if self.exists(target):
                    break
                self.remove(target)
        else:
            raise LakeError(f"{target}: a folder without {MANIFEST} stands there and comes back; remove it")
        _fsync(target.parent)

    def remove(self, target: Path) -> None:
        """Make a file or folder invisible at once, then delete it."""
        gone = target.parent / temporary_name(target.name)
        try:
            os.rename(target, gone)
        except FileNotFoundError:
            return
        _remove(gone)
        _fsync(target.parent)

    def read_bytes(self, path: Path) -> bytes:
        """A whole small file."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"{path}: no such file in the lake") from None

    def read_json(self, path: Path) -> dict[str, Any]:
        """A JSON object; LakeError if it is none."""
        try:
            value = json.loads(self.read_bytes(path))
        except ValueError as error:
            raise LakeError(f"{path}: not valid JSON ({error})") from None
        if not isinstance(value, dict):
            raise LakeError(f"{path}: expected a JSON object")
        return value

    def entries(self, folder: Path, pattern: str = "*") -> list[Path]:
        """Committed entries of a folder by name; hidden ones (temporary names) left out."""
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))

    def size(self, path: Path) -> int:
        """Bytes of a file; LakeError if it is missing."""
        try:
            return path.stat().st_size
        except OSError:
            raise LakeError(f"{path}: missing, though the manifest lists it") from None

    def verify_dir(self, folder: Path) -> None:
        """Hash every file of a committed folder again; LakeError naming the first that differs."""
        sums = self.read_json(folder / CHECKSUMS)
        for name, expected in sorted(sums.items()):
            self.size(folder / name)
            if sha256_file(folder / name) != expected:
                raise LakeError(f"{folder / name}: differs from {CHECKSUMS}; delete the folder and compute it again")
        if MANIFEST not in sums:
            raise LakeError(f"{folder / CHECKSUMS}: does not cover {MANIFEST}")

    def temporaries(self) -> list[Path]:
        """Temporary names of dead writers, anywhere in the lake."""
        found = []
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                match = _TEMPORARY.fullmatch(name)
                if match and _is_dead(Path(folder, name), match):
                    found.append(Path(folder, name))
            folders[:] = [name for name in folders if not name.startswith(".tmp-")]
        return sorted(found)

    def sweep_temporaries(self) -> list[Path]:
        """Delete what dead writers left behind; the paths that are gone. Living writers are left alone."""
        found = self.temporaries()
        for path in found:
            _remove(path)
        return found
