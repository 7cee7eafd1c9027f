"""Conditions that stop a chain: each raises in the code and fails its check."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from tests.assets.conftest import World
from vp_assets import gates
from vp_assets.assets import checks
from vp_assets.chain import Chain
from vp_assets.settings import load_settings
from vp_assets.streams import BookReplay, DatasetStream
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import BookError, DataError
from vp_engine.lake import RawDay

KEY = dg.AssetKey("thing")
SOUND = {"filled_sided": 5_000, "traded_sided": 5_000, "filled_auction": 40, "traded_auction": 20, "crossed_events": 0}


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
    [({"has_snapshot": False}, "snapshot", "no opening snapshot"), ({"n_bad_flags": 60_000}, "bad_flags", "untrusted")],
)
def test_days_that_no_chain_should_start_from(chain: Chain, changes: dict[str, object], check: str, words: str) -> None:
    day = raw_day(chain, **changes)
    with pytest.raises(DataError, match=words):
        gates.require_admissible(day)
    assert failed(checks.raw(KEY, day)) == {check: dg.AssetCheckSeverity.ERROR}


def test_changed_raw_bytes_fail_the_hash(chain: Chain, tmp_path: Path) -> None:
    day = raw_day(chain)
    copy = tmp_path / day.path.name
    copy.write_bytes(day.path.read_bytes()[:-1])
    assert set(failed(checks.raw(KEY, day._replace(path=copy)))) == {"hash"}


def test_volume_is_conserved_exactly_on_the_sample(chain: Chain) -> None:
    counters = chain.stored_dataset(chain.bins("minute", None)).manifest["counters"]
    assert counters["traded_sided"] > 0
    assert gates.volume_gap(counters) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({}, (0, 0, 0.0)),
        ({"filled_sided": 4_990}, (-10, 0, 10 / 5_040)),
        ({"traded_auction": 10}, (0, 20, 20 / 5_020)),
        ({"traded_sided": 0, "filled_sided": 1, "filled_auction": 0, "traded_auction": 0}, (1, 0, 0.001)),
    ],
)
def test_volume_gap(changes: dict[str, int], gap: tuple[int, int, float]) -> None:
    assert gates.volume_gap({**SOUND, **changes}) == pytest.approx(gap)


def test_missing_fills_stop_the_chain_and_fail_the_check(checkpoint: BookCheckpoint) -> None:
    broken = BookCheckpoint(checkpoint.orders, checkpoint.scalars, {**checkpoint.counters, "filled_sided": 50})
    broken.counters["traded_sided"] = 5_000
    with pytest.raises(DataError, match="disagree by 99"):
        gates.require_sound_book(broken, "day")
    assert failed(checks.book(KEY, broken, "not asked")) == {"volume": dg.AssetCheckSeverity.ERROR}


def test_orders_without_size_stop_the_chain(checkpoint: BookCheckpoint) -> None:
    orders = checkpoint.orders.copy()
    orders["size"][0] = 0
    orders["order_id"][1] = orders["order_id"][2]
    broken = BookCheckpoint(orders, checkpoint.scalars, checkpoint.counters)
    with pytest.raises(BookError, match="2 resting orders"):
        gates.require_sound_book(broken, "day")
    assert failed(checks.book(KEY, broken, "not asked")) == {"depth": dg.AssetCheckSeverity.ERROR}


def test_a_crossed_book_only_warns(checkpoint: BookCheckpoint) -> None:
    crossed = BookCheckpoint(checkpoint.orders, checkpoint.scalars, {**checkpoint.counters, "crossed_events": 3})
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
