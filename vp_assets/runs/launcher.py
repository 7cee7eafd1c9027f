"""Runs on this machine, each a process of its own that begins as a copy of one that has imported everything.

Dagster's own launcher starts an interpreter per run and waits, one run after the other, until it has imported the
assets: seconds of a core for a day that takes one. Here a copy takes milliseconds, and the run in it is as alone as in
an interpreter of its own: it can crash, be killed or leak, and nobody else notices. Code that has changed since it was
imported is not trusted: such a run starts an interpreter after all. For one machine; containers keep Dagster's own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

import dagster as dg

from vp_assets.dagster_internals import (
    ConfigurableClass,
    ConfigurableClassData,
    EngineEventData,
    ExecuteRunArgs,
    LaunchRunContext,
    RunLauncher,
    execute_run,
    serialize_value,
)
from vp_assets.defs.dead_runs import HOST_TAG, lives, process_of, this_host

PREPARED = "vp_assets.runs.preload"


class PreparedRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """For `run_launcher` of a dagster.yaml; without configuration."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._nursery: ForkServerContext | None = None
        self._started: list[ForkServerProcess] = []
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What Dagster made it from."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> PreparedRunLauncher:
        """One of an instance."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process and return; what happens in it, it says itself."""
        run, origin = context.dagster_run, context.job_code_origin
        if origin is None:
            raise dg.DagsterInvariantViolationError(f"run {run.run_id} does not say where its code is")
        asked = serialize_value(ExecuteRunArgs(origin, run.run_id, self._instance.get_ref()))
        self._started = [process for process in self._started if process.is_alive()]
        process = self._prepared().Process(
            target=execute, args=(origin.executable_path, asked), name=f"run {run.run_id}"
        )
        self._instance.add_run_tags(run.run_id, {HOST_TAG: this_host()})
        process.start()
        self._started.append(process)
        self._instance.report_engine_event(
            f"Copied a prepared process for the run (pid: {process.pid}).",
            run,
            EngineEventData.in_process(process.pid or 0),
        )

    def terminate(self, run_id: str) -> bool:
        """Ask the run's process to end; False if there is none on this machine any more."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or run.tags.get(HOST_TAG) != this_host():
            return False
        found = process_of(self._instance, run_id)
        if found is None or not lives(*found):
            return False
        self._instance.report_run_canceling(run)
        os.kill(found[0], signal.SIGTERM)
        return True

    def _prepared(self) -> ForkServerContext:
        """Where processes come from; the first call starts the one that is copied."""
        if self._nursery is None:
            self._nursery = multiprocessing.get_context("forkserver")
            self._nursery.set_forkserver_preload([PREPARED])
        return self._nursery


def execute(executable: str, asked: str) -> None:
    """In the copy: `dagster api execute_run`, in an interpreter of its own if a file has changed since, or if the code
    is another interpreter's."""
    from vp_assets.runs import preload

    if executable != sys.executable or preload.is_stale():
        os.execv(executable, [executable, "-m", "dagster", "api", "execute_run", asked])
    execute_run(asked)
