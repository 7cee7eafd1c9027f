"""Groups of trials on a Dask cluster. What all groups share goes to every worker once; results come back as they are
done. A task costs about a millisecond, so a group (one signal's values and everything judged on them) is a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vp_engine.errors import ConfigError

CONNECT_S = 10


def run_on_cluster(
    scheduler: str, work: Callable[[Any, int, Any], tuple[int, Any]], shared: Any, groups: Sequence[Any]
) -> Iterator[tuple[int, Any]]:
    """`work(shared, position, group)` of every group on the cluster at this address, in order of being done.

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
        spread = client.scatter(shared, broadcast=True, hash=False)
        futures = [client.submit(work, spread, at, group, pure=False) for at, group in enumerate(groups)]
        for done in as_completed(futures):  # type: ignore[no-untyped-call]
            yield done.result()
            done.release()
