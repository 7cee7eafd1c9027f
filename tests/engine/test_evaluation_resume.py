"""A sweep that was stopped goes on with what is missing, and ends with the tables of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from evaluation_lake import CONFIG, SERVING, experiment, make_lake, same_tables

from vp_engine.evaluation import evaluate, expand
from vp_engine.evaluation.groups import Evaluator
from vp_engine.lake import paths
from vp_engine.lake.parts import SweepParts
from vp_engine.lake.results import ResultsDB

SWEEP = "cd" * 32


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def trials():
    return expand(experiment(), SERVING, CONFIG)


@pytest.fixture(scope="module")
def whole(world, trials):
    return evaluate(world[1], trials, sweep_address=SWEEP, experiment=experiment(), serving=SERVING)


def again(dataset, trials, kept, monkeypatch) -> tuple[object, list[int], list[tuple[int, int]]]:
    """(result, trials counted in each group, progress) of a sweep over what was kept."""
    counted, seen, count = [], [], Evaluator.count
    monkeypatch.setattr(
        Evaluator, "count", lambda self, group, *more: counted.append(len(group)) or count(self, group, *more)
    )
    result = evaluate(
        dataset, trials, lambda *at: seen.append(at), sweep_address=SWEEP, experiment=experiment(), serving=SERVING,
        kept=kept,
    )  # fmt: skip
    return result, counted, seen


def test_a_killed_sweep_counts_only_what_is_missing(world, trials, whole, monkeypatch):
    lake, dataset = world
    started = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("killed_sweep.py")), str(lake.root), SWEEP, "2"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    done = int(started.stdout.readline())
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stdout.close()
    assert 8 <= done < 16
    result, counted, seen = again(dataset, trials, SweepParts(lake, SWEEP), monkeypatch)
    assert (sum(counted), seen[0], seen[-1]) == (16 - done, (done, 16), (16, 16))
    assert same_tables(result.runs_meta, whole.runs_meta)
    assert same_tables(result.runs, whole.runs)
    folder = lake.path(paths.parts_dir(SWEEP))
    assert folder.is_dir()
    ResultsDB(lake).write(SWEEP, *result)
    assert not folder.exists()


def test_an_interrupt_loses_nothing(world, trials, whole, monkeypatch):
    """Rows that still waited for their file are written on the way out."""
    lake, dataset = world
    kept = SweepParts(lake, "ce" * 32, every_s=3600.0)

    def stop(done: int, total: int) -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset, trials, stop, kept=kept, max_workers=1)
    result, counted, _ = again(dataset, trials, SweepParts(lake, "ce" * 32), monkeypatch)
    assert counted == [4]
    assert same_tables(result.runs, whole.runs)


def test_what_cannot_be_read_or_is_of_another_shape_is_counted_again(world, trials, whole, monkeypatch):
    lake, dataset = world
    address = "cf" * 32
    kept = SweepParts(lake, address, every_s=0.0)
    evaluate(dataset, trials, kept=kept)
    files = sorted(lake.path(paths.parts_dir(address)).iterdir())
    assert len(files) == 4
    files[0].write_bytes(b"PAR1")
    result, counted, _ = again(dataset, trials, SweepParts(lake, address), monkeypatch)
    assert counted == [4]
    assert same_tables(result.runs, whole.runs)

    class Older:
        """Kept by a version whose rows said less."""

        added = flushed = 0

        def read(self) -> pa.Table:
            return SweepParts(lake, address).read().drop_columns(["n_effective"])

        def add(self, part: pa.Table) -> None:
            self.added += part.num_rows

        def flush(self) -> None:
            self.flushed += 1

    older = Older()
    result = evaluate(dataset, trials, sweep_address=SWEEP, experiment=experiment(), serving=SERVING, kept=older)
    assert (older.added, older.flushed) == (48, 1)
    assert same_tables(result.runs, whole.runs)


def test_two_attempts_that_kept_the_same_runs_count_once(world, trials, whole):
    lake, dataset = world
    twice = SweepParts(lake, "d0" * 32)
    evaluate(dataset, trials, kept=twice)
    held = twice.read()

    class Doubled:
        def read(self) -> pa.Table:
            return pa.concat_tables([held, held])

        def add(self, part: pa.Table) -> None:
            raise AssertionError("nothing is missing")

        def flush(self) -> None:
            pass

    result = evaluate(dataset, trials, sweep_address=SWEEP, experiment=experiment(), serving=SERVING, kept=Doubled())
    assert same_tables(result.runs, whole.runs)
    assert same_tables(result.runs_meta, whole.runs_meta)
