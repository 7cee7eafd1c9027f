"""One tick and one backfill in a real daemon, with the switch and the API of the UI."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from tests.assets.conftest import DAILY, say
from tests.assets.house import House
from vp_assets.defs.schedules import ASKED_TAG, BY_TAG, DAY_TAG, SCHEDULE
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets
from vp_engine.units import ET

pytestmark = pytest.mark.slow
QUICK = ("--start", "09:28:30", "--end", "09:30:30", "--events-per-s", "60")


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[House]:
    """A house over the last finished sessions, made of sample days."""
    configs = tmp_path / "configs" / "pipelines"
    configs.mkdir(parents=True)
    (configs / "every_day.yaml").write_text(DAILY)
    today = dt.datetime.now(ET).date()
    span = ("--from", f"{today - dt.timedelta(days=6)}", "--to", f"{today - dt.timedelta(days=1)}")
    said = say(capsys, "sample", *span, *QUICK, "--lake-root", tmp_path / "lake", "--config-dir", configs.parent)
    assert said.code == 0, said.err
    with House(tmp_path / "lake", configs.parent, {"VP_CATCH_UP_DAYS": "5"}) as made:
        yield made


def test_a_tick_after_the_close_computes_what_is_missing(house: House) -> None:
    house.switch_on(SCHEDULE)
    with dg.DagsterInstance.from_config(str(house.settings.dagster_home)) as instance:
        state = next(one for one in instance.all_instigator_state() if one.name == SCHEDULE)
        data = state.instigator_data
        assert isinstance(data, ScheduleInstigatorData)
        yesterday = dt.datetime.now().timestamp() - 86_400  # as if the daemon had been away since
        instance.update_instigator_state(
            state.with_data(ScheduleInstigatorData(data.cron_schedule, start_timestamp=yesterday))
        )

        def ticks() -> list[str]:
            found = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=10)
            return [one.status.value for one in found if one.status.value != "STARTED"]

        house.wait(ticks, 120)
        assert ticks() == ["SUCCESS"]  # of what it slept through, the daemon evaluates the last tick; the days are ours
        wanted = {str(day.manifest.day) for day in list_raw(Lake(house.lake))}

        def runs() -> list[dg.DagsterRun]:
            return list(instance.get_runs(dg.RunsFilter(tags={BY_TAG: SCHEDULE})))

        house.wait(lambda: runs() and all(run.is_finished for run in runs()), 300)
        made = {str(info.capture.dt) for info in list_datasets(Lake(house.lake))}
        assert made
        assert made <= wanted
        assert {run.tags[DAY_TAG] for run in runs() if run.is_success} == made
        asked = [(run.tags[DAY_TAG], run.tags[ASKED_TAG]) for run in runs()]
        assert len(set(asked)) == len(asked)


def copied_and_started(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, str]:
    """The process that the launcher made for a run, and the one that says it executes it."""
    said = [entry.message for entry in instance.all_logs(run.run_id, dg.DagsterEventType.ENGINE_EVENT)]
    copied, started = (
        next(line for line in said if line.startswith(words)).split("(")[1]
        for words in ("Copied a prepared process", "Started process for run")
    )
    return copied, started


def test_a_bad_day_stops_no_other_and_a_second_backfill_computes_nothing(house: House) -> None:
    raws = list_raw(Lake(house.lake))
    days = [str(day.manifest.day) for day in raws]
    bad = raws[0]
    whole = bad.path.read_bytes()
    bad.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assets = ["raw_dbn", "every_day/book_cache", "every_day/bins"]
    first = house.launch(assets, days)
    house.wait(lambda: house.ended(first), 400)
    held = {str(info.capture.dt): info.path.stat().st_mtime_ns for info in list_datasets(Lake(house.lake))}
    assert set(held) == set(days[1:])
    with dg.DagsterInstance.from_config(str(house.settings.dagster_home)) as instance:
        pids = [copied_and_started(instance, run) for run in instance.get_runs()]
    assert len({pid for pid, _ in pids}) == len(days)  # a process each
    assert all(copied == started for copied, started in pids)

    bad.path.write_bytes(whole)
    second = house.launch(assets, days)
    assert house.wait(lambda: house.ended(second), 400) == "COMPLETED_SUCCESS"
    again = {str(info.capture.dt): info.path.stat().st_mtime_ns for info in list_datasets(Lake(house.lake))}
    assert set(again) == set(days)
    assert {day: again[day] for day in held} == held
