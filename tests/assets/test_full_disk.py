"""A disk that is full or cannot be written gives one clear line; what was there stays, nothing is half-visible."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assets.conftest import Said, World, say
from vp_engine.lake import Lake, list_datasets
from vp_engine.lake.verify import verify_all


class Disk:
    """A small file system of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._mounted: list[Path] = []
        self._mount(place, "-t", "tmpfs", "-o", "size=4m", "none")

    def grow(self) -> None:
        """More room."""
        self._run("mount", "-o", "remount,size=64m", str(self.place))

    def read_only(self) -> Path:
        """The same files where nothing can be written."""
        view = self.place.with_name("view")
        self._mount(view, "--bind", "-o", "ro", str(self.place))
        return view

    def close(self) -> None:
        """Unmount."""
        for place in reversed(self._mounted):
            self._run("umount", "--lazy", str(place))  # this process may hold mapped files

    def _mount(self, place: Path, *options: str) -> None:
        place.mkdir()
        self._run("mount", *options, str(place))
        self._mounted.append(place)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"`{' '.join(command[:2])}` is not allowed here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """4 MB; skipped where nobody may mount."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system of its own wants root")
    made = Disk(tmp_path / "disk")
    try:
        yield made
    finally:
        made.close()


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def clear(said: Said, *words: str) -> None:
    """One line that says what is wrong."""
    assert (said.code, said.err.count("\n")) == (2, 1), said
    assert all(word in said.err.casefold() for word in words), said.err


@pytest.mark.slow
def test_a_full_disk_and_a_read_only_one(
    world: World,
    disk: Disk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lake = disk.place / "lake"
    shutil.copytree(world.lake / "raw", lake / "raw")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    vp = ("--lake-root", lake, "--config-dir", world.configs)

    before = files(lake)
    clear(say(capsys, "generate", "minute", *vp), "the disk is full; free some space", "__minute__")
    held = files(lake)
    assert {name: held[name] for name in before} == before
    assert not list(lake.rglob(".tmp-*"))
    assert list_datasets(Lake(lake)) == []
    clear(say(capsys, "sample", "--day", "2026-02-09", *vp), "full")
    assert not list(lake.rglob(".tmp-*"))

    disk.grow()
    done = say(capsys, "generate", "minute", *vp, "--json").data
    assert done["steps"][-1]["address"] == world.run["steps"][2]["address"]

    lake = disk.read_only() / "lake"
    vp = ("--lake-root", lake, "--config-dir", world.configs)
    before = files(lake)
    clear(say(capsys, "run", "minute_sweep", *vp), "read-only")
    clear(say(capsys, "generate", "every_day", "--day", "2026-02-06", *vp), "read-only")
    assert say(capsys, "list-datasets", *vp).code == 0
    assert say(capsys, "sql", "SELECT count(*) FROM bins", *vp).code == 0
    assert files(lake) == before
    assert {verdict.problem for verdict in verify_all(Lake(lake))} == {None}
