"""What a lake forgets: stale versions and old days, never a root, never what something promoted stands on."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from tests.assets.conftest import Said, World, say
from vp_assets.research.collection import candidates
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.lineage import BOOK, DATASET, RESULTS, inventory


@pytest.fixture
def lake(world: World, tmp_path: Path) -> Path:
    """A copy of the world without what was promoted, and with a day of the daily pipeline."""
    copy = tmp_path / "lake"
    shutil.copytree(world.lake, copy)
    shutil.rmtree(copy / "research/vp_harness/configs")
    return copy


def gc(capsys: pytest.CaptureFixture[str], world: World, lake: Path, *options: str) -> Said:
    return say(capsys, "gc", *options, "--lake-root", lake, "--config-dir", world.configs, "--json")


def kinds(said: Said) -> set[str]:
    return {row["kind"] for row in said.data["things"]}


def test_what_is_current_stays_and_old_days_go(world: World, lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = ("--from", "2026-02-06", "--to", "2026-02-06")
    where = ("--lake-root", lake, "--config-dir", world.configs, "--json")
    made = say(capsys, "backfill", "every_day", "minute_sweep", *day, *where)
    assert made.code == 0, made.err
    chain = Chain(load_settings(lake, world.configs, environ={}))
    mine = {chain.bins(name, "2026-02-06").address for name in ("minute", "every_day")}
    stale = {row["address"] for row in gc(capsys, world, lake).data["things"]}
    assert not mine & stale
    today = dt.date(2026, 2, 8)
    assert {one.thing.address for one in candidates(chain, inventory(chain.lake), 2, (DATASET,), today)} <= stale
    old = candidates(chain, inventory(chain.lake), 1, (DATASET,), today)
    assert mine <= {one.thing.address for one in old}
    assert {one.reason for one in old if one.thing.address in mine} == {"2 days old"}

    listed = gc(capsys, world, lake, "--keep-days", "1")
    assert {"dataset", "book", "results"} <= kinds(listed)
    assert listed.data["freed"] == 0
    assert inventory(Lake(lake)).of_kind(DATASET)  # only listed
    raws = [held.manifest.sha256 for held in list_raw(Lake(lake))]
    dropped = gc(capsys, world, lake, "--keep-days", "1", "--yes")
    assert dropped.data["freed"] == listed.data["bytes"] > 0
    assert not inventory(Lake(lake)).of_kind(DATASET, BOOK, RESULTS)
    assert [held.manifest.sha256 for held in list_raw(Lake(lake))] == raws
    assert gc(capsys, world, lake, "--keep-days", "1").data["things"] == []

    again = say(capsys, "backfill", "every_day", "minute_sweep", *day, *where)  # and can be made again
    assert [row["state"] for row in again.data["days"]] == ["new", "new"]
    assert [row["address"] for row in again.data["days"]] == [row["address"] for row in made.data["days"]]


def test_versions_that_no_spec_asks_for_are_stale(
    world: World, lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(world.configs, configs)
    spec = configs / "pipelines" / "minute.yaml"
    spec.write_text(spec.read_text().replace("warmup_hours: 0.02", "warmup_hours: 0.01"))
    before = Chain(load_settings(lake, world.configs, environ={})).bins("minute", None).address
    chain = Chain(load_settings(lake, configs, environ={}))
    found = candidates(chain, inventory(chain.lake), None, (RESULTS, DATASET, BOOK), dt.date(2026, 2, 7))
    assert before in {one.thing.address for one in found}
    assert {one.reason for one in found} == {"stale"}


def test_what_cannot_be_made_again_stays(world: World, lake: Path) -> None:
    for held in list_raw(Lake(lake)):
        held.path.with_name(held.path.name + ".manifest.json").unlink()
    chain = Chain(load_settings(lake, world.configs, environ={}))
    assert candidates(chain, inventory(chain.lake), 0, (RESULTS, DATASET, BOOK), dt.date(2030, 1, 1)) == []


def test_what_a_promoted_spec_stands_on_stays(world: World) -> None:
    chain = Chain(load_settings(world.lake, world.configs, environ={}))
    held = chain.bins("minute", None)
    found = candidates(chain, inventory(chain.lake), 0, (DATASET, BOOK), dt.date(2030, 1, 1))
    assert not {held.address[:16], held.book.address[:16]} & {one.thing.address[:16] for one in found}


def test_a_kind_that_is_none_is_refused(world: World, lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = gc(capsys, world, lake, "--only", "raw")
    assert said.code == 2
    assert "`--only` must be one of results, models, dataset, book, was 'raw'" in said.err


def test_gc_when_a_derived_thing_is_damaged_then_names_it_and_goes_on(
    world: World, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = gc(capsys, world, lake, "--keep-days", "0")
    dataset = next(row["name"] for row in listed.data["things"] if row["kind"] == "dataset")
    manifest = lake / "research/vp_immutable" / dataset / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-40])
    book = next((lake / "cache/vp_book").glob("*.manifest.json"))
    book.write_text("{}")
    said = gc(capsys, world, lake, "--keep-days", "0")
    assert said.code == 0, said.err
    assert said.err.count("left out: ") == 2
    assert dataset in said.err
    assert book.name in said.err
    assert dataset not in {row["name"] for row in said.data["things"]}


def test_gc_when_a_campaign_is_damaged_then_drops_nothing(
    world: World, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Lake(lake).path("research/vp_campaigns")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "damaged__0123456789ab.json").write_text("{")
    before = sorted(path for path in lake.rglob("*") if path.is_file())
    said = gc(capsys, world, lake, "--keep-days", "0", "--yes")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "damaged__0123456789ab.json" in said.err
    assert sorted(path for path in lake.rglob("*") if path.is_file()) == before
