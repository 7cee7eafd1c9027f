"""Runs as copies of a prepared process, never with code that has changed since. `test_daemon` sees them at work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from vp_assets.defs.dead_runs import HOST_TAG, this_host
from vp_assets.runs import launcher, preload
from vp_assets.runs.in_process import open_instance
from vp_assets.runs.launcher import PreparedRunLauncher
from vp_assets.settings import load_settings


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as a new lake gets it."""
    with open_instance(load_settings(tmp_path / "lake", environ={})) as made:
        yield made


def test_a_new_lake_launches_from_a_prepared_process(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.run_launcher, PreparedRunLauncher)
    assert isinstance(instance.run_coordinator, dg.QueuedRunCoordinator)
    assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 2


@pytest.mark.parametrize("other", [False, True])
def test_code_that_changed_since_or_is_anothers_is_not_run(monkeypatch: pytest.MonkeyPatch, other: bool) -> None:
    assert not preload.is_stale()
    program = "/another/python" if other else sys.executable
    if not other:
        monkeypatch.setitem(preload._IMPORTED, next(iter(preload._IMPORTED)), (0, 0))
        assert preload.is_stale()
    said: list[Sequence[str]] = []

    def execv(program: str, arguments: Sequence[str]) -> None:
        said.append((program, *arguments))
        raise SystemExit  # as the call never comes back

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(SystemExit):
        launcher.execute(program, "{}")
    assert said == [(program, program, "-m", "dagster", "api", "execute_run", "{}")]


def test_a_run_is_ended_by_its_process_and_only_on_its_host(instance: dg.DagsterInstance) -> None:
    def started(host: str, pid: int) -> dg.DagsterRun:
        made = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={HOST_TAG: host})
        instance.report_engine_event("started", made, EngineEventData.in_process(pid))
        return made

    @dg.job
    def job() -> None:
        pass

    # Where SIGINT is ignored, as in a script's background, Dagster ignores SIGTERM too, and children inherit that.
    sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_DFL); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        elsewhere, here = started("elsewhere", process.pid), started(this_host(), process.pid)
        assert not instance.run_launcher.terminate(elsewhere.run_id)
        assert process.poll() is None
        assert instance.run_launcher.terminate(here.run_id)
        assert process.wait(20) < 0
    assert instance.get_run_by_id(here.run_id).status == dg.DagsterRunStatus.CANCELING
    assert not instance.run_launcher.terminate(here.run_id)
