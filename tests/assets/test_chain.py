"""The whole chain through Dagster: new once, found ever after, recorded where the UI looks."""

from __future__ import annotations

import dagster as dg
import pytest

from tests.assets.conftest import Vp, World
from vp_assets.research.requests import Chain
from vp_assets.runs.in_process import Runner, open_instance
from vp_assets.settings import Settings, load_settings
from vp_engine.errors import ConfigError

CHAIN = ["raw_dbn", "minute/book_cache", "minute/bins", "minute_sweep/sweep"]


@pytest.fixture(scope="module")
def settings(world: World) -> Settings:
    return load_settings(world.lake, world.configs, environ={})


def events(settings: Settings, key: list[str]) -> list[dg.AssetMaterialization]:
    """Materialisations of an asset, newest first."""
    with open_instance(settings) as instance:
        records = instance.fetch_materializations(dg.AssetKey(key), limit=50).records
        return [record.asset_materialization for record in records]


def test_first_run_makes_everything(world: World) -> None:
    assert [step["asset"] for step in world.run["steps"]] == CHAIN
    assert [step["store_hit"] for step in world.run["steps"]] == [True, False, False, False]
    assert world.promoted["steps"][0]["store_hit"] is False
    assert all(len(step["address"]) == 64 for step in world.run["steps"])


def test_second_run_finds_everything(world: World, vp: Vp) -> None:
    again = vp("run", "minute_sweep", "--json").data
    assert [step["store_hit"] for step in again["steps"]] == [True] * 4
    assert [step["address"] for step in again["steps"]] == [step["address"] for step in world.run["steps"]]
    assert again["best"] == world.run["best"]
    promoted = vp("promote", "minute_sweep", "--json").data
    assert promoted["steps"][0]["store_hit"] is True
    assert promoted["path"] == world.promoted["path"]


def test_metadata_says_what_was_made(world: World, settings: Settings) -> None:
    made = next(event for event in events(settings, ["minute", "bins"]) if not event.metadata["store_hit"].value)
    facts = {name: value.value for name, value in made.metadata.items()}
    assert (facts["bins"], facts["rows"]) == (600, 600 * 101)
    assert facts["day"].startswith("good: 600 of 600 bins valid, ")
    assert facts["events"] > 10_000
    assert facts["events_per_s"] > 0
    assert facts["bytes"] > 100_000
    assert facts["preview"].startswith("![MNQH6_20260206_0930_0931__minute__")
    assert "data:image/png;base64," in facts["preview"]
    assert len(facts["preview"]) < 200_000
    assert "| traded_sided |" in facts["counters"]


@pytest.mark.parametrize("key", CHAIN)
def test_data_version_is_the_address(settings: Settings, key: str) -> None:
    made = events(settings, key.split("/"))
    assert made
    for event in made:
        assert event.tags["dagster/data_version"] == event.metadata["address"].value


def test_every_check_passed_but_significance(settings: Settings) -> None:
    found = {}
    with open_instance(settings) as instance:
        for run in instance.get_runs():
            for entry in instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
                evaluation = entry.get_dagster_event().asset_check_evaluation_data
                found[(evaluation.asset_key.to_user_string(), evaluation.check_name)] = evaluation.passed
    own = (*CHAIN, "minute_sweep/promoted")  # other tests may have run more in this world
    failed = {key for key, passed in found.items() if not passed and key[0] in own}
    assert failed <= {("minute_sweep/promoted", "significant")}
    assert len(found) >= 19


def test_check_results_are_kept_by_day(settings: Settings) -> None:
    keys = [
        dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name)
        for asset, name in (("raw_dbn", "hash"), ("minute/book_cache", "depth"), ("minute/bins", "checksums"))
    ]
    with open_instance(settings) as instance:
        found = instance.event_log_storage.get_asset_check_partition_info(keys)
    held = {(info.check_key, info.partition_key): info.latest_execution_status.value for info in found}
    assert all(held[key, "2026-02-06"] == "SUCCEEDED" for key in keys)


def test_runs_are_recorded_with_the_command(settings: Settings) -> None:
    with open_instance(settings) as instance:
        tags = {run.tags.get("spymaster/by") for run in instance.get_runs()}
    assert {"vp run minute_sweep", "vp promote minute_sweep"} <= tags


def test_another_pipeline_with_the_same_numbers_shares_the_dataset(world: World, vp: Vp) -> None:
    twin = world.root / "twin.yaml"
    twin.write_text((world.configs / "pipelines" / "minute.yaml").read_text().replace("name: minute", "name: twin"))
    steps = vp("generate", twin, "--json").data["steps"]
    assert [step["store_hit"] for step in steps] == [True, True, True]
    assert steps[-1]["address"] == world.run["steps"][2]["address"]


def test_promoted_spec_is_listed_and_pinned(world: World, vp: Vp) -> None:
    listed = vp("list-specs", "--json").data
    assert {"kind": "promoted", "name": world.promoted["serving"]}.items() <= next(
        row for row in listed if row["name"] == world.promoted["serving"]
    ).items()
    best = world.run["best"][0]
    spec = Chain(load_settings(world.lake, world.configs, environ={})).specs.serving[world.promoted["serving"]]
    assert spec.promoted is not None
    assert (spec.promoted.run_id, spec.signal.threshold) == (best["run_id"], best["threshold"])
    assert spec.promoted.figures["n_signals"] == best["n_signals"]


def test_daily_pipeline_takes_the_day_it_is_given(vp: Vp) -> None:
    steps = vp("generate", "every_day", "--day", "2026-02-06", "--json").data["steps"]
    assert [(step["asset"], step["partition"]) for step in steps] == [
        ("raw_dbn", "2026-02-06"),
        ("every_day/book_cache", "2026-02-06"),
        ("every_day/bins", "2026-02-06"),
    ]
    assert steps[1]["address"] != steps[2]["address"]


def test_a_key_that_is_no_partition_is_refused(world: World, settings: Settings) -> None:
    with (
        Runner(Chain(settings), lambda *said: None, "test") as runner,
        pytest.raises((ConfigError, dg.DagsterInvariantViolationError, dg.DagsterUnknownPartitionError)),
    ):
        runner.materialize([dg.AssetKey(["minute", "bins"])], "2026-02-07")
