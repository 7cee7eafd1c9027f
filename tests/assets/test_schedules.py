"""What a tick asks for, by dates, from the state of a lake; and how often."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from tests.assets.conftest import DAILY, write_configs
from vp_assets.defs import schedules
from vp_assets.defs.definitions import build_definitions
from vp_assets.defs.schedules import CRON, SCHEDULE, Due, due_days
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.units import ET

NIGHT = DAILY.replace("every_day", "night").replace('"09:30"', '"18:59:50"').replace('"09:30:20"', '"19:00:10"')


def eastern(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ET)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """A chain with one pipeline in the morning and one whose window runs over midnight UTC in winter."""
    folder = write_configs(tmp_path / "configs")
    (folder / "pipelines" / "night.yaml").write_text(NIGHT)
    environ = {"VP_PARTITIONS_START": "2020-01-01"}
    return Chain(load_settings(tmp_path / "lake", folder, environ=environ))


@pytest.fixture
def holds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the lake hold these raw days, datasets `pipeline day`, and days of which the vendor says no session."""

    def pretend(raw: str = "", made: tuple[str, ...] = (), closed: str = "") -> None:
        def has(text: str) -> Callable[..., object]:
            return lambda lake, lock, day: object() if day.isoformat() in text.split() else None

        monkeypatch.setattr(schedules, "find_raw", has(raw))
        monkeypatch.setattr(schedules, "find_no_session", has(closed))
        monkeypatch.setattr(
            schedules, "_is_missing", lambda chain, pipeline, day: f"{pipeline} {day.isoformat()}" not in made
        )

    pretend()
    return pretend


def asked(chain: Chain, tick: str, days_back: int = 0) -> dict[str, str]:
    return {one.day.isoformat(): one.asked for one in due_days(chain, eastern(tick), days_back)}


def test_a_day_is_due_once_its_utc_day_is_over(chain: Chain, holds: Callable[..., None]) -> None:
    assert asked(chain, "2026-02-05 17:45") == {}
    assert asked(chain, "2026-02-05 20:15") == {"2026-02-05": "raw every_day"}
    assert asked(chain, "2025-07-10 19:45") == {}  # in summer the UTC day ends at 20:00
    assert asked(chain, "2025-07-10 20:15") == {"2025-07-10": "raw every_day night"}  # and the night lies inside it


def test_a_raw_day_that_is_there_need_not_be_over(chain: Chain, holds: Callable[..., None]) -> None:
    holds(raw="2026-02-05")
    assert asked(chain, "2026-02-05 17:45") == {"2026-02-05": "raw every_day"}
    holds(raw="2026-02-05", made=("every_day 2026-02-05",))
    assert asked(chain, "2026-02-05 17:45") == {}


def test_a_window_over_midnight_waits_for_both_raw_days(chain: Chain, holds: Callable[..., None]) -> None:
    made = ("every_day 2026-02-04", "every_day 2026-02-05")
    holds(raw="2026-02-04", made=made)
    assert asked(chain, "2026-02-05 17:45", 1) == {}
    assert asked(chain, "2026-02-05 20:15", 1) == {"2026-02-05": "raw"}
    holds(raw="2026-02-04 2026-02-05", made=made)
    assert asked(chain, "2026-02-05 20:30", 1) == {"2026-02-04": "night"}


def test_days_without_a_session_are_not_asked_for(chain: Chain, holds: Callable[..., None]) -> None:
    assert asked(chain, "2026-02-07 20:15") == {}  # Saturday
    assert asked(chain, "2026-02-08 20:15") == {}  # Sunday: the night needs Monday's raw day, too
    assert asked(chain, "2023-12-25 20:15") == {}  # the morning of a holiday
    holds(made=("every_day 2023-12-26", "every_day 2023-12-22"))
    assert asked(chain, "2023-12-26 20:15", 1) == {"2023-12-25": "raw", "2023-12-26": "raw"}  # its evening traded
    holds(closed="2026-02-05")
    assert asked(chain, "2026-02-05 20:15") == {}  # the vendor says so
    assert asked(chain, "2024-11-29 20:15") == {"2024-11-29": "raw every_day"}  # an early close


def test_days_around_daylight_saving(chain: Chain, holds: Callable[..., None]) -> None:
    early = chain.specs.pipelines["every_day"]
    capture = early.capture.model_copy(update={"start_time": "02:10", "end_time": "02:20"})
    chain.specs.pipelines["every_day"] = early.model_copy(update={"capture": capture})
    assert "every_day" in asked(chain, "2025-03-10 20:15")["2025-03-10"]
    assert asked(chain, "2025-03-10 20:15", 1)["2025-03-09"] == "raw night"  # at 02:10 clocks went forward
    assert "every_day" in asked(chain, "2025-11-03 20:15")["2025-11-03"]


def test_missed_days_are_caught_up_to_a_limit(chain: Chain, holds: Callable[..., None]) -> None:
    holds(made=(*(f"night 2026-02-0{day}" for day in range(1, 10)), "every_day 2026-02-04"))
    assert list(asked(chain, "2026-02-06 20:15", 7)) == ["2026-01-30", "2026-02-02", "2026-02-03", "2026-02-05",
                                                         "2026-02-06"]  # fmt: skip
    assert list(asked(chain, "2026-02-06 20:15", 1)) == ["2026-02-05", "2026-02-06"]


def test_one_run_per_day_and_no_double(chain: Chain) -> None:
    due = [Due(dt.date(2026, 2, 5), True, ("every_day",)), Due(dt.date(2026, 2, 6), False, ("night",))]
    with dg.DagsterInstance.ephemeral() as instance:
        first = list(schedules.requests(chain, due, instance))
        assert [one.run_key for one in first] == ["2026-02-05 raw every_day #1", "2026-02-06 night #1"]
        assert [key.to_user_string() for key in first[0].asset_selection] == [
            "raw_dbn", "every_day/book_cache", "every_day/bins",
        ]  # fmt: skip
        assert [one.run_key for one in schedules.requests(chain, due, instance)] == [one.run_key for one in first]

        def record(status: dg.DagsterRunStatus) -> None:
            run = dg.DagsterRun(job_name="every_day", run_id=str(uuid.uuid4()), status=status, tags=dict(first[0].tags))
            instance.add_run(run)

        record(dg.DagsterRunStatus.FAILURE)
        assert [one.run_key for one in schedules.requests(chain, due[:1], instance)] == ["2026-02-05 raw every_day #2"]
        record(dg.DagsterRunStatus.STARTED)
        assert list(schedules.requests(chain, due[:1], instance)) == []  # one is under way
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            instance.report_run_failed(run)
        record(dg.DagsterRunStatus.FAILURE)
        assert list(schedules.requests(chain, due[:1], instance)) == []  # three tries are enough


def test_the_schedule_is_off_and_its_tick_is_valid(chain: Chain, holds: Callable[..., None], tmp_path: Path) -> None:
    definitions = build_definitions(chain.settings, chain)
    (tmp_path / "home").mkdir()
    made = definitions.resolve_schedule_def(SCHEDULE)
    assert made.default_status == dg.DefaultScheduleStatus.STOPPED
    assert (tuple(made.cron_schedule), made.execution_timezone) == (CRON, "America/New_York")
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:

        def tick(text: str) -> SimpleNamespace:
            context = dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=eastern(text),
                repository_def=definitions.get_repository_def(),
            )
            return made.evaluate_tick(context)

        asked_for = tick("2026-02-05 20:15").run_requests
        assert [one.partition_key for one in asked_for][-1] == "2026-02-05"
        holds(closed=" ".join(f"{dt.date(2026, 1, 20) + dt.timedelta(days=n)}" for n in range(20)))
        said = tick("2026-02-02 17:45")
        assert (said.run_requests, said.skip_message) == (
            [], "the last session closed was 2026-02-02; nothing is due"
        )  # fmt: skip


def test_the_job_retries_and_pools_bound_it(chain: Chain) -> None:
    definitions = build_definitions(chain.settings, chain)
    job = definitions.resolve_job_def("every_day")
    assert job.op_retry_policy is not None
    assert job.op_retry_policy.max_retries == 2
    pools = {node.name: pool for node in job.nodes for pool in node.definition.pools}
    assert pools == {
        "raw_dbn": "raw", "every_day__book_cache": "engine", "every_day__bins": "engine",
        "night__book_cache": "engine", "night__bins": "engine",
    }  # fmt: skip
