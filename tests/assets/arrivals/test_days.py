"""Single days over real HTTP: what arrives, what each fault does, which days count."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pytest

from tests.assets.gateway.days import day_records, header, snapshot
from tests.assets.gateway.server import Fault, Gateway
from tests.assets.gateway.week import LOCK, MONDAY, TERMS, WEEK, files, states
from vp_assets.databento import DatabentoSource, Terms
from vp_assets.databento.verify_download import require_records
from vp_engine.errors import ConfigError, DataError, LakeError
from vp_engine.lake import Lake, find_raw
from vp_engine.lake.admission import admit_raw, find_no_session, list_no_session, write_no_session
from vp_engine.lake.store import temporary_name


def test_one_day_comes_as_a_stream(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    (arrival,) = source.bring([MONDAY], TERMS)
    assert arrival.state == "new"
    held = find_raw(lake, LOCK, MONDAY)
    assert held is not None
    assert (held.manifest.source, held.manifest.condition, held.manifest.quarantine) == ("databento", "available", None)
    assert (held.manifest.symbol, held.manifest.instrument_ids) == ("MNQH6", (42,))
    assert held.path.read_bytes() == gateway.files[MONDAY][0]
    assert gateway.calls("get_range") == 1
    assert gateway.calls("batch.") == 0
    before = len(gateway.asked)
    assert states(source.bring([MONDAY], TERMS)) == ["was there"]
    assert len(gateway.asked) == before  # nobody was asked


def test_above_the_ceiling_nothing_is_asked_for(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    with pytest.raises(ConfigError, match=r"2026-02-02 to 2026-02-04 .* would cost \$1\.50, the ceiling is \$1\.00"):
        source.bring(WEEK, Terms(max_cost_usd=1.0))
    assert (gateway.jobs, gateway.calls("get_range"), files(lake)) == ([], 0, set())
    assert states(source.bring(WEEK, Terms(max_cost_usd=1.5))) == ["new"] * 3


def test_429_waits_as_long_as_it_is_told(source: DatabentoSource, gateway: Gateway, slept: list[float]) -> None:
    gateway.faults.append(Fault("get_range", "status", 2, 429, {"Retry-After": "7"}))
    assert states(source.bring([MONDAY], TERMS)) == ["new"]
    assert slept == [7.0, 7.0]


def test_429_without_an_end_gives_up(source: DatabentoSource, gateway: Gateway, slept: list[float], lake: Lake) -> None:
    gateway.faults.append(Fault("get_cost", "status", 99, 429, {"Retry-After": "7"}))
    with pytest.raises(DataError, match=r"did not send cost of MNQH6.*429"):
        source.bring([MONDAY], TERMS)
    assert slept == [7.0] * 3
    gateway.faults = [Fault("get_cost", "status", 99, 429, {"Retry-After": "100000"})]
    with pytest.raises(DataError, match="run the same again later"):
        source.bring([MONDAY], TERMS)
    assert len(slept) == 3
    assert files(lake) == set()


def test_500_is_tried_again(source: DatabentoSource, gateway: Gateway, slept: list[float]) -> None:
    gateway.faults += [Fault("get_record_count", "status", 2, 500), Fault("submit_job", "status", 1, 503)]
    gateway.faults += [Fault("download", "status", 1, 502)]
    assert states(source.bring(WEEK, TERMS)) == ["new"] * 3
    assert len(slept) == 4
    assert len(gateway.jobs) == 1


def test_a_cut_stream_starts_anew(source: DatabentoSource, gateway: Gateway) -> None:
    gateway.faults.append(Fault("get_range", "cut"))
    assert states(source.bring([MONDAY], TERMS)) == ["new"]
    assert gateway.calls("get_range") == 2


def test_a_stream_that_is_always_cut_fails_bounded(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.faults.append(Fault("get_range", "cut", 99))
    (arrival,) = source.bring([MONDAY], TERMS)
    assert arrival.state == "failed"
    assert "did not send data of 2026-02-02" in arrival.note
    assert gateway.calls("get_range") == 3
    assert files(lake) == set()


def test_a_silent_truncation_is_seen(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.faults.append(Fault("get_range", "truncate"))
    assert states(source.bring([MONDAY], TERMS)) == ["new"]
    assert gateway.calls("get_range") == 2
    gateway.faults.append(Fault("get_range", "truncate", 99))
    (arrival,) = source.bring([WEEK[1]], TERMS)
    assert arrival.state == "failed"
    assert "holds 10 records, Databento counts 44" in arrival.note  # the client itself would have called it whole
    assert find_raw(lake, LOCK, WEEK[1]) is None
    assert not any(name.startswith(".tmp") for name in files(lake))


def test_a_whole_file_with_too_few_records_is_refused(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    content, records = gateway.files[MONDAY]
    gateway.files[MONDAY] = (content, records + 1)
    (arrival,) = source.bring([MONDAY], TERMS)
    assert arrival.state == "failed"
    assert "holds 44 records, Databento counts 45" in arrival.note
    assert files(lake) == set()


@pytest.mark.parametrize(("counted", "way"), [(44, "all records"), (40, "all but the 4 of the opening snapshot")])
def test_the_count_may_leave_out_the_midnight_snapshot(
    source: DatabentoSource, gateway: Gateway, lake: Lake, counted: int, way: str
) -> None:
    gateway.files[MONDAY] = (gateway.files[MONDAY][0], counted)
    (arrival,) = source.bring([MONDAY], TERMS)
    assert arrival.state == "new", arrival
    held = find_raw(lake, LOCK, MONDAY)
    assert held is not None
    assert held.manifest.counted == f"Databento counts {way}"


@pytest.mark.parametrize("counted", [39, 41, 43])
def test_no_other_count_will_do(source: DatabentoSource, gateway: Gateway, lake: Lake, counted: int) -> None:
    gateway.files[MONDAY] = (gateway.files[MONDAY][0], counted)
    (arrival,) = source.bring([MONDAY], TERMS)
    assert (arrival.state, files(lake)) == ("failed", set())


def test_a_restated_book_may_be_left_out_as_well(tmp_path: Path) -> None:
    day = day_records(MONDAY)
    records = np.concatenate([day, snapshot(int(day["ts_recv"][-1]) + 10**9, 900, 3)])
    path = tmp_path / "day.dbn"
    path.write_bytes(header(MONDAY) + records.tobytes())
    assert [require_records(path, "day", count) for count in (47, 43, 40)] == [
        "all records", "all but the 4 of the opening snapshot", "all but the 7 of snapshots",
    ]  # fmt: skip


def test_half_a_file_from_last_time_is_in_nobodys_way(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    half = gateway.files[MONDAY][0][:100]
    left = lake.path(temporary_name("databento").replace(f"-{os.getpid()}-", "-999999-"))
    left.mkdir(parents=True)
    (left / "glbx-mdp3-20260202.mbo.dbn.zst").write_bytes(half)
    target = lake.path("raw/source=databento/product_type=future_mbo/symbol=MNQ/table=market_by_order_dbn")
    target.mkdir(parents=True)
    (target / "glbx-mdp3-20260202.MNQH6.mbo.dbn.zst").write_bytes(half)  # no manifest: nothing is there
    assert states(source.bring([MONDAY], TERMS)) == ["new"]
    held = find_raw(lake, LOCK, MONDAY)
    assert held is not None
    assert held.path.read_bytes() == gateway.files[MONDAY][0]
    assert lake.sweep_temporaries() == [left]


def test_a_degraded_day_waits_for_somebody(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.conditions[MONDAY.isoformat()] = "degraded"
    arrivals = source.bring(WEEK, TERMS)
    assert states(arrivals) == ["quarantined", "new", "new"]
    assert arrivals[0].note == "Databento calls the day degraded, last changed 2026-03-01"
    assert states(source.bring(WEEK, TERMS)) == ["quarantined", "was there", "was there"]
    before = find_raw(lake, LOCK, MONDAY)
    assert before is not None
    assert before.manifest.condition == "degraded"
    after = admit_raw(lake, LOCK, MONDAY, "seen")
    assert after.manifest.quarantine is None
    assert after.manifest.admitted == "seen (Databento calls the day degraded, last changed 2026-03-01)"
    assert after.manifest.address == before.manifest.address
    assert find_raw(lake, LOCK, MONDAY) == after == admit_raw(lake, LOCK, MONDAY, "again")
    assert states(source.bring([MONDAY], TERMS)) == ["was there"]


def test_a_degraded_day_can_be_admitted_as_it_comes(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.conditions[MONDAY.isoformat()] = "degraded"
    assert states(source.bring([MONDAY], TERMS)) == ["quarantined"]
    assert states(source.bring([MONDAY], TERMS._replace(admit=True))) == ["was there"]
    held = find_raw(lake, LOCK, MONDAY)
    assert held is not None
    assert held.manifest.admitted is not None


def test_a_repaired_day_is_fetched_again_on_purpose(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    from tests.assets.gateway.days import day_file

    gateway.conditions |= {day.isoformat(): "degraded" for day in WEEK}
    assert states(source.bring(WEEK, TERMS)) == ["quarantined"] * 3
    for day in WEEK:
        gateway.files[day] = day_file(day, 50)
    gateway.conditions |= {day.isoformat(): "available" for day in WEEK}
    assert states(source.bring(WEEK, TERMS._replace(replace=True))) == ["new"] * 3
    assert len(gateway.jobs) == 2
    held = find_raw(lake, LOCK, MONDAY)
    assert held is not None
    assert (held.manifest.records, held.manifest.quarantine) == (54, None)


def test_a_day_without_records_had_no_session(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    saturday, holiday = dt.date(2026, 2, 7), dt.date(2026, 4, 3)
    gateway.conditions[holiday.isoformat()] = "available"
    arrivals = source.bring([saturday, holiday], TERMS)
    assert states(arrivals) == ["no session"] * 2
    assert [note.day for note in list_no_session(lake, LOCK)] == [saturday, holiday]
    note = find_no_session(lake, LOCK, holiday)
    assert note is not None
    assert note.reason == "Databento has no record of MNQH6 (condition: available)"
    asked = len(gateway.asked)
    assert states(source.bring([saturday, holiday], TERMS)) == ["no session"] * 2
    assert len(gateway.asked) == asked
    source.bring([MONDAY], TERMS)
    with pytest.raises(LakeError, match="it had a session"):
        write_no_session(lake, LOCK, MONDAY, "no")


def test_a_day_not_published_or_lost_is_no_closed_day(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.published_until = "2026-02-04T15:00:00.000000000Z"
    gateway.conditions["2026-01-29"] = "missing"
    gateway.conditions["2026-01-30"] = "pending"
    days = [dt.date(2026, 1, 29), dt.date(2026, 1, 30), WEEK[0], WEEK[2]]
    arrivals = source.bring(days, TERMS)
    assert states(arrivals) == ["missing", "pending", "new", "pending"]
    assert "published until 2026-02-04 15:00 UTC" in arrivals[3].note
    assert list_no_session(lake, LOCK) == []
