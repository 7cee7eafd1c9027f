"""Many days of pipelines and experiments, one after the other, in this process. A day that fails stops no other.

What the lake holds and Dagster knows of costs a look-up and no run.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vp_assets.errors import user_line
from vp_assets.research.requests import Chain
from vp_assets.runs.in_process import Runner, chain_keys
from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.lake import find_dataset

NEW, THERE, CLOSED, FAILED = "new", "was there", "no session", "failed"


class Task(NamedTuple):
    """One day of a pipeline, with the experiments that are to be swept over it."""

    pipeline: str
    day: str
    experiments: tuple[str, ...]


class Outcome(NamedTuple):
    """What became of a task; `problem` says why it failed."""

    task: Task
    state: str
    seconds: float
    address: str | None = None
    problem: str | None = None


def tasks(chain: Chain, names: Sequence[str], first: dt.date, last: dt.date) -> list[Task]:
    """Days of the named pipelines and experiments in [first, last], day by day; without names, of every pipeline that
    has no day of its own. ConfigError for an empty span, NotFoundError for a name that is neither."""
    if last < first:
        raise ConfigError(f"`--to` must not lie before `--from`, was {last} against {first}")
    wanted: dict[str, list[str]] = {}
    for name in names or sorted(name for name, spec in chain.specs.pipelines.items() if spec.capture.dt is None):
        if name in chain.specs.experiments:
            chain.check_experiment(name)
            wanted.setdefault(chain.specs.pipeline_of(name).name, []).append(name)
        else:
            wanted.setdefault(chain.specs.pipelines[name].name, [])
    days = [(first + dt.timedelta(days=offset)).isoformat() for offset in range((last - first).days + 1)]
    return [
        Task(pipeline, day, tuple(experiments))
        for day in days
        for pipeline, experiments in wanted.items()
        if chain.specs.pipelines[pipeline].capture.dt in (None, day)
    ]


def run(chain: Chain, runner: Runner, work: Sequence[Task], report: Callable[[str, int, int], None]) -> list[Outcome]:
    """Do the tasks in order."""
    done = []
    known: dict[str, dict[str, str]] = {}
    for at, task in enumerate(work):
        report("days", at, len(work))
        began = time.perf_counter()
        try:
            state, address = _one(chain, runner, task, known)
            done.append(Outcome(task, state, time.perf_counter() - began, address))
        except Exception as error:  # one day's trouble, whatever it is, is that day's
            done.append(Outcome(task, FAILED, time.perf_counter() - began, problem=user_line(error)))
    report("days", len(work), len(work))
    return done


def _one(chain: Chain, runner: Runner, task: Task, known: dict[str, dict[str, str]]) -> tuple[str, str | None]:
    """State and address of one task."""
    try:
        request = chain.bins(task.pipeline, task.day)
    except NotFoundError:
        if chain.no_session(task.pipeline, task.day) is not None:
            return CLOSED, None
        raise
    if _is_there(chain, request.address) and all(
        key in known.setdefault(name, runner.data_versions(name)).items() for name, key in _recorded(chain, task)
    ):
        return THERE, request.address
    steps = runner.materialize_day(task.pipeline, task.day, chain_keys(task.pipeline, task.experiments))
    made = [step for step in steps if step.key != "raw_dbn"]
    return (THERE if all(step.store_hit for step in made) else NEW), request.address


def _is_there(chain: Chain, address: str) -> bool:
    """Whether a dataset is committed; a damaged one is made again."""
    try:
        return find_dataset(chain.lake, address) is not None
    except LakeError:
        return False


def _recorded(chain: Chain, task: Task) -> Iterator[tuple[str, tuple[str, str]]]:
    """(asset, (day, address)) of everything that the task makes; a sweep that is not committed has no address yet."""
    yield f"{task.pipeline}/bins", (task.day, chain.bins(task.pipeline, task.day).address)
    for experiment in task.experiments:
        swept = chain.swept(experiment, task.day)
        yield f"{experiment}/sweep", (task.day, swept.address if swept is not None else "")
