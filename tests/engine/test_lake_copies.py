"""Copies of a remote lake's files: bounded, oldest use first, never what somebody holds, in this process or another."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vp_engine.errors import LakeError
from vp_engine.hashing import sha256_bytes
from vp_engine.lake import Lake
from vp_engine.lake.copies import Copies
from vp_engine.lake.manifests import FileSum

HOLDER = """
import sys
from pathlib import Path
from vp_engine.lake.copies import Copies
from vp_engine.lake.manifests import FileSum
held = Copies(Path(sys.argv[1]), Path(sys.argv[2]), 25).get(Path(sys.argv[3]), FileSum(10, sys.argv[4]), None)
print("held", flush=True)
sys.stdin.read()
"""


class Store:
    """Files somewhere else, and how often each was fetched."""

    def __init__(self, folder: Path) -> None:
        self.fetched: list[str] = []
        self.copies = Copies(folder / "objects", folder / "scratch", 25)

    def get(self, name: str, content: bytes | None = None) -> Path:
        """A file of ten bytes that are its name's."""
        wanted = sum_of(name)
        return self.copies.get(Path("far/away") / name, wanted, lambda path, place: self._fetch(path, place, content))

    def _fetch(self, path: Path, place: Path, content: bytes | None) -> None:
        self.fetched.append(path.name)
        place.write_bytes(bytes_of(path.name) if content is None else content)

    def there(self) -> set[str]:
        """Names of the copies at hand."""
        return {path.name for path in self.copies.folder.glob("*/*")}

    def use_long_ago(self, name: str, hours: int) -> None:
        (path,) = self.copies.folder.glob(f"*/{name}")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 3600 * hours))


def bytes_of(name: str) -> bytes:
    return name.encode().ljust(10, b".")


def sum_of(name: str) -> FileSum:
    return FileSum(10, sha256_bytes(bytes_of(name)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_what_was_used_longest_ago_goes_first(store: Store) -> None:
    for hours, name in ((3, "a"), (2, "b")):
        assert store.get(name).read_bytes() == bytes_of(name)
        store.use_long_ago(name, hours)
    store.get("a")  # used again: now `b` is the oldest
    store.get("c")
    assert store.there() == {"a", "c"}
    assert store.fetched == ["a", "b", "c"]
    store.get("b")
    assert store.fetched == ["a", "b", "c", "b"]
    assert not list(store.copies.folder.parent.rglob(".tmp-*"))
    assert len(list(store.copies.folder.iterdir())) == len(store.there())  # no empty folder is left


def test_what_is_held_stays_whatever_the_limit_says(store: Store) -> None:
    held = [store.get(name) for name in "abc"]
    assert store.there() == {"a", "b", "c"}
    assert [path.read_bytes() for path in held] == [bytes_of(name) for name in "abc"]
    del held
    gc.collect()
    store.get("d")
    assert len(store.there()) == 2
    assert "d" in store.there()


def test_what_another_process_holds_stays_until_it_ends(store: Store) -> None:
    store.get("a")
    store.use_long_ago("a", 9)
    command = [sys.executable, "-c", HOLDER, str(store.copies.folder), str(store.copies.folder.parent / "scratch"), "a"]
    with subprocess.Popen(
        [*command, sum_of("a").sha256], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        store.use_long_ago("a", 9)
        for name in "bcd":
            store.get(name)
        assert "a" in store.there()
        other.send_signal(signal.SIGKILL)
    store.use_long_ago("a", 9)
    store.get("e")
    assert "a" not in store.there()


def test_a_damaged_copy_is_fetched_again_and_wrong_bytes_are_refused(store: Store) -> None:
    (path := store.get("a")).write_bytes(b"x" * 10)
    fresh = Store(store.copies.folder.parent)
    assert fresh.get("a").read_bytes() == bytes_of("a")
    assert path.exists()
    with pytest.raises(LakeError, match="far/away/b: differs from its manifest"):
        fresh.get("b", content=b"something")
    assert fresh.there() == {"a"}


def test_a_lake_hands_its_limit_on(tmp_path: Path) -> None:
    import pickle

    lake = pickle.loads(pickle.dumps(Lake(tmp_path, tmp_path / "cache", 123)))
    assert (lake.cache_dir, lake._copies.limit_bytes) == (tmp_path / "cache", 123)
