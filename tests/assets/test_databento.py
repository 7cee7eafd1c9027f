"""Days from the vendor over real HTTP: what arrives, what each fault does, what is asked for twice."""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databento.common.error import BentoClientError
from pydantic import SecretStr

from tests.assets.gateway.server import KEY, Fault, Gateway
from vp_assets.databento import DatabentoSource, Polling, Terms
from vp_assets.databento.ledger import FOLDER, Ledger
from vp_assets.databento.patience import Patience, is_passing, retry_after
from vp_assets.databento.vendor import Days, Vendor
from vp_engine.errors import ConfigError, DataError, LakeError
from vp_engine.feed import DbnFile
from vp_engine.lake import Lake, find_raw
from vp_engine.lake.admission import admit_raw, find_no_session, list_no_session, write_no_session
from vp_engine.lake.store import temporary_name
from vp_engine.specs import load_instrument

LOCK = load_instrument()
MONDAY = dt.date(2026, 2, 2)
WEEK = [MONDAY + dt.timedelta(days=n) for n in range(3)]
TERMS = Terms(max_cost_usd=10.0)
Open = Callable[..., DatabentoSource]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway(*WEEK)
    yield made
    made.close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def slept() -> list[float]:
    """Waits that would have been."""
    return []


@pytest.fixture
def source(gateway: Gateway, lake: Lake, slept: list[float]) -> DatabentoSource:
    vendor = Vendor(SecretStr(KEY), LOCK, gateway.url, Patience(attempts=4, sleep=slept.append))
    return DatabentoSource(lake, LOCK, vendor, Polling(sleep=lambda s: None))


def files(lake: Lake) -> set[str]:
    return {path.name for path in lake.root.rglob("*") if path.is_file()}


def states(arrivals: list[Any]) -> list[str]:
    return [arrival.state for arrival in arrivals]


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


def test_a_run_of_days_is_one_batch_job(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    heard: list[tuple[str, int, int]] = []
    arrivals = source.bring(WEEK, TERMS, lambda *said: heard.append(said))
    assert states(arrivals) == ["new"] * 3
    assert [len(gateway.jobs), gateway.calls("submit_job"), gateway.calls("get_range")] == [1, 1, 0]
    assert ("days", 3, 3) in heard
    assert any(stage.startswith("batch job") for stage, *_ in heard)
    for day in WEEK:
        held = find_raw(lake, LOCK, day)
        assert held is not None
        in_file = sum(batch.size for batch in DbnFile(held.path).batches())
        assert in_file == held.manifest.records == gateway.files[day][1]
    assert states(source.bring(WEEK, TERMS)) == ["was there"] * 3
    assert len(gateway.jobs) == 1
    assert Ledger(lake, LOCK).open_entries() == []


def test_a_hole_in_the_range_makes_two_requests(source: DatabentoSource, gateway: Gateway) -> None:
    source.bring([WEEK[1]], TERMS)
    assert states(source.bring(WEEK, TERMS)) == ["new", "was there", "new"]
    assert gateway.calls("get_range") == 3


def test_one_by_one_never_asks_for_a_job(source: DatabentoSource, gateway: Gateway) -> None:
    assert states(source.bring(WEEK, TERMS._replace(one_by_one=True))) == ["new"] * 3
    assert (gateway.calls("get_range"), gateway.jobs) == (3, [])


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


def test_a_cut_file_of_a_job_goes_on_where_it_was(source: DatabentoSource, gateway: Gateway) -> None:
    gateway.faults.append(Fault("download", "cut", 2))
    assert states(source.bring(WEEK, TERMS)) == ["new"] * 3
    assert gateway.calls("download") == 5


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


def test_a_wrong_hash_is_fetched_once_more_then_refused(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.wrong_hash = 1
    arrivals = source.bring(WEEK, TERMS)
    assert states(arrivals) == ["failed", "new", "new"]
    assert "another sha256" in arrivals[0].note
    assert find_raw(lake, LOCK, MONDAY) is None
    assert gateway.calls("download") == 4
    assert states(source.bring(WEEK, TERMS)) == ["new", "was there", "was there"]  # the same job, listed anew
    assert len(gateway.jobs) == 1


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


def test_a_bad_key_is_one_line_without_it(gateway: Gateway, lake: Lake, slept: list[float]) -> None:
    vendor = Vendor(SecretStr("db-wrong"), LOCK, gateway.url, Patience(sleep=slept.append))
    with pytest.raises(ConfigError, match="refuses the key in DATABENTO_API_KEY") as caught:
        DatabentoSource(lake, LOCK, vendor).bring([MONDAY], TERMS)
    assert "db-wrong" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert (slept, files(lake)) == ([], set())


def test_a_key_in_the_services_own_words_is_hidden(gateway: Gateway, lake: Lake) -> None:
    gateway.faults.append(Fault("get_dataset_range", "status", 1, 422))
    gateway_says = f"nobody knows {KEY}"
    vendor = Vendor(SecretStr(KEY), LOCK, gateway.url, Patience(sleep=lambda s: None))
    told = vendor._plain("it", BentoClientError(422, message=gateway_says))
    assert str(told) == "Databento refuses to send it of MNQH6: 422 nobody knows [key]"
    with pytest.raises(DataError, match="refuses to send range"):
        vendor.available_until()


def test_nothing_written_or_logged_holds_the_key(
    source: DatabentoSource, gateway: Gateway, lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.faults += [Fault("get_cost", "status", 1, 500), Fault("download", "cut"), Fault("submit_job", "drop")]
    source.bring(WEEK, TERMS)
    written = b"".join(path.read_bytes() for path in lake.root.rglob("*") if path.is_file())
    assert len(written) > 1000
    assert KEY.encode() not in written
    assert caplog.records
    assert KEY not in caplog.text
    assert KEY not in repr(vars(source.vendor)["_key"])


@pytest.mark.parametrize("given", ["http://example.com", "ftp://127.0.0.1", "127.0.0.1"])
def test_the_key_goes_nowhere_in_the_clear(given: str) -> None:
    with pytest.raises(ConfigError, match="VP_DATABENTO_GATEWAY"):
        Vendor(SecretStr(KEY), LOCK, given)


def test_the_key_goes_to_no_strange_host(source: DatabentoSource, gateway: Gateway) -> None:
    source.bring(WEEK[:2], TERMS)
    file = source.vendor.files(gateway.jobs[0]["id"])[MONDAY]
    for url in (
        "https://files.example.com/day",
        "http://files.databento.com/day",
        "https://databento.com.example.com/",
    ):
        with pytest.raises(DataError, match=r"its address is https?://.*, where no key is sent"):
            source.vendor.fetch(file._replace(url=url), Path("nowhere"))


def test_a_gateway_that_is_not_there_is_asked_a_few_times(lake: Lake, slept: list[float]) -> None:
    gone = Gateway()
    gone.close()
    vendor = Vendor(SecretStr(KEY), LOCK, gone.url, Patience(attempts=4, first_s=1.0, sleep=slept.append))
    with pytest.raises(DataError, match="did not send conditions of MNQH6") as caught:
        DatabentoSource(lake, LOCK, vendor).bring([MONDAY], TERMS)
    assert "\n" not in str(caught.value)
    assert [0 <= pause <= 2**n for n, pause in enumerate(slept)] == [True] * 3


def test_retry_after_is_seconds_or_a_date() -> None:
    def asked(**headers: str) -> float | None:
        return retry_after(
            BentoClientError(429, headers={name.replace("_", "-"): text for name, text in headers.items()})
        )

    soon = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30), usegmt=True)
    said = asked(Retry_After=soon)
    assert said is not None
    assert 28 <= said <= 30
    assert [asked(), asked(Retry_After="9"), asked(Retry_After="-1"), asked(Retry_After="soon")] == [
        None,
        9.0,
        0.0,
        None,
    ]
    assert [is_passing(BentoClientError(status)) for status in (408, 429, 400, 404)] == [True, True, False, False]


def test_a_submission_that_got_through_unheard_is_not_repeated(source: DatabentoSource, gateway: Gateway) -> None:
    gateway.faults.append(Fault("submit_job", "drop"))  # the job is made, the answer lost
    assert states(source.bring(WEEK, TERMS)) == ["new"] * 3
    assert len(gateway.jobs) == 1


class _Killed(BaseException):
    """The process dies here."""


def test_kill_9_between_submission_and_ledger_adopts_the_job(
    source: DatabentoSource, gateway: Gateway, lake: Lake
) -> None:
    """A real process dies once the vendor has the job and before it hears so."""
    argv = [sys.executable, "-m", "vp_assets.cli", "download", "--from", str(WEEK[0]), "--to", str(WEEK[2])]
    environ = os.environ | {
        "DATABENTO_API_KEY": KEY,
        "VP_DATABENTO_GATEWAY": gateway.url,
        "VP_LAKE_ROOT": str(lake.root),
    }
    dying: list[subprocess.Popen[bytes]] = []
    gateway.faults.append(Fault("submit_job", "drop", act=lambda: dying[0].kill()))
    dying.append(subprocess.Popen(argv, env=environ))
    assert dying[0].wait(120) == -signal.SIGKILL
    (entry,) = Ledger(lake, LOCK).open_entries()
    assert (entry.state, entry.job_id, len(gateway.jobs)) == ("asking", None, 1)
    assert states(source.bring(WEEK, TERMS)) == ["new"] * 3
    assert len(gateway.jobs) == 1


def test_a_lake_elsewhere_takes_days_too(gateway: Gateway) -> None:
    lake = Lake("memory://days-from-the-vendor")
    far = DatabentoSource(lake, LOCK, Vendor(SecretStr(KEY), LOCK, gateway.url), Polling(sleep=lambda s: None))
    saturday = dt.date(2026, 2, 7)
    assert states(far.bring([*WEEK, saturday], TERMS)) == ["new", "new", "new", "no session"]
    assert states(far.bring([*WEEK, saturday], TERMS)) == ["was there"] * 3 + ["no session"]
    assert len(gateway.jobs) == 1


def test_a_crash_in_the_middle_goes_on_with_the_same_job(
    source: DatabentoSource, gateway: Gateway, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Vendor.fetch

    def dies(self: Vendor, file: Any, target: Path) -> None:
        if file.day == WEEK[1]:
            raise _Killed
        fetch(self, file, target)

    monkeypatch.setattr(Vendor, "fetch", dies)
    with pytest.raises(_Killed):
        source.bring(WEEK, TERMS)
    monkeypatch.undo()
    assert [find_raw(lake, LOCK, day) is not None for day in WEEK] == [True, False, False]
    assert states(source.bring(WEEK, Terms(max_cost_usd=0.0))) == ["was there", "new", "new"]  # paid for already
    assert (len(gateway.jobs), gateway.calls("get_range")) == (1, 0)
    assert Ledger(lake, LOCK).open_entries() == []


def test_an_expired_job_is_asked_for_anew(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    entry = Ledger(lake, LOCK).job_for(source.vendor, Days(WEEK[0], WEEK[2]))
    gateway.jobs[0]["state"] = "expired"
    assert states(source.bring(WEEK, TERMS)) == ["new"] * 3
    assert gateway.jobs[0]["id"] == entry.job_id
    assert len(gateway.jobs) == 2


def test_a_job_that_takes_too_long_is_left_for_later(gateway: Gateway, lake: Lake) -> None:
    gateway.polls_before_done = 8
    vendor = Vendor(SecretStr(KEY), LOCK, gateway.url)
    impatient = DatabentoSource(lake, LOCK, vendor, Polling(1.0, 2.0, 4.0, lambda s: None))
    with pytest.raises(DataError, match="is still queued; run the same again later"):
        impatient.bring(WEEK, TERMS)
    gateway.polls_before_done = 0
    assert states(impatient.bring(WEEK, TERMS)) == ["new"] * 3
    assert len(gateway.jobs) == 1


def test_two_downloads_at_once_ask_for_one_job(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    ended: list[list[str]] = []
    both = [threading.Thread(target=lambda: ended.append(states(source.bring(WEEK, TERMS)))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(ended) == 2
    assert {state for said in ended for state in said} <= {"new", "was there"}
    assert len(gateway.jobs) == 1
    assert len(list(lake.path(FOLDER).iterdir())) == 1
