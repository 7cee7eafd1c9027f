"""Batch jobs: asked for once, resumed after crashes, fetched within bounds."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.assets.gateway.server import KEY, Fault, Gateway
from tests.assets.gateway.week import LOCK, MONDAY, TERMS, WEEK, states
from vp_assets.databento import DatabentoSource, Polling, Terms
from vp_assets.databento.ledger import Ledger
from vp_assets.databento.vendor import Days, Vendor
from vp_engine.errors import DataError
from vp_engine.feed import DbnFile
from vp_engine.lake import Lake, find_raw, paths


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


def test_a_cut_file_of_a_job_goes_on_where_it_was(source: DatabentoSource, gateway: Gateway) -> None:
    gateway.faults.append(Fault("download", "cut", 2))
    assert states(source.bring(WEEK, TERMS)) == ["new"] * 3
    assert gateway.calls("download") == 5


def test_a_wrong_hash_is_fetched_once_more_then_refused(source: DatabentoSource, gateway: Gateway, lake: Lake) -> None:
    gateway.wrong_hash = 1
    arrivals = source.bring(WEEK, TERMS)
    assert states(arrivals) == ["failed", "new", "new"]
    assert "another sha256" in arrivals[0].note
    assert find_raw(lake, LOCK, MONDAY) is None
    assert gateway.calls("download") == 4
    assert states(source.bring(WEEK, TERMS)) == ["new", "was there", "was there"]  # the same job, listed anew
    assert len(gateway.jobs) == 1


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
    assert len(list(lake.path(paths.LEDGER).iterdir())) == 1
