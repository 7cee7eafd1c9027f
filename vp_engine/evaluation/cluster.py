"""Groups of trials on a Dask cluster. What all groups share goes to every worker once, the scores of a scoring are
made by one worker and go where they are read; results come back as they are done. A task costs about a millisecond,
so a group (one signal's values and everything judged on them) is a task.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vp_engine.errors import ConfigError
from vp_engine.evaluation.groups import Evaluator, SweepInput
from vp_engine.evaluation.rows import Counted, Sharing
from vp_engine.evaluation.trials import Trial
from vp_engine.hashing import canonical_json
from vp_engine.signals import load_signals, loaded_files
from vp_engine.spectrum.scoring import Scores

CONNECT_S = 10


class _Shared(NamedTuple):
    """What every group of a sweep needs."""

    token: str
    source: SweepInput
    sharing: Sharing
    own_signals: tuple[Path, ...]


_thread = threading.local()  # a cluster's worker may run several threads, each keeps the evaluator of one sweep


def _evaluator(shared: _Shared) -> Evaluator:
    if getattr(_thread, "token", None) != shared.token:
        load_signals(shared.own_signals)
        _thread.evaluator, _thread.token = Evaluator(shared.source, shared.sharing), shared.token
    found: Evaluator = _thread.evaluator
    return found


def _score(shared: _Shared, trial: Trial) -> Scores:
    return _evaluator(shared).scores(trial)


def _count(shared: _Shared, at: int, group: Sequence[Trial], scores: Scores | None) -> tuple[int, Counted]:
    return at, _evaluator(shared).count(group, scores)


def count_on_cluster(
    scheduler: str,
    source: SweepInput,
    sharing: Sharing,
    groups: Sequence[Sequence[Trial]],
    on_done: Callable[[int, Counted], None],
) -> None:
    """Count every group on the cluster at this address; on_done(position, rows) in the order of being done.

    Workers need this package of the same version. ConfigError if nobody answers there or the cluster has no workers;
    what a task raises is raised here.
    """
    from distributed import Client, as_completed

    try:
        client: Any = Client(scheduler, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:  # a timeout is an OSError too
        raise ConfigError(f"no Dask scheduler answers at `{scheduler}` ({error}); check VP_DASK_SCHEDULER") from None
    with client, client.as_current():
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise ConfigError(f"the Dask cluster at `{scheduler}` has no workers; start one")
        everything = _Shared(uuid.uuid4().hex, source, sharing, loaded_files())
        spread = client.scatter(everything, broadcast=True, hash=False)
        scores: dict[str, Any] = {}
        futures = []
        for at, group in enumerate(groups):
            key, read = canonical_json(group[0].scoring), None
            if group[0].scoring:
                if key not in scores:
                    scores[key] = client.submit(_score, spread, group[0], pure=False)
                read = scores[key]
            futures.append(client.submit(_count, spread, at, group, read, pure=False))
        scores.clear()  # the cluster keeps them as long as a group needs them
        for done in as_completed(futures):  # type: ignore[no-untyped-call]
            on_done(*done.result())
            done.release()
