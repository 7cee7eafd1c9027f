"""Who does a sweep's groups: in which order, how often scores are made, and that files and processes change nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from evaluation_lake import CONFIG, SERVING, experiment, make_lake

from vp_engine.errors import ConfigError, DataError
from vp_engine.evaluation import expand
from vp_engine.evaluation import workers as workers_module
from vp_engine.evaluation.groups import Evaluator, sweep_input
from vp_engine.evaluation.rows import COUNTED, Sharing
from vp_engine.evaluation.workers import Plan, _sweep_leftovers, count_here, count_in_processes, run_groups
from vp_engine.signals import load_signals, own
from vp_engine.signals import registry as registry_module

PIECE = Sharing(50)


def groups_of(signals: list[str], **sweep) -> list[list]:
    """One group for each set of values of an experiment."""
    found: dict[str, list] = {}
    for trial in expand(experiment(signals=signals, sweep=sweep), SERVING, CONFIG):
        found.setdefault(trial.values_key, []).append(trial)
    return list(found.values())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("lake"))[1]


@pytest.fixture(scope="module")
def groups():
    return groups_of(["derivative", "erd"], scoring={"zscore_window_bins": [80, 120, 300]})


def collected(run, *given) -> dict[int, object]:
    found = {}
    run(*given, lambda at, rows: found.update({at: rows}))
    return found


def test_scorings_come_first_and_few_are_held_at_a_time(groups):
    plan = Plan(groups, 2)
    scored = [at for at, group in enumerate(groups) if group[0].scoring]
    assert len(scored) == 3 < len(groups)
    first, second = plan.next(), plan.next()
    assert isinstance(first, str)
    assert isinstance(second, str)
    rest = [plan.next() for _ in range(len(groups) - len(scored))]
    assert all(isinstance(at, int) and not groups[at][0].scoring for at in rest)
    assert plan.next() is None  # a third scoring would be one too many
    plan.scored(first, "scores")
    at = plan.next()
    assert plan.key[at] == first
    assert plan.counted(at) == "scores"  # nobody else reads them
    assert isinstance(plan.next(), str)


def test_what_learns_is_begun_before_what_is_quick():
    made = groups_of(["msd", "knn_cl", "ads"])
    plan = Plan(made, 2)
    order = [made[at][0].signal for at in iter(plan.next, None)]
    assert order[0] == "knn_cl"
    assert set(order) == {"msd", "knn_cl", "ads"}


@pytest.mark.parametrize("threads", [1, 2])
def test_every_scoring_is_scored_once(dataset, groups, threads, monkeypatch):
    made, scores = [], Evaluator.scores
    monkeypatch.setattr(Evaluator, "scores", lambda self, trial: made.append(trial.scoring) or scores(self, trial))
    source = sweep_input(dataset, ["derivative", "erd"])
    found = collected(count_here, source, PIECE, groups, threads)
    assert sorted(found) == list(range(len(groups)))
    assert sorted(one["zscore_window_bins"] for one in made) == [80, 120, 300]


def test_processes_that_map_files_count_the_same(dataset, groups):
    source = sweep_input(dataset, ["derivative", "erd"])
    here = collected(count_here, source, PIECE, groups, 1)
    there = collected(count_in_processes, source, PIECE, groups, 2)
    assert sorted(here) == sorted(there)
    for at, rows in here.items():
        assert np.array_equal(rows.trial, there[at].trial)
        assert np.array_equal(rows.pieces, there[at].pieces)
        for name in COUNTED:
            assert np.array_equal(rows.figures[name], there[at].figures[name], equal_nan=True), name


def test_what_a_thread_raises_is_raised(dataset, groups):
    bad = [[trial._replace(thresholds=(-1.0,)) for trial in groups[0]], *groups[1:]]
    for threads in (1, 2):
        with pytest.raises(ConfigError, match="`threshold`"):
            collected(count_here, sweep_input(dataset, ["derivative", "erd"]), PIECE, bad, threads)


def test_files_of_a_killed_sweep_are_swept_by_the_next(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left, own = (tmp_path / f"spymaster-sweep-{pid}-x" for pid in (int(gone.stdout), os.getpid()))
    for folder in (left, own):
        folder.mkdir()
    _sweep_leftovers(tmp_path)
    assert not left.exists()
    assert own.is_dir()


LATE_ENDS = [
    ("os._exit(0)", r"a worker process of the sweep died: .* or signal `ending` \(.*ending.py, line 6\) ended it"),
    (
        "while True: pass",
        r"no trial of the sweep has ended for .* signal `ending` \(.*ending.py, line 6\) does not return",
    ),
]


@pytest.mark.parametrize(("line", "words"), LATE_ENDS, ids=[line for line, _ in LATE_ENDS])
@pytest.mark.parametrize("workers", [1, 2])
def test_sweep_when_an_own_signal_ends_or_hangs_its_process_late_then_one_error_names_it(
    dataset, tmp_path, monkeypatch, line, words, workers
):
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
    monkeypatch.setattr(own, "_files", {})
    monkeypatch.setattr(workers_module, "STALL_S", 15.0 if "while" in line else 300.0)
    file = tmp_path / "ending.py"
    file.write_text(f"""
import os
from vp_engine.signals import Signal, SignalParams
class Ending(Signal):
    name, columns, Params, default_thresholds = "ending", (), SignalParams, (1.0,)
    def update(self, block, scores=None):
        if block.bins["bin_seq"][0] > 600:
            {line}
        return block.bins["mid_price"] * 1.0
""")
    load_signals([file])
    source = sweep_input(dataset, ["ending"])
    with pytest.raises(DataError, match=words):
        run_groups(source, PIECE, groups_of(["ending"]), workers, None, lambda *_: None)
