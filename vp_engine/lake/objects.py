"""A lake on an object store, through fsspec. There is no renaming: data objects come first, the manifest last.

A data object's name carries the beginning of its sha256, so no writer ever overwrites another's bytes; the manifest
says which names are meant. It is put on the condition that none is there, so one of many writers wins; where a server
knows no such condition, the last of those that met stays, and is as whole. Credentials and endpoint are found by the
file system's library itself (for S3: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on). Nothing is cached but by digest.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
from upath import UPath

from vp_engine.errors import ConfigError, LakeError, UnreachableError, VPError
from vp_engine.lake.local import Entry
from vp_engine.lake.manifests import CHECKSUMS, MANIFEST, FileSum, listed, unsealed
from vp_engine.lake.temporary import FOREIGN_LEFTOVER_S, discard, leftovers, temporary_name

TAG = 12  # digits of the sha256 in an object's name
_OPTIONS: dict[str, Any] = {"use_listings_cache": False}  # what another machine wrote must be seen
# Checksums of the lake's own go with every object; servers other than Amazon's stumble over the client's newer ones.
_S3_OPTIONS = {
    "config_kwargs": {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
}
_MANIFEST_ENDS = (MANIFEST, ".manifest.json")
_ATTEMPTS = 6  # at a manifest, while another writer's condition is being decided
_MULTIPART = (".dbn.zst",)
_BLOCK = 8 << 20  # bytes a request when an object is read through


def open_root(url: str) -> UPath:
    """The root of a lake behind a URL; ConfigError for a protocol that nobody knows or that is not installed."""
    protocol, _, place = url.partition("://")
    if not protocol or not place.strip("/"):  # would be taken for a local path
        raise ConfigError(f"lake root {url!r} names no place; give a folder or a URL such as s3://bucket/prefix")
    try:
        options = {**_OPTIONS, **(_S3_OPTIONS if url.startswith(("s3://", "s3a://")) else {})}
        root: UPath = UPath(url.rstrip("/"), **options)
        root.fs  # noqa: B018  a protocol without its library is found out here
        return root
    except (ValueError, ImportError, TypeError) as error:
        raise ConfigError(f"lake root {url}: {_one_line(error)}") from None


@contextmanager
def said(what: object, *passing: type[Exception]) -> Iterator[None]:
    """Whatever the store's library raises, as one LakeError that names the object, but for what the caller knows how
    to tell."""
    try:
        yield
    except VPError:
        raise
    except Exception as error:  # each file system raises the types of its own library
        if isinstance(error, passing):
            raise
        kind = LakeError if isinstance(error, FileNotFoundError) else UnreachableError
        raise kind(f"{what}: the object store says: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]


def is_of_the_bytes(error: Exception) -> bool:
    """Whether what Arrow raises is about a file's bytes: those that do not fit are an OSError without a number."""
    if isinstance(error, OSError):
        return isinstance(error, FileNotFoundError) or (type(error) is OSError and error.errno is None)
    return not isinstance(error, MemoryError)


def content_name(name: str, held: FileSum) -> str:
    """A file's name with the beginning of its sha256 before its ending."""
    ending = next((known for known in _MULTIPART if name.endswith(known)), Path(name).suffix)
    return f"{name.removesuffix(ending)}.{held.sha256[:TAG]}{ending}"


def open_source(path: Any) -> Any:
    """What Arrow reads a stored file from: the path of a local one, else a file that asks for exact ranges."""
    if isinstance(path, Path):
        return path
    return pa.PythonFile(path.fs.open(path.path, "rb", cache_type="none"), mode="r")


class ObjectRoom:
    """File operations below a URL. `scratch` is a local folder where things are made before they are sent."""

    def __init__(self, root: UPath, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch

    @cached_property
    def fs(self) -> fsspec.AbstractFileSystem:
        """The file system; one instance per process."""
        return self.root.fs

    def make_folder(self, folder: UPath) -> None:
        """Nothing: there are no folders."""

    def staging(self, target: UPath) -> Path:
        """A free temporary name in the scratch folder."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self.scratch / temporary_name(target.name)

    def stored_name(self, name: str, held: FileSum) -> str:
        """Name of an object of these bytes."""
        return content_name(name, held)

    def locked(self, folder: UPath) -> AbstractContextManager[None]:
        """Nothing: the condition on the manifest decides."""
        return nullcontext()

    def replace(self, staged: Path, target: UPath) -> None:
        """One file into place, over what was there."""
        with said(target):
            self.fs.put_file(str(staged), target.path)

    def put_new(self, content: bytes, target: UPath) -> bool:
        """A small object, unless one is there."""
        with said(target):
            for attempt in range(_ATTEMPTS):
                if self.is_file(target):
                    return False
                try:
                    self.fs.pipe_file(target.path, content, mode="create")
                    return True
                except FileExistsError:
                    return False
                except NotImplementedError:
                    self.fs.pipe_file(target.path, content)
                    return True
                except OSError as error:
                    if "NotImplemented" in str(error):  # a server that refuses conditions
                        self.fs.pipe_file(target.path, content)
                        return True
                    if attempt + 1 == _ATTEMPTS or "Conflict" not in str(error):
                        raise
                    time.sleep(0.05 * 2**attempt)
        return False

    def publish(self, staged: Path, target: UPath, names: Sequence[tuple[str, str]]) -> None:
        """The files of a staged folder under their stored names, the manifest last; the first manifest stays."""
        if self.is_file(target / MANIFEST):
            return
        for name, stored in sorted(names, key=lambda pair: pair[0] == CHECKSUMS):
            self.replace(staged / name, target / stored)
        if not self.put_new((staged / MANIFEST).read_bytes(), target / MANIFEST):
            self._drop_ours(target, [stored for _, stored in names])

    def _drop_ours(self, target: UPath, ours: Sequence[str]) -> None:
        """Objects that the manifest which was first does not mean."""
        where = target / MANIFEST
        meant = {at for at, _ in listed(unsealed(self.read(where), where), where).values()}
        for stored in set(ours) - meant:
            self.remove(target / stored)

    def remove(self, target: UPath) -> None:
        """Delete an object, or a folder with its manifest first, so that it is invisible at once."""
        with said(target):
            for key in sorted(self.fs.find(target.path), key=lambda key: not key.endswith(f"/{MANIFEST}")):
                with suppress(FileNotFoundError):
                    self.fs.rm_file(key)

    def is_file(self, path: UPath) -> bool:
        """Whether an object is there."""
        return self.entry(path) is not None

    def entry(self, path: UPath) -> Entry | None:
        """Size and time of an object, or None."""
        try:
            with said(path, FileNotFoundError):
                facts = self.fs.info(path.path)
        except FileNotFoundError:
            return None
        return _entry(facts) if facts["type"] == "file" else None

    def read(self, path: UPath) -> bytes:
        """A whole object; FileNotFoundError if it is not there."""
        with said(path, FileNotFoundError):
            return bytes(self.fs.cat_file(path.path))

    def fetch(self, path: UPath, place: Path) -> None:
        """An object into a local file."""
        with said(path):
            self.fs.get_file(path.path, str(place))

    def digest(self, path: UPath) -> str:
        """Hex sha256 of an object, read in bounded memory."""
        digest = hashlib.sha256()
        with said(path), self.fs.open(path.path, "rb", block_size=_BLOCK, cache_type="readahead") as source:
            while chunk := source.read(_BLOCK):
                digest.update(chunk)
        return digest.hexdigest()

    def read_many(self, paths: Sequence[UPath]) -> dict[UPath, bytes]:
        """Objects at once; those that are gone by now are left out."""
        keys = {_bare(path.path): path for path in paths}
        with said(self.root):
            found = self.fs.cat([path.path for path in paths], on_error="return") if paths else {}
        contents: dict[UPath, bytes] = {}
        for key, content in (found if isinstance(found, dict) else {paths[0].path: found}).items():
            if isinstance(content, FileNotFoundError):
                continue
            with said(key):
                if isinstance(content, Exception):
                    raise content
            contents[keys[_bare(key)]] = bytes(content)
        return contents

    def glob(self, folder: UPath, pattern: str) -> list[UPath]:
        """Objects and prefixes below `folder` whose relative path matches; one listing."""
        wanted = pattern.split("/")
        found: dict[str, None] = {}
        for key in self._tree(folder):
            parts = key.split("/")
            if len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted)):
                found["/".join(parts[: len(wanted)])] = None
        return [folder / key for key in found if not key.rpartition("/")[2].startswith(".")]

    def folders(self, folder: UPath) -> Iterator[tuple[UPath, bytes, dict[str, Entry]]]:
        """(folder, its manifest, its files by name) of every committed folder directly below; one listing and the
        manifests at once."""
        inside: dict[str, dict[str, Entry]] = {}
        for key, entry in self._tree(folder).items():
            name, _, file = key.partition("/")
            inside.setdefault(name, {})[file] = entry
        whole = [folder / name / MANIFEST for name, files in sorted(inside.items()) if MANIFEST in files]
        for where, content in self.read_many(whole).items():
            yield where.parent, content, inside[where.parent.name]

    def problem(self) -> str | None:
        """Why the lake cannot be read, None if it can; a lake without objects yet can."""
        try:
            with said(self.root, FileNotFoundError):
                bucket = self.root.path.lstrip("/").partition("/")[0]
                self.fs.ls(bucket) if bucket else None
        except FileNotFoundError:
            return f"{self.root}: no such bucket; VP_LAKE_ROOT names it"
        except LakeError as error:
            return str(error)
        return None

    def leftovers(self) -> list[Path | UPath]:
        """What dead writers left here in the scratch folder, and data objects a day old that no manifest means."""
        found: list[Path | UPath] = [*leftovers(self.scratch)]
        tree = self._tree(self.root)
        meant: set[str] = set()
        candidates = []
        for key, entry in tree.items():
            folder, _, name = key.rpartition("/")
            if name.endswith(_MANIFEST_ENDS):
                meant |= self._meant(key, folder)
            elif _is_tagged(name) and time.time() - entry.mtime_s > FOREIGN_LEFTOVER_S:
                candidates.append(key)
        return found + [self.root / key for key in candidates if key not in meant]

    def _meant(self, key: str, folder: str) -> set[str]:
        """Keys that a manifest vouches for; those of a damaged one are unknown, so everything beside it is kept."""
        where = self.root / key
        try:
            held = listed(unsealed(self.read(where), where), where)
        except (LakeError, FileNotFoundError):
            return {f"{folder}/{path.name}" for path in self.glob(self.root / folder, "*")}
        return {_joined(folder, at) for at, _ in held.values()}

    def discard(self, path: Path | UPath) -> None:
        """Delete a leftover."""
        if isinstance(path, UPath) and not isinstance(path, Path):
            self.remove(path)
        else:
            discard(Path(path))

    def _tree(self, folder: UPath) -> dict[str, Entry]:
        """Every object below a folder by its relative key, in order."""
        try:
            with said(folder, FileNotFoundError):
                below = self.fs.find(folder.path, detail=True)
        except FileNotFoundError:
            return {}
        skip = len(_bare(folder.path).rstrip("/")) + 1
        return {_bare(key)[skip:]: _entry(facts) for key, facts in sorted(below.items()) if len(_bare(key)) > skip}


def _bare(key: str) -> str:
    """A key without the leading slash that some file systems give."""
    return key.lstrip("/")


def _joined(folder: str, at: str) -> str:
    """A place relative to a folder, `..` resolved."""
    parts = folder.split("/") if folder else []
    for part in at.split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _is_tagged(name: str) -> bool:
    """Whether a name may be one that `stored_name` made."""
    return any(len(part) == TAG and all(digit in "0123456789abcdef" for digit in part) for part in name.split("."))


def _entry(facts: dict[str, Any]) -> Entry:
    """Size and time from what a file system says of an object."""
    changed = facts.get("LastModified") or facts.get("created") or facts.get("mtime") or facts.get("updated") or 0
    return Entry(int(facts["size"] or 0), float(changed.timestamp() if hasattr(changed, "timestamp") else changed))
