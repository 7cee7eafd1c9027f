"""What a person selects in the UI, by the mutations that its pages send, against a real webserver and daemon."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from tests.assets.conftest import DAILY, say
from tests.assets.house import House
from tests.assets.test_whole_chain_runs import EXPERIMENT, SERVING
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets

pytestmark = pytest.mark.slow
FIRST = dt.date(2026, 1, 30)  # a Friday
TEN_DAYS = [(FIRST + dt.timedelta(days=n)).isoformat() for n in range(10)]
SESSIONS = [day for day in TEN_DAYS if dt.date.fromisoformat(day).weekday() < 5]
CHAIN = ["raw_dbn", "every_day/book_cache", "every_day/bins", "daily_sweep/sweep", "daily_sweep/promoted"]
GROUP = CHAIN[1:3]  # group `every_day`


class _Unread:
    def readouterr(self) -> tuple[str, str]:
        return "", ""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Ten days with a weekend, one of them with damaged bytes."""
    root = tmp_path_factory.mktemp("ui")
    for kind, name, text in (
        ("pipelines", "every_day", DAILY),
        ("serving", "daily_signal", SERVING),
        ("experiments", "daily_sweep", EXPERIMENT),
    ):
        (root / "configs" / kind).mkdir(parents=True, exist_ok=True)
        (root / "configs" / kind / f"{name}.yaml").write_text(text)
    said = say(
        _Unread(), "sample", "--from", TEN_DAYS[0], "--to", TEN_DAYS[-1], "--start", "09:28:30", "--end", "09:30:30",
        "--events-per-s", "100", "--lake-root", root / "lake", "--config-dir", root / "configs",
    )  # fmt: skip
    assert said.code == 0
    with House(root / "lake", root / "configs") as made:
        yield made


def run(house: House, assets: list[str], day: str) -> tuple[str, dict[str, Any]]:
    asked = house.launch_run(assets, day)
    return asked, house.wait(lambda: house.finished(asked), 300)


def made_by(state: dict[str, Any]) -> list[str]:
    return ["/".join(one["assetKey"]["path"]) for one in state["assetMaterializations"]]


def test_chain_of_one_day_when_selected_from_raw_to_promoted_then_makes_all(house: House) -> None:
    _, state = run(house, CHAIN, SESSIONS[0])
    assert state["status"] == "SUCCESS"
    assert sorted(made_by(state)) == sorted(CHAIN)


def test_group_when_selected_for_one_day_then_makes_its_assets(house: House) -> None:
    _, state = run(house, GROUP, SESSIONS[0])
    assert (state["status"], sorted(made_by(state))) == ("SUCCESS", sorted(GROUP))


def test_run_when_its_raw_day_is_damaged_then_says_so_and_goes_on_from_there_once_mended(house: House) -> None:
    raw = next(held.path for held in list_raw(Lake(house.lake)) if str(held.manifest.day) == SESSIONS[1])
    whole = raw.read_bytes()
    raw.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    failed, state = run(house, CHAIN[:-1], SESSIONS[1])
    assert state["status"] == "FAILURE"
    assert any(
        "`vp download --from 2026-02-02 --to 2026-02-02 --replace`" in line for line in house.failures(failed)
    ), house.failures(failed)
    raw.write_bytes(whole)
    again = house.retry(failed)
    state = house.wait(lambda: house.finished(again), 300)
    assert (state["status"], sorted(made_by(state))) == ("SUCCESS", sorted(CHAIN[:-1]))


def test_partition_when_it_does_not_exist_then_the_run_fails_in_words(house: House) -> None:
    asked, state = run(house, ["raw_dbn"], "1999-01-01")
    assert state["status"] == "FAILURE"
    assert any("raw_dbn has no partition 1999-01-01" in line for line in house.failures(asked))


def test_backfill_of_ten_days_when_a_weekend_lies_within_then_is_green_and_makes_the_sessions(house: House) -> None:
    asked = house.launch(CHAIN[:-1], TEN_DAYS)
    status = house.wait(lambda: house.ended(asked), 600)
    assert status == "COMPLETED_SUCCESS", house.failures_of_backfill(asked)
    assert {str(info.capture.dt) for info in list_datasets(Lake(house.lake))} == set(SESSIONS)
