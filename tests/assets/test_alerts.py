"""A failed run is told: by one line in the log, and over real HTTP where a webhook is configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from pydantic import SecretStr

from tests.assets.conftest import write_configs
from vp_assets.defs import alerts
from vp_assets.defs.dead_runs import HOST_TAG, bury_dead, this_host
from vp_assets.defs.definitions import build_definitions
from vp_assets.defs.sensors import build_sensors
from vp_assets.research.requests import Chain
from vp_assets.runs.in_process import Runner
from vp_assets.settings import load_settings
from vp_engine.errors import NotFoundError

SECRET = "/hooks/T0P-s3cret"
FAILURE = alerts.Failure("0123456789abcdef", "every_day", "2026-02-06", ["minute/bins"], "it broke", "schedule")


class Hook:
    """A webhook on loopback: what it was told, and how it answers."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.answers: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.answers.pop(0) if hook.answers else 200
                if status == 200:
                    hook.told.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = SecretStr(f"http://127.0.0.1:{self.server.server_port}{SECRET}")


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_webhook_gets_a_line_for_people_and_the_facts(hook: Hook) -> None:
    assert alerts.post(hook.url, FAILURE) is None
    path, kind, body = hook.told[0]
    assert (path, kind) == (SECRET, "application/json")
    assert body["text"] == "Spymaster: minute/bins of 2026-02-06 failed: it broke (run 01234567)"
    assert (body["run_id"], body["day"], body["by"]) == (FAILURE.run_id, "2026-02-06", "schedule")


def test_a_webhook_that_stumbles_is_asked_again(hook: Hook) -> None:
    hook.answers = [500, 503]
    assert alerts.post(hook.url, FAILURE, wait_s=0.0) is None
    assert len(hook.told) == 1


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9/hooks/T0P-s3cret", "nonsense/T0P-s3cret"])
def test_a_webhook_that_fails_is_named_without_its_secret(hook: Hook, url: str | None) -> None:
    hook.answers = [500] * alerts.TRIES
    problem = alerts.post(hook.url if url is None else SecretStr(url), FAILURE, wait_s=0.0)
    assert problem is not None
    assert "did not take the alert" in problem
    assert "s3cret" not in problem


def test_settings_do_not_show_the_webhook(hook: Hook) -> None:
    settings = load_settings(environ={"VP_ALERT_WEBHOOK": hook.url.get_secret_value()})
    assert settings.alert_webhook is not None
    assert settings.alert_webhook.get_secret_value().endswith(SECRET)
    assert "s3cret" not in repr(settings) + str(settings.alert_webhook)


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_failed_run_reaches_log_and_webhook(hook: Hook, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    environ = {"VP_ALERT_WEBHOOK": hook.url.get_secret_value()}
    settings = load_settings(tmp_path / "lake", write_configs(tmp_path / "configs"), environ=environ)
    chain = Chain(settings)
    with Runner(chain, lambda *_: None, "test") as runner, pytest.raises(NotFoundError):
        runner.materialize([dg.AssetKey("raw_dbn")], "2026-02-05")
    alert, _ = build_sensors(chain)
    definitions = build_definitions(settings, chain)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        run = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))[0]
        failure = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)[0].dagster_event
        assert failure is not None
        context = dg.build_run_status_sensor_context(
            "alert_on_failure", failure, instance, run, repository_def=definitions.get_repository_def()
        ).for_run_failure()
        capfd.readouterr()
        alert(context)
        logged = "".join(capfd.readouterr())
        assert run.tags[HOST_TAG] == this_host()
    _, _, body = hook.told[0]
    assert body["error"].startswith("no raw day 2026-02-05 (UTC) of MNQH6")
    assert (body["day"], body["assets"], body["by"]) == ("2026-02-05", ["raw_dbn"], "test")
    assert body["text"] in logged
    assert "s3cret" not in logged


def test_runs_of_dead_processes_are_buried_and_living_ones_left(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()

    def started(instance: dg.DagsterInstance, pid: int, host: str | None = None) -> str:
        tags = {} if host is None else {HOST_TAG: host}
        run = dg.DagsterRun("job", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED, tags=tags)
        instance.add_run(run)
        instance.report_engine_event("Executing steps", run, EngineEventData({"pid": str(pid)}))
        return run.run_id

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        gone, here = started(instance, dead.pid), started(instance, os.getpid(), this_host())
        elsewhere = started(instance, dead.pid, "another-host")
        assert bury_dead(instance) == [gone]
        found = instance.get_run_by_id(gone)
        assert found is not None
        assert found.status == dg.DagsterRunStatus.FAILURE
        assert all(not instance.get_run_by_id(one).is_finished for one in (here, elsewhere))
        assert bury_dead(instance) == []
