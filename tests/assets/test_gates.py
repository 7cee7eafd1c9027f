"""Conditions that stop a chain: each raises in the code and fails its check."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from tests.assets.conftest import World
from vp_assets.defs import metadata
from vp_assets.defs.assets import checks
from vp_assets.defs.writers import BookReplay, DatasetStream
from vp_assets.research import gates
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import BookError, DataError, LakeError
from vp_engine.lake import Lake, RawDay, open_dataset, paths
from vp_engine.lake.paths import promoted_serving_path
from vp_engine.lake.raw_checks import require_admissible
from vp_engine.lake.results import ResultsDB
from vp_engine.specs import ServingSpec, dump_yaml, load_yaml_spec

KEY = dg.AssetKey("thing")


@pytest.fixture(scope="module")
def chain(world: World) -> Chain:
    return Chain(load_settings(world.lake, world.configs, environ={}))


@pytest.fixture(scope="module")
def checkpoint(chain: Chain) -> BookCheckpoint:
    return chain.stored_book(chain.book("minute", None))


def raw_day(chain: Chain, **changes: object) -> RawDay:
    day = chain.raw(chain.capture("minute", None).book_day())
    return day._replace(manifest=day.manifest.model_copy(update=changes))


def failed(results: object) -> dict[str, dg.AssetCheckSeverity]:
    return {result.check_name: result.severity for result in results if not result.passed}


def test_a_sound_day_passes(chain: Chain) -> None:
    assert failed(checks.raw(KEY, raw_day(chain))) == {}


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"complete_start": False}, "snapshot", "not known from its first record"),
        ({"n_bad_flags": 60_000}, "bad_flags", "untrusted"),
    ],
)
def test_days_that_no_chain_should_start_from(chain: Chain, changes: dict[str, object], check: str, words: str) -> None:
    day = raw_day(chain, **changes)
    with pytest.raises(DataError, match=words):
        require_admissible(day)
    assert failed(checks.raw(KEY, day)) == {check: dg.AssetCheckSeverity.ERROR}


def test_changed_raw_bytes_fail_the_hash(chain: Chain, tmp_path: Path) -> None:
    day = raw_day(chain)
    copy = tmp_path / day.path.name
    copy.write_bytes(day.path.read_bytes()[:-1])
    assert set(failed(checks.raw(KEY, day._replace(path=copy)))) == {"hash"}


def test_volume_is_conserved_exactly_on_the_sample(chain: Chain) -> None:
    counters = chain.stored_dataset(chain.bins("minute", None)).manifest["counters"]
    assert counters["traded_sided"] > 0
    facts = gates.volumes(counters)
    assert (facts.filled, facts.overfilled, facts.unattributed) == (facts.traded, 0, 0)


def test_fills_when_they_exceed_their_trade_then_stop_the_chain_and_fail_the_check(checkpoint: BookCheckpoint) -> None:
    changed = {**checkpoint.counters, "traded_sided": 5_000, "filled_sided": 5_010, "overfilled": 10}
    broken = BookCheckpoint(checkpoint.orders, checkpoint.scalars, changed, checkpoint.first_ns)
    with pytest.raises(DataError, match="day: fills exceed their trades by 10 of 5,000 contracts"):
        gates.require_sound_book(broken, "day")
    assert failed(checks.book(KEY, broken, "not asked")) == {"volume": dg.AssetCheckSeverity.ERROR}


def test_trades_when_they_met_liquidity_that_is_not_shown_then_pass_and_are_told(checkpoint: BookCheckpoint) -> None:
    changed = {**checkpoint.counters, "traded_sided": 5_000, "filled_sided": 4_000, "unattributed": 1_000}
    implied = BookCheckpoint(checkpoint.orders, checkpoint.scalars, changed, checkpoint.first_ns)
    assert gates.require_sound_book(implied, "day") is implied
    (volume,) = [one for one in checks.book(KEY, implied, "not asked") if one.check_name == "volume"]
    assert (volume.passed, volume.metadata["unattributed_share"].value) == (True, 0.2)


def test_orders_without_size_stop_the_chain(checkpoint: BookCheckpoint) -> None:
    orders = checkpoint.orders.copy()
    orders["size"][0] = 0
    orders["order_id"][1] = orders["order_id"][2]
    broken = BookCheckpoint(orders, checkpoint.scalars, checkpoint.counters, checkpoint.first_ns)
    with pytest.raises(BookError, match="2 resting orders"):
        gates.require_sound_book(broken, "day")
    assert failed(checks.book(KEY, broken, "not asked")) == {"depth": dg.AssetCheckSeverity.ERROR}


def test_a_crossed_book_only_warns(checkpoint: BookCheckpoint) -> None:
    changed = {**checkpoint.counters, "crossed_events": 3}
    crossed = BookCheckpoint(checkpoint.orders, checkpoint.scalars, changed, checkpoint.first_ns)
    assert gates.require_sound_book(crossed, "day") is crossed
    assert failed(checks.book(KEY, crossed, "not asked")) == {"crossed": dg.AssetCheckSeverity.WARN}


def test_blocks_must_follow_each_other_and_be_finite(chain: Chain, checkpoint: BookCheckpoint) -> None:
    request = chain.bins("minute", None)
    block = next(iter(DatasetStream(request, BookReplay(request.book).checkpoint())))
    gates.require_sound_block(block, request.capture, 0, "minute")
    with pytest.raises(DataError, match="not contiguous"):
        gates.require_sound_block(block, request.capture, 1, "minute")
    with pytest.raises(DataError, match="not contiguous"):
        gates.require_sound_block(block.part(3, 9), request.capture, 0, "minute")
    grid = block.grid.copy()
    grid[4, 7, 50] = np.nan
    with pytest.raises(DataError, match="not finite"):
        gates.require_sound_block(block._replace(grid=grid), request.capture, 0, "minute")


def test_a_damaged_raw_file_is_not_replayed_even_without_its_check(chain: Chain, tmp_path: Path) -> None:
    """A run of book or bins alone has no check of the raw day in it."""
    day = raw_day(chain)
    copy = tmp_path / day.path.name
    copy.write_bytes(day.path.read_bytes())
    same = day._replace(path=copy)
    assert same.file() == copy
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(LakeError, match="differs from its manifest; bring it into the lake again"):
        BookReplay(chain.book("minute", None)._replace(raw=same)).checkpoint()


def tables(thresholds: list[tuple[str, float]], claimed: dict[str, int]) -> tuple[pa.Table, pa.Table]:
    ids, values = zip(*thresholds, strict=True)
    meta = pa.table({"run_id": list(claimed), "n_thresholds": list(claimed.values())})
    return meta, pa.table({"run_id": list(ids), "threshold": list(values)})


@pytest.mark.parametrize(
    ("rows", "claimed", "words"),
    [
        ([("a", 0.1), ("a", 0.2), ("b", 0.1)], {"a": 2, "b": 1}, None),
        ([("a", 0.1), ("b", 0.1)], {"a": 2, "b": 1}, "2 rows, its runs have 3 thresholds"),
        ([("a", 0.1), ("a", 0.1)], {"a": 2}, "a threshold of a run stands twice"),
    ],
)
def test_sweeps_are_whole(rows: list[tuple[str, float]], claimed: dict[str, int], words: str | None) -> None:
    meta, runs = tables(rows, claimed)
    assert gates.sweep_problem(meta, runs) == words
    if words is not None:
        with pytest.raises(DataError, match=words):
            gates.require_whole_sweep(meta, runs, "sweep")


def test_a_dataset_whose_bytes_changed_fails_its_checks(world: World, chain: Chain, tmp_path: Path) -> None:
    stored = chain.stored_dataset(chain.bins("minute", None))
    lake = Lake(tmp_path / "lake")
    shutil.copytree(stored.path, lake.path(paths.DATASETS, stored.dataset_id))
    mine = open_dataset(lake, stored.dataset_id).info
    assert failed(checks.bins(KEY, lake, mine)) == {}
    grid = mine.file(paths.GRID_FILE)
    content = bytearray(grid.read_bytes())
    content[len(content) // 2] ^= 1
    grid.write_bytes(content)
    error = dg.AssetCheckSeverity.ERROR
    assert failed(checks.bins(KEY, lake, mine)) == {"finite": error, "checksums": error}


def test_results_whose_rows_are_gone_fail_their_checks(chain: Chain) -> None:
    class Short(ResultsDB):
        """Results that have lost a row."""

        def read(self, sweep_address: str, *more: object) -> tuple[pa.Table, pa.Table]:
            meta, runs = super().read(sweep_address)
            return meta, runs.slice(1)

    address = chain.sweep("minute_sweep", None).address
    assert failed(checks.sweep(KEY, chain.results, address, None)) == {}
    assert failed(checks.sweep(KEY, Short(chain.lake), address, "down")) == {
        "rows": dg.AssetCheckSeverity.ERROR, "tracked": dg.AssetCheckSeverity.WARN,
    }  # fmt: skip


def test_a_promoted_spec_that_claims_too_much_fails_its_check(world: World, chain: Chain, tmp_path: Path) -> None:
    path = promoted_serving_path(chain.lake, world.promoted["serving"])
    assert set(failed(checks.promoted(KEY, chain, path))) <= {"significant"}
    spec = load_yaml_spec(path, ServingSpec)
    assert spec.promoted is not None
    figures = {**spec.promoted.figures, "n_signals": spec.promoted.figures["n_signals"] + 1}
    boast = spec.model_copy(update={"promoted": spec.promoted.model_copy(update={"figures": figures})})
    (tmp_path / "boast.yaml").write_text(dump_yaml(boast))
    assert failed(checks.promoted(KEY, chain, tmp_path / "boast.yaml"))["replays"] == dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "good: "),
        ({"complete_start": False}, "not usable (its book is not known from the first record): "),
        ({"n_bad_flags": 60_000}, "not usable ("),
        ({"quarantine": "degraded"}, "in quarantine (degraded): "),
    ],
)
def test_a_days_metadata_begins_with_the_verdict(chain: Chain, changes: dict[str, object], words: str) -> None:
    assert metadata.raw(raw_day(chain, **changes))["day"].startswith(words)


def test_a_datasets_metadata_begins_with_the_verdict(chain: Chain) -> None:
    stored = open_dataset(chain.lake, chain.bins("minute", None).address)
    assert metadata.dataset(stored)["day"].startswith("good: 600 of 600 bins valid")
    stored.manifest["summary"]["valid_bins"] = 300
    assert metadata.dataset(stored)["day"].startswith("look at it (the book is valid in 50% of the bins): ")
    stored.manifest["counters"]["overfilled"] += 5_000
    assert metadata.dataset(stored)["day"].startswith("not good (fills exceed their trades by 5,000 contracts)")
