"""Nothing is half-written: a writer killed in the middle, a stream that breaks, two writers at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assets.conftest import World, say
from vp_assets.defs.writers import BookReplay, DatasetStream
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.errors import DataError
from vp_engine.lake import Lake, list_datasets, open_dataset, write_dataset
from vp_engine.schema import BinBlock

# Writes the dataset of a pipeline, tells when its first blocks are on disk, and waits for its end.
WRITER = """
import sys, time
from vp_assets.cli import run
from vp_assets.defs.writers import DatasetStream

whole = DatasetStream.__iter__
def slow(self):
    for block in whole(self):
        yield block
        print("block", file=sys.stderr, flush=True)
        time.sleep(60)
DatasetStream.__iter__ = slow
sys.exit(run(["generate", "minute", "--lake-root", sys.argv[1], "--config-dir", sys.argv[2]]))
"""


@pytest.fixture
def bare(world: World, tmp_path: Path) -> Path:
    """A lake with the raw day alone."""
    lake = tmp_path / "lake"
    shutil.copytree(world.lake / "raw", lake / "raw")
    shutil.copytree(world.lake / "dagster", lake / "dagster")
    return lake


@pytest.mark.slow  # the lake's own test of it is an everyday one, as is that of two writers
def test_a_killed_writer_leaves_no_visible_dataset(
    world: World, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", WRITER, str(bare), str(world.configs)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as writer:
        assert writer.stderr is not None
        said = []
        for line in writer.stderr:
            said.append(line)
            if line == "block\n":
                break
        else:
            pytest.fail("".join(said))
        leftovers = list((bare / "research").rglob(".tmp-*"))
        writer.send_signal(signal.SIGKILL)
    assert leftovers
    assert list_datasets(Lake(bare)) == []
    assert "no datasets" in say(capsys, "list-datasets", "--lake-root", bare).out.lower()
    cleaned = say(capsys, "clean", "--lake-root", bare, "--json").data
    assert cleaned["removed"]
    assert not list(bare.rglob(".tmp-*"))
    again = say(capsys, "generate", "minute", "--lake-root", bare, "--config-dir", world.configs, "--json")
    assert [step["store_hit"] for step in again.data["steps"]] == [True, True, False]
    assert again.data["steps"][-1]["address"] == world.run["steps"][2]["address"]


def test_a_stream_that_breaks_commits_nothing(world: World, bare: Path) -> None:
    chain = Chain(load_settings(bare, world.configs, environ={}))
    request = chain.bins("minute", None)

    class Broken(DatasetStream):
        def __iter__(self) -> Iterator[BinBlock]:
            yield from super().__iter__()
            raise DataError("the disk caught fire")

    stream = Broken(request, BookReplay(request.book).checkpoint())
    with pytest.raises(DataError, match="fire"):
        write_dataset(
            chain.lake, stream, config=request.config, capture=request.capture, pipeline="minute",
            address=request.address, inputs={}, counters=lambda: stream.counters,
        )  # fmt: skip
    assert list_datasets(chain.lake) == []
    assert not list(bare.rglob(".tmp-*"))


@pytest.mark.slow
def test_two_writers_of_one_address_leave_one_dataset(world: World, bare: Path) -> None:
    command = [sys.executable, "-m", "vp_assets.cli", "generate", "minute"]
    command += ["--lake-root", str(bare), "--config-dir", str(world.configs), "--json"]
    writers = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ends = [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers]
    assert [code for _, code in ends] == [0, 0], ends
    (info,) = list_datasets(Lake(bare))
    ours = open_dataset(Lake(world.lake), info.address)
    for name in ("bins.parquet", "grid_clean.parquet"):
        assert (info.path / name).read_bytes() == (ours.path / name).read_bytes()
