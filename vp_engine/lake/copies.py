"""Copies of a remote lake's files on this machine: by digest, checked, and in all no more bytes than allowed.

A copy is in use while the path that was given out for it lives, in any process: the path holds a shared lock on the
file, and whoever makes room deletes only what he can lock alone. What was used longest ago goes first.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from vp_engine.errors import LakeError
from vp_engine.lake.local import LocalRoom
from vp_engine.lake.manifests import FileSum, sum_file
from vp_engine.lake.temporary import discard, temporary_name

LakePath: TypeAlias = Any  # of the store that it comes from
DEFAULT_BYTES = 50 * 10**9
_ATTEMPTS = 5  # at a copy that others throw out between its coming and our lock


class HeldPath(type(Path())):  # type: ignore[misc]  # the concrete class of this system
    """A path whose file nobody makes room of while it lives; made from it, other paths hold nothing."""


class Copies:
    """A folder of copies. limit_bytes: what is in use may exceed it, nothing else does."""

    def __init__(self, folder: Path, scratch: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self._scratch = scratch
        self._checked: dict[Path, int] = {}  # inode of each copy whose bytes this process has hashed

    def get(self, source: LakePath, wanted: FileSum, fetch: Callable[[LakePath, Path], None]) -> Path:
        """The copy of a stored file, fetched if there is none; LakeError if its bytes are not those that are wanted."""
        copy = self.folder / wanted.sha256 / str(source.name)
        for _ in range(_ATTEMPTS):
            if (held := self._hold(copy, wanted)) is not None:
                return held
            self._fetch(source, copy, wanted, fetch)
        raise LakeError(f"{copy}: goes as fast as it is fetched; allow the cache more bytes")

    def _hold(self, copy: Path, wanted: FileSum) -> HeldPath | None:
        """The copy with a lock of its own, None if it is not there or has other bytes."""
        try:
            handle = os.open(copy, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)  # who makes room holds it for a moment, to delete
            sound = self._is_sound(copy, os.fstat(handle).st_ino, wanted)
            if sound:
                os.utime(copy)
        except BaseException:
            os.close(handle)
            raise
        if not sound:
            os.close(handle)
            return None
        path = HeldPath(copy)
        weakref.finalize(path, os.close, handle)
        return path

    def _is_sound(self, copy: Path, inode: int, wanted: FileSum) -> bool:
        """Whether the name still means this file, and the file has these bytes."""
        try:
            if copy.stat().st_ino != inode:
                return False
        except FileNotFoundError:
            return False
        if self._checked.get(copy) != inode and sum_file(copy) != wanted:
            return False
        self._checked[copy] = inode
        return True

    def _fetch(self, source: LakePath, copy: Path, wanted: FileSum, fetch: Callable[[LakePath, Path], None]) -> None:
        room = LocalRoom(self.folder)
        room.make_folder(self._scratch)
        self.make_room(wanted.bytes)
        staged = self._scratch / temporary_name(copy.name)  # swept with the others if this process dies
        try:
            fetch(source, staged)
            if sum_file(staged) != wanted:
                raise LakeError(f"{source}: differs from its manifest; bring it into the lake again")
            room.make_folder(copy.parent)
            os.replace(staged, copy)
        finally:
            discard(staged)

    def make_room(self, n_bytes: int) -> list[Path]:
        """Delete what was used longest ago until so many bytes more are allowed; what went."""
        gone: list[Path] = []
        with LocalRoom(self.folder).locked(self.folder):
            held = []
            for path in self.folder.glob("*/*"):
                with suppress(FileNotFoundError):
                    facts = path.stat()
                    held.append((facts.st_mtime_ns, facts.st_size, path))
            total = sum(size for _, size, _ in held)
            for _, size, path in sorted(held):
                if total + n_bytes <= self.limit_bytes:
                    break
                if _drop(path):
                    total -= size
                    gone.append(path)
        return gone


def _drop(copy: Path) -> bool:
    """Delete a copy unless it is in use."""
    try:
        handle = os.open(copy, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        copy.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    with suppress(OSError):  # another name of the same bytes is in it
        copy.parent.rmdir()
    return True
