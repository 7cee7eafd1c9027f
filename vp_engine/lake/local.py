"""A lake in a folder of this machine. Things appear by renaming; folders and files are fsynced first.

Writers of one loose thing take turns by a lock on its folder, which binds the processes of one host.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from vp_engine.errors import ConfigError, LakeError
from vp_engine.lake.manifests import MANIFEST, FileSum
from vp_engine.lake.temporary import discard, leftovers, temporary_name

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


class Entry(NamedTuple):
    """A file of a lake: its bytes and the time it was written (s since 1970)."""

    bytes: int
    mtime_s: float


class LocalRoom:
    """File operations below a local root."""

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():  # it would look like a lake that is empty
            raise ConfigError(f"lake root {root} is a file; name a folder")
        self.root = root

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

    def staging(self, target: Path) -> Path:
        """A free temporary name on the file system of `target`, in a folder that is there."""
        self.make_folder(target.parent)
        return target.parent / temporary_name(target.name)

    def stored_name(self, name: str, held: FileSum) -> str:
        """Name of a file of these bytes."""
        return name

    @contextmanager
    def locked(self, folder: Path) -> Iterator[None]:
        """Alone among the processes of this host that ask for the same folder."""
        self.make_folder(folder)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def replace(self, staged: Path, target: Path) -> None:
        """One staged file into place, over what was there."""
        self.make_folder(target.parent)
        _fsync(staged)
        os.replace(staged, target)
        _fsync(target.parent)

    def put_new(self, content: bytes, target: Path) -> bool:
        """A small file into place unless one is there; the caller holds the folder's lock."""
        if target.is_file():
            return False
        staged = self.staging(target)
        try:
            staged.write_bytes(content)
            self.replace(staged, target)
        finally:
            discard(staged)
        return True

    def publish(self, staged: Path, target: Path, names: Sequence[tuple[str, str]]) -> None:
        """A staged folder into place; a whole one that is already there wins, a broken one is replaced."""
        for path in (*(path for path in staged.rglob("*")), staged):
            _fsync(path)
        for _ in range(3):
            try:
                os.rename(staged, target)
                break
            except OSError as error:
                if not target.exists():
                    raise
                if (target / MANIFEST).is_file():
                    break
                if not target.is_dir():
                    raise LakeError(f"{target}: is no folder ({error.strerror}); remove it") from error
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
        discard(gone)
        _fsync(target.parent)

    def is_file(self, path: Path) -> bool:
        """Whether a file is there."""
        return path.is_file()

    def entry(self, path: Path) -> Entry | None:
        """Size and time of a file, or None."""
        try:
            facts = path.stat()
        except OSError as error:
            if error.errno not in _NOT_THERE:  # it may well be there
                raise
            return None
        return Entry(facts.st_size, facts.st_mtime)

    def read(self, path: Path) -> bytes:
        """A whole file; FileNotFoundError if it is not there."""
        return path.read_bytes()

    def read_many(self, paths: Sequence[Path]) -> dict[Path, bytes]:
        """Files at once; those that are gone by now are left out."""
        found = {}
        for path in paths:
            with suppress(FileNotFoundError):
                found[path] = path.read_bytes()
        return found

    def glob(self, folder: Path, pattern: str) -> list[Path]:
        """Files and folders below `folder` whose relative path matches, hidden ones left out."""
        if not folder.is_dir():
            return []
        return [path for path in folder.glob(pattern) if not path.name.startswith(".")]

    def folders(self, folder: Path) -> Iterator[tuple[Path, bytes, dict[str, Entry]]]:
        """(folder, its manifest, its files by name) of every committed folder directly below."""
        for path in sorted(self.glob(folder, "*")):
            try:
                content = (path / MANIFEST).read_bytes()
                with os.scandir(path) as inside:
                    facts = {item.name: item.stat() for item in inside if item.is_file()}
            except (FileNotFoundError, NotADirectoryError):  # not committed, or deleted just now
                continue
            yield path, content, {name: Entry(held.st_size, held.st_mtime) for name, held in facts.items()}

    def problem(self) -> str | None:
        """Why the lake cannot be read, None if it can."""
        if self.root.is_dir() and os.access(self.root, os.R_OK):
            return None
        return f"{self.root}: no such folder; VP_LAKE_ROOT names it"

    def leftovers(self) -> list[Path]:
        """What dead writers left."""
        return leftovers(self.root)

    def discard(self, path: Path) -> None:
        """Delete a leftover."""
        with suppress(OSError):
            discard(path)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
