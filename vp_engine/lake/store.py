"""The one place that writes to a lake: all or nothing, and every file access goes through here.

A root is a path or a URL that fsspec knows (`s3://bucket/prefix`). What is being written has a temporary name that
says who writes; it appears whole (`local`: renamed, `objects`: its manifest comes last) or not at all. A folder holds
`manifest.json` (exists: the folder is whole) and `checksums.json`; a loose file has its manifest beside it. A manifest
vouches for the bytes of its files and for its own.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from vp_engine.errors import LakeError, NotFoundError, VPError
from vp_engine.hashing import sha256_file
from vp_engine.lake import copies
from vp_engine.lake.local import Entry, LocalRoom
from vp_engine.lake.manifests import (
    CHECKSUMS,
    MANIFEST,
    FileSum,
    files_entry,
    json_bytes,
    listed,
    parse_json,
    sealed,
    sum_file,
    unsealed,
    write_json,
)
from vp_engine.lake.objects import ObjectRoom, content_name, open_root
from vp_engine.lake.temporary import discard, temporary_name

__all__ = ["CHECKSUMS", "MANIFEST", "Entry", "Lake", "LakePath", "json_bytes", "temporary_name", "write_json"]

LakePath: TypeAlias = Any  # pathlib.Path below a local root, upath.UPath below a URL: the same methods, no common type
_UNWRITABLE = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota is used up; free some space",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.EFBIG: "the file would be larger than is allowed",
}


def default_cache() -> Path:
    """Where files of a remote lake are kept on this machine unless settings name another place."""
    return Path.home() / ".cache" / "spymaster"


class Lake:
    """A folder of raw and derived files, here or on an object store. Names below it come from `paths`.

    `cache_dir`: local folder for what is made before it is sent, and for raw days fetched from a remote lake, at most
    `cache_bytes` of them (None: 50 GB); it may be deleted whenever nothing runs.
    """

    def __init__(self, root: str | LakePath, cache_dir: Path | None = None, cache_bytes: int | None = None) -> None:
        self.cache_dir = cache_dir if cache_dir is not None else default_cache()
        self.is_local = "://" not in str(root)
        self._room: Any
        if self.is_local:
            self._room = LocalRoom(Path(root).expanduser().absolute())
        else:
            self._room = ObjectRoom(open_root(str(root)), self.cache_dir / "scratch")
        self.root: LakePath = self._room.root
        self._checked: dict[Path, tuple[int, int, int]] = {}  # raw files whose bytes this process has hashed
        limit = copies.DEFAULT_BYTES if cache_bytes is None else cache_bytes
        self._copies = copies.Copies(self.cache_dir / "objects", self.cache_dir / "scratch", limit)

    def __repr__(self) -> str:
        return f"Lake({str(self.root)!r})"

    def __reduce__(self) -> tuple[Callable[..., Lake], tuple[Any, ...]]:
        return Lake, (str(self.root), self.cache_dir, self._copies.limit_bytes)

    def path(self, *parts: str | PurePosixPath) -> LakePath:
        """Full path of something in the lake."""
        return self.root.joinpath(*map(str, parts)) if parts else self.root

    def exists(self, target: LakePath) -> bool:
        """Whether a file, or a folder with its manifest, is committed."""
        return bool(self._room.is_file(target) or self._room.is_file(target / MANIFEST))

    def problem(self) -> str | None:
        """Why the lake cannot be read, in one line; None if it can."""
        return str(found) if (found := self._room.problem()) else None

    # Writing

    def make_folder(self, folder: LakePath) -> None:
        """Create a folder and its parents durably, where there are folders."""
        self._room.make_folder(folder)

    @contextmanager
    def staged(self, target: LakePath) -> Iterator[Path]:
        """A free local temporary name for what will become `target`; whatever is left under it is deleted."""
        with _writable(target):
            place: Path = self._room.staging(target)
            try:
                yield place
            finally:
                discard(place)

    @contextmanager
    def commit_dir(self, target: LakePath) -> Iterator[Path]:
        """A local folder to write into, `manifest.json` included; whole and visible as `target` afterwards.

        If the body raises, nothing is left. If another writer was first, its folder stays and ours is dropped.
        """
        with self.staged(target) as folder:
            folder.mkdir()
            yield folder
            self._room.publish(folder, target, self._seal(folder))

    @contextmanager
    def commit_file(self, target: LakePath) -> Iterator[Path]:
        """A temporary name to write one file under; put in place of `target` afterwards, over what was there."""
        with self.staged(target) as place:
            yield place
            self._room.replace(place, target)

    def commit_bytes(self, target: LakePath, content: bytes) -> None:
        """One small file, all or nothing, over what was there."""
        with self.commit_file(target) as place:
            place.write_bytes(content)

    def commit_document(self, target: LakePath, document: Mapping[str, Any]) -> None:
        """A JSON document with its own digest, over what was there."""
        self.commit_bytes(target, sealed(document))

    def commit_loose(
        self, manifest: LakePath, document: Mapping[str, Any], files: Mapping[str, tuple[Path, LakePath]]
    ) -> bool:
        """Commit files, each (staged, target), by the manifest that vouches for them; False if one is there already,
        which stays. `document` gets its `files`."""
        with _writable(manifest), self.locked(manifest.parent):
            if self._room.is_file(manifest):
                return False
            placed: dict[str, tuple[str, FileSum]] = {}
            for name, (staged, target) in files.items():
                held = sum_file(staged)
                stored = target.with_name(self._room.stored_name(target.name, held))
                self._room.replace(staged, stored)
                placed[name] = (posixpath.relpath(str(stored), str(manifest.parent)), held)
            return bool(self._room.put_new(sealed({**document, "files": files_entry(placed)}), manifest))

    def replace_loose(
        self,
        manifest: LakePath,
        document: Mapping[str, Any],
        files: Mapping[str, tuple[Path, LakePath]],
        pattern: str,
    ) -> None:
        """The same over what is there: the files under free names, then the manifest in one step, and only then is
        deleted what else of `pattern` was beside it. On an error before that, what was there is there as it was."""
        with _writable(manifest), self.locked(manifest.parent):
            before = self.entries(manifest.parent, pattern)
            placed: dict[str, tuple[str, FileSum]] = {}
            kept: list[LakePath] = [manifest]
            content = b""
            try:
                for name, (staged, target) in files.items():
                    held = sum_file(staged)
                    stored = target.with_name(self._room.stored_name(target.name, held))
                    if stored in before:
                        stored = target.with_name(content_name(target.name, held))  # if there: of these very bytes
                    kept.append(stored)
                    self._room.replace(staged, stored)
                    placed[name] = (posixpath.relpath(str(stored), str(manifest.parent)), held)
                content = sealed({**document, "files": files_entry(placed)})
                self.commit_bytes(manifest, content)
            except BaseException:
                self._drop_placed([path for path in kept[1:] if path not in before], manifest, content)
                raise
            gone = [path for path in before if path not in kept]
            for path in sorted(gone, key=lambda path: not path.name.endswith(f".{MANIFEST}")):
                self._room.remove(path)

    def _drop_placed(self, placed: Sequence[LakePath], manifest: LakePath, content: bytes) -> None:
        """Delete files whose manifest was not written. On an object store, where that is not certain, they are left to
        be swept."""
        if self.is_local:
            with suppress(VPError, OSError):
                if not self._room.is_file(manifest) or self._room.read(manifest) != content:
                    for path in placed:
                        self._room.remove(path)

    def locked(self, folder: LakePath) -> AbstractContextManager[None]:
        """Alone among the local processes that write loose files into a folder; nothing on an object store."""
        room: AbstractContextManager[None] = self._room.locked(folder)
        return room

    def _seal(self, folder: Path) -> list[tuple[str, str]]:
        """Complete a staged folder's manifest and checksums; (name, stored name) of its files but the manifest."""
        if not (folder / MANIFEST).is_file():
            raise LakeError(f"{folder.name}: a folder without {MANIFEST} cannot be committed")
        document = parse_json((folder / MANIFEST).read_bytes(), folder / MANIFEST)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        placed = {name: self._placed(folder, name) for name in names if name != MANIFEST}
        write_json(folder / CHECKSUMS, {at: held.sha256 for at, held in placed.values()})
        placed[CHECKSUMS] = self._placed(folder, CHECKSUMS)
        (folder / MANIFEST).write_bytes(sealed({**document, "files": files_entry(placed)}))
        return [(name, at) for name, (at, _) in placed.items()]

    def _placed(self, folder: Path, name: str) -> tuple[str, FileSum]:
        held = sum_file(folder / name)
        return self._room.stored_name(name, held), held

    def remove(self, target: LakePath) -> None:
        """Make a file or folder invisible at once, then delete it."""
        with _writable(target):
            self._room.remove(target)

    # Reading

    def read_bytes(self, path: LakePath) -> bytes:
        """A whole small file."""
        try:
            return bytes(self._room.read(path))
        except FileNotFoundError:
            raise NotFoundError(f"{path}: no such file in the lake") from None

    def read_json(self, path: LakePath) -> dict[str, Any]:
        """A JSON object; LakeError if it is none."""
        return parse_json(self.read_bytes(path), path)

    def read_manifest(self, path: LakePath) -> dict[str, Any]:
        """A JSON document that carries its own digest; LakeError if a byte of it has changed."""
        return unsealed(self.read_bytes(path), path)

    def local_copy(self, path: LakePath, held: FileSum) -> Path:
        """A file as one of this machine, its sha256 checked when this process first uses it: itself in a local lake,
        else a copy in the cache, which stays at least as long as the path that is returned. LakeError for other bytes.
        """
        if self.is_local:
            self._check(Path(path), held)
            return Path(path)
        with _writable(self._copies.folder):
            return self._copies.get(path, held, self._room.fetch)

    def _check(self, path: Path, held: FileSum) -> None:
        """LakeError unless a local file has these bytes; one that has not changed since it was found so is not read."""
        try:
            facts = path.stat()
        except FileNotFoundError:
            raise LakeError(f"{path}: missing, though its manifest lists it; bring it into the lake again") from None
        mark = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if self._checked.get(path) == mark:
            return
        if sum_file(path) != held:
            raise LakeError(f"{path}: differs from its manifest; bring it into the lake again")
        self._checked[path] = mark

    def read_many(self, paths: Sequence[LakePath]) -> dict[LakePath, bytes]:
        """Small files at once, in order; those that are gone by now are left out."""
        found: dict[LakePath, bytes] = self._room.read_many(paths)
        return found

    def entries(self, folder: LakePath, pattern: str = "*") -> list[LakePath]:
        """Entries of a folder by name; hidden ones (temporary names) left out."""
        return sorted(self._room.glob(folder, pattern))

    def folders(self, folder: LakePath) -> Iterator[tuple[LakePath, bytes, dict[str, Entry]]]:
        """(folder, bytes of its manifest, its files by name) of every committed folder directly below, by name."""
        yield from self._room.folders(folder)

    def entry(self, path: LakePath) -> Entry | None:
        """Size and time of a file; None if it is not there."""
        found: Entry | None = self._room.entry(path)
        return found

    def size(self, path: LakePath) -> int:
        """Bytes of a file; LakeError if it is missing."""
        if (found := self.entry(path)) is None:
            raise LakeError(f"{path}: missing, though the manifest lists it")
        return found.bytes

    # Keeping

    def verify_files(self, manifest: LakePath) -> dict[str, Any]:
        """Hash every file that a manifest vouches for again; LakeError naming the first that differs. The manifest."""
        document = self.read_manifest(manifest)
        for _, (at, held) in sorted(listed(document, manifest).items()):
            path = beside(manifest, at)
            if self.size(path) != held.bytes or self.digest(path) != held.sha256:
                again = "import the day again" if document.get("kind") == "raw" else "delete it and make it again"
                raise LakeError(f"{path}: differs from its manifest; {again}")
        return document

    def verify_dir(self, folder: LakePath) -> None:
        """The same for a committed folder."""
        self.verify_files(folder / MANIFEST)

    def digest(self, path: LakePath) -> str:
        """Hex sha256 of a stored file's bytes, as they are now."""
        return sha256_file(path) if self.is_local else self._room.digest(path)

    def temporaries(self) -> list[LakePath]:
        """What dead writers left behind, anywhere in the lake."""
        return list(self._room.leftovers())

    def sweep_temporaries(self) -> list[LakePath]:
        """Delete what dead writers left behind; the paths that are gone. Living writers are left alone."""
        found = self.temporaries()
        for path in found:
            self._room.discard(path)
        return found


def beside(manifest: LakePath, at: str) -> LakePath:
    """The place that a manifest calls `at`."""
    place = manifest.parent
    for part in at.split("/"):
        place = place.parent if part == ".." else place / part
    return place


def stored_file(folder: LakePath, document: Mapping[str, Any], name: str) -> LakePath:
    """Where a file of a folder is, by the folder's manifest; by its own name while the folder is being written."""
    held: Sequence[Any] | Mapping[str, Any] = document.get("files", {}).get(name, {})
    return folder / (held["at"] if isinstance(held, Mapping) and "at" in held else name)


@contextmanager
def _writable(target: LakePath) -> Iterator[None]:
    """What stops writing as one LakeError that names the target; other errors pass."""
    try:
        yield
    except OSError as error:
        reason = _UNWRITABLE.get(error.errno or 0)
        if reason is None:
            raise
        raise LakeError(f"{target}: cannot be written: {reason}; nothing was changed") from error
