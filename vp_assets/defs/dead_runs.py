"""Runs whose process was killed: Dagster's own launcher does not notice when it dies with them.

Every run says in its log which process executes its steps. Where that process is gone, or its number belongs to a
younger one, the run is marked as failed. Only runs of this host are judged.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import dagster as dg

HOST_TAG = "spymaster/host"
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_CLOCK_S = 2.0  # between the clock of the log and that of the processes


def this_host() -> str:
    """Name of this machine or container, as runs of the command line are tagged."""
    return socket.gethostname()


def bury_dead(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs under way as failed whose process on this host is gone; their ids."""
    buried = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        if run.tags.get(HOST_TAG, this_host()) != this_host():
            continue
        found = process_of(instance, run.run_id)
        if found is not None and not lives(*found):
            instance.report_run_failed(run, f"its process {found[0]} was killed")
            buried.append(run.run_id)
    return buried


def process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """(process id, when it said so) of the process that executes a run's steps; None before it has said so."""
    for entry in reversed(instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event is not None else None
        if pid is not None:
            return int(str(pid.value)), entry.timestamp
    return None


def lives(pid: int, said_at: float) -> bool:
    """Whether the process is there and was when it said so; true where the system does not tell."""
    if not Path("/proc/self/stat").exists():
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    fields = stat[stat.rindex(b")") + 2 :].split()
    up_s = float(Path("/proc/uptime").read_text().split()[0])
    began = time.time() - up_s + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return fields[0] != b"Z" and began <= said_at + _CLOCK_S
