"""A real Dagster on loopback: webserver and daemon as processes, spoken to through the API that the UI uses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import dagster as dg

from vp_assets.runs.in_process import open_instance
from vp_assets.settings import load_settings

MODULE = "vp_assets.defs.definitions"
LOCATION = {"repositoryLocationName": MODULE, "repositoryName": "__repository__"}

LAUNCH = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message } } } }"""
SWITCH = """mutation ($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) {
  __typename ... on PythonError { message } ... on ScheduleStateResult { scheduleState { status } } } }"""

RUN = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message } } }"""
RETRY = """mutation ($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN_STATE = """query ($id: ID!) { runOrError(runId: $id) { ... on Run { status
  stepStats { stepKey status } assetMaterializations { assetKey { path } } } } }"""
FAILURES = """query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { stepKey error { message causes { message } } } } } } }"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class House:
    """Webserver and daemon over one lake and its Dagster home; `with` ends every process it started."""

    def __init__(self, lake: Path, configs: Path, environ: Mapping[str, str] | None = None) -> None:
        self.lake = lake
        self.environ = {
            **os.environ,
            "VP_LAKE_ROOT": str(lake),
            "VP_CONFIG_DIR": str(configs),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
            **(environ or {}),
        }
        self.settings = load_settings(environ=self.environ)
        self.environ["DAGSTER_HOME"] = str(self.settings.dagster_home)
        open_instance(self.settings).dispose()
        self.port = free_port()
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> House:
        self.start_webserver()
        self.start_daemon()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGTERM)

    def _start(self, program: str, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name(program)), *arguments, "-m", MODULE]
        log = (self.settings.dagster_home / f"{program}.log").open("ab")
        self._started.append(
            subprocess.Popen(command, env=self.environ, cwd=self.lake, stdout=log, stderr=log, start_new_session=True)
        )

    def start_webserver(self) -> None:
        """Start it and wait until it answers."""
        self._start("dagster-webserver", "-h", "127.0.0.1", "-p", str(self.port))
        self.wait(lambda: self._answers(), 120)

    def start_daemon(self) -> None:
        """Start it."""
        self._start("dagster-daemon", "run")

    def end(self, how: signal.Signals) -> None:
        """End every process of every group that was started."""
        for process in self._started:
            try:
                os.killpg(process.pid, how)
            except ProcessLookupError:
                continue
        for process in self._started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        self._started.clear()

    def _answers(self) -> bool:
        try:
            return bool(self.ask("{ version }")["version"])
        except OSError:
            return False

    def ask(self, query: str, **variables: Any) -> Any:
        """Data of one GraphQL request."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            document = json.load(answer)
        assert "errors" not in document, document["errors"]
        return document["data"]

    def wait(self, done: Callable[[], Any], seconds: float) -> Any:
        """What `done` returns once it is true; fails after so many seconds."""
        until = time.monotonic() + seconds
        while not (found := done()):
            assert time.monotonic() < until, f"nothing after {seconds:.0f} s; logs in {self.settings.dagster_home}"
            time.sleep(0.5)
        return found

    def launch(self, assets: Sequence[str], days: Sequence[str]) -> str:
        """Launch a backfill as the UI does; its id."""
        params = {
            "assetSelection": [{"path": asset.split("/")} for asset in assets],
            "partitionNames": list(days),
        }
        said = self.ask(LAUNCH, params=params)["launchPartitionBackfill"]
        assert said["__typename"] == "LaunchBackfillSuccess", said
        return str(said["backfillId"])

    def launch_run(self, assets: Sequence[str], day: str) -> str:
        """Launch one run over one partition, as the UI does for a selection of assets; its id."""
        selection = [{"path": asset.split("/")} for asset in assets]
        params = {
            "selector": {
                **LOCATION,
                "jobName": "__ASSET_JOB",
                "assetSelection": selection,
                "assetCheckSelection": None,
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
            "runConfigData": {},
        }
        said = self.ask(RUN, params=params)["launchPipelineExecution"]
        assert said["__typename"] == "LaunchRunSuccess", said
        return str(said["run"]["runId"])

    def retry(self, run_id: str, strategy: str = "FROM_FAILURE") -> str:
        """Run again from where a run failed, as the UI's button does; the new run's id."""
        said = self.ask(RETRY, params={"parentRunId": run_id, "strategy": strategy})["launchRunReexecution"]
        assert said["__typename"] == "LaunchRunSuccess", said
        return str(said["run"]["runId"])

    def finished(self, run_id: str) -> dict[str, Any] | None:
        """Status of a run that is over, its steps and what it materialised; else None."""
        run: dict[str, Any] = self.ask(RUN_STATE, id=run_id)["runOrError"]
        return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

    def failures(self, run_id: str) -> list[str]:
        """What the failed steps of a run say, causes included."""
        events = self.ask(FAILURES, id=run_id)["logsForRun"]["events"]
        errors = [event["error"] for event in events if event.get("error")]
        return [
            message
            for error in errors
            for message in (error["message"], *(cause["message"] for cause in error["causes"]))
        ]

    def failures_of_backfill(self, backfill: str) -> dict[str, list[str]]:
        """What the failed steps of its failed runs say, by partition."""
        with dg.DagsterInstance.from_config(str(self.settings.dagster_home)) as instance:
            runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))
        return {run.tags["dagster/partition"]: self.failures(run.run_id) for run in runs if run.is_failure}

    def ended(self, backfill: str) -> str | None:
        """Status of a backfill that is over, else None."""
        status = str(self.ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"])
        return None if status in ("REQUESTED", "CANCELING") else status

    def switch_on(self, schedule: str) -> None:
        """The switch of the UI."""
        said = self.ask(SWITCH, selector={**LOCATION, "scheduleName": schedule})["startSchedule"]
        assert said["__typename"] == "ScheduleStateResult", said
