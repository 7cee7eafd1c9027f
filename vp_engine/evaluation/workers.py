"""Who does the groups of a sweep: this process and its threads, a pool of processes, or a cluster. Results do not
depend on it.

Kernels give up the interpreter's lock, so statistical signals run in threads, which cost nothing to start and share
the dataset. Learning signals spend their time in libraries that do not, and get processes; own signals may end their
process or never return, and get processes too. Those read the dataset from files that all of them map. Flow scores, the
dearest thing a statistical sweep makes, are made once per scoring by whoever is free, and handed to every group that
reads them.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

import numpy as np

from vp_engine.errors import DataError
from vp_engine.evaluation.groups import Evaluator, SweepInput
from vp_engine.evaluation.rows import Counted, Sharing
from vp_engine.evaluation.trials import Trial
from vp_engine.hashing import canonical_json
from vp_engine.signals import get_signal, load_signals, loaded_files
from vp_engine.signals.own import is_from_file
from vp_engine.signals.source import place_of_signal
from vp_engine.spectrum.scoring import Scores

Group = Sequence[Trial]
Done = Callable[[int, Counted], None]  # position of the group, its rows
_FOLDER = "spymaster-sweep-"
STALL_S = 1200.0  # without a trial that ends, after which a sweep in processes is given up


def is_learning(group: Group) -> bool:
    """Whether the group's signal is fitted along the dataset."""
    return get_signal(group[0].signal).kind == "ml"


def is_own(group: Group) -> bool:
    """Whether the group's signal is from a user's file: it may end its process, or never return."""
    return is_from_file(get_signal(group[0].signal))


class Plan:
    """What may be done next: scorings first, since groups wait for them, then what learns, then the rest.

    At most `open_scorings` scorings are held at a time; one is let go when its last group is done.
    """

    def __init__(self, groups: Sequence[Group], open_scorings: int) -> None:
        self._open_scorings = open_scorings
        self._of_scoring: dict[str, set[int]] = {}
        self.key = [canonical_json(group[0].scoring) if group[0].scoring else "" for group in groups]
        for at, key in enumerate(self.key):
            self._of_scoring.setdefault(key, set()).add(at)
        self._groups = groups
        self._ready = deque(self._ordered(self._of_scoring.pop("", set())))
        self._unscored = deque(self._of_scoring)
        self.scores: dict[str, Any] = {}

    def _ordered(self, positions: set[int]) -> list[int]:
        return sorted(positions, key=lambda at: (not is_learning(self._groups[at]), at))

    def next(self) -> str | int | None:
        """A scoring to make (its key), a group to count (its position), or None for now."""
        if self._unscored and len(self.scores) < self._open_scorings:
            key = self._unscored.popleft()
            self.scores[key] = None
            return key
        return self._ready.popleft() if self._ready else None

    def scored(self, key: str, scores: Any) -> None:
        """A scoring is there: its groups may be counted."""
        self.scores[key] = scores
        self._ready = deque(self._ordered({*self._ready, *self._of_scoring[key]}))

    def counted(self, at: int) -> Any:
        """A group is done; the scores that nobody waits for any more, if any."""
        key = self.key[at]
        if key not in self._of_scoring:
            return None
        self._of_scoring[key].discard(at)
        return self.scores.pop(key) if not self._of_scoring[key] else None

    def example(self, key: str) -> Trial:
        """A trial under this scoring."""
        return self._groups[next(iter(self._of_scoring[key]))][0]


class _AtOnce(Executor):
    """Does what is submitted before it returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _drive(
    pool: Executor,
    in_flight: int,
    groups: Sequence[Group],
    score: Callable[[Trial], Any],
    count: Callable[[Group, Any], Counted],
    forget: Callable[[Any], None],
    on_done: Done,
    stall_s: float | None = None,
) -> None:
    """Keep `in_flight` tasks with the pool until every group is counted; what a task raises is raised here.
    TimeoutError if no task ends for `stall_s` seconds."""
    plan, running = Plan(groups, in_flight), dict[Future[Any], str | int]()

    def fill() -> None:
        while len(running) < in_flight:
            task = plan.next()
            if task is None:
                return
            if isinstance(task, str):
                running[pool.submit(score, plan.example(task))] = task
            else:
                running[pool.submit(count, groups[task], plan.scores.get(plan.key[task]))] = task

    fill()
    while running:
        ended = wait(running, stall_s, return_when=FIRST_COMPLETED).done
        if not ended:
            raise TimeoutError
        for future in ended:
            task = running.pop(future)
            result = future.result()
            if isinstance(task, str):
                plan.scored(task, result)
            else:
                used = plan.counted(task)
                if used is not None:
                    forget(used)
                on_done(task, result)
        fill()


def _nothing(_: Any) -> None:
    return None


def count_here(source: SweepInput, sharing: Sharing, groups: Sequence[Group], threads: int, on_done: Done) -> None:
    """Every group in this process."""
    evaluator = Evaluator(source, sharing)
    if threads <= 1:
        _drive(_AtOnce(), 1, groups, evaluator.scores, evaluator.count, _nothing, on_done)
        return
    pool = ThreadPoolExecutor(threads, "sweep")
    try:
        _drive(pool, threads, groups, evaluator.scores, evaluator.count, _nothing, on_done)
    finally:
        pool.shutdown(cancel_futures=True)


_worker: tuple[Evaluator, Path] | None = None


def _start_worker(folder: Path, own_signals: Sequence[Path]) -> None:
    """Open what the parent left in `folder`, and end when it does, however it ends."""
    global _worker
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    load_signals(own_signals)
    config, names, sharing = pickle.loads((folder / "config.pickle").read_bytes())
    columns = {name: _mapped(folder / f"{name}.npy") for name in names}
    source = SweepInput(config, _mapped(folder / "bins.npy"), columns)
    _worker = Evaluator(source, sharing), folder


def _mapped(path: Path) -> np.ndarray:
    """An array in a file, its pages shared by all who map it. Plain and writable to numba, though never written."""
    return np.asarray(np.load(path, mmap_mode="c"))


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _score_to_files(trial: Trial) -> str:
    """Make the scores of a trial's scoring; the name they lie under."""
    assert _worker is not None
    evaluator, folder = _worker
    scores = evaluator.scores(trial)
    handle, name = tempfile.mkstemp(dir=folder, prefix="scores-")
    os.close(handle)
    np.save(f"{name}.score.npy", scores.flow_score)
    np.save(f"{name}.state.npy", scores.flow_state_code)
    return name


def _count_from_files(group: Group, name: str | None) -> Counted:
    assert _worker is not None
    if name is None:
        return _worker[0].count(group)
    score, state = _mapped(Path(f"{name}.score.npy")), _mapped(Path(f"{name}.state.npy"))
    return _worker[0].count(group, Scores(score, state, np.zeros((0, *score.shape), np.float32)))


def _forget_files(name: str) -> None:
    for end in ("", ".score.npy", ".state.npy"):
        Path(name + end).unlink(missing_ok=True)


def _sweep_leftovers(root: Path) -> None:
    """Delete the folders of processes that were killed."""
    for folder in root.glob(f"{_FOLDER}*"):
        pid = folder.name.removeprefix(_FOLDER).split("-")[0]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue


@contextmanager
def _shared(source: SweepInput, sharing: Sharing) -> Iterator[Path]:
    """A folder that processes map the dataset from, while the context lasts."""
    root = Path(tempfile.gettempdir())
    _sweep_leftovers(root)
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", dir=root) as name:
        folder = Path(name)
        np.save(folder / "bins.npy", source.bins)
        for column, values in source.columns.items():
            np.save(folder / f"{column}.npy", values)
        (folder / "config.pickle").write_bytes(pickle.dumps((source.config, tuple(source.columns), sharing)))
        yield folder


def count_in_processes(
    source: SweepInput, sharing: Sharing, groups: Sequence[Group], workers: int, on_done: Done
) -> None:
    """Every group in a pool of fresh processes: the caller may hold threads and locks that a fork would freeze."""
    with _shared(source, sharing) as folder:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(folder, loaded_files()))
        try:
            # One more than there are workers, so that none waits for the next task to arrive.
            _drive(pool, workers + 1, groups, _score_to_files, _count_from_files, _forget_files, on_done, STALL_S)
        except BrokenExecutor as error:
            raise DataError(
                f"a worker process of the sweep died: it was killed, ran out of memory, or {_suspects(groups)} ended "
                "it; run the same again, which goes on where it was, with `parallel: {max_workers: 1}` where memory is "
                "short"
            ) from error
        except TimeoutError:
            _kill(pool)
            raise DataError(
                f"no trial of the sweep has ended for {STALL_S / 60:g} minutes: {_suspects(groups)} does not return, "
                "or the machine is too busy; run the same again, which goes on where it was"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _suspects(groups: Sequence[Group]) -> str:
    """What in these groups may end a process: own signals by name, file and line, or else a library."""
    kinds = {group[0].signal: get_signal(group[0].signal) for group in groups if is_own(group)}
    named = ", ".join(f"signal `{name}` ({place_of_signal(kind)})" for name, kind in sorted(kinds.items()))
    return named or "a library in it"


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the workers of a pool, whom its shutdown would wait for (`kill_workers` from Python 3.14 on)."""
    for process in list((pool._processes or {}).values()):
        process.kill()


def run_groups(
    source: SweepInput,
    sharing: Sharing,
    groups: Sequence[Group],
    workers: int,
    scheduler: str | None,
    on_done: Done,
) -> None:
    """Count every group; on_done(position, rows) is called in this thread, in the order in which they are ready."""
    if not groups:
        return
    if scheduler is not None:
        from vp_engine.evaluation.cluster import count_on_cluster

        count_on_cluster(scheduler, source, sharing, groups, on_done)
    elif any(is_own(group) or (workers > 1 and is_learning(group)) for group in groups):
        count_in_processes(source, sharing, groups, max(workers, 1), on_done)
    else:
        count_here(source, sharing, groups, workers, on_done)
