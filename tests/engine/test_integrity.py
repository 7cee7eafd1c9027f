"""What a raw file covers, whether its book is known from the start, and the signs of faults that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dbn_kit as kit
import numpy as np
import pytest
from harness import engine_config, real_file
from streams import BASE_NS
from twin import make_records
from twin.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT, UNDEF_PRICE

from vp_engine.feed import capture, scan
from vp_engine.integrity import MIN_PRICES, Integrity, examine, fitting_tick, of_counters

CONFIG = engine_config()
TICK = CONFIG.tick_int
Row = dict[str, Any]


def row(action: str, side: str, order_id: int, tick: int, size: int, flags: int = F_LAST, at: int = 0) -> Row:
    price = UNDEF_PRICE if action == "R" else tick * TICK
    return {"ts": BASE_NS + at, "action": action, "side": side, "order_id": order_id, "price": price, "size": size,
            "flags": flags}  # fmt: skip


def opening(flags: int = F_LAST) -> list[Row]:
    return [row("R", "N", 0, 0, 0, flags), row("A", "B", 1, 19_199, 5, flags), row("A", "A", 2, 19_201, 5, flags)]


def file_of(folder: Path, rows: list[Row], **header: Any) -> Path:
    return kit.write_file(folder / "day.dbn", kit.header(**header), make_records(rows))


@pytest.mark.parametrize(
    ("first", "complete"),
    [
        (row("R", "N", 0, 0, 0), True),
        (row("R", "N", 0, 0, 0, F_SNAPSHOT), True),
        (row("A", "B", 7, 19_190, 1, F_SNAPSHOT), True),
        (row("A", "B", 7, 19_190, 1), False),
        (row("C", "B", 7, 19_190, 1), False),
    ],
)
def test_complete_start_when_the_first_record_clears_or_restates_then_holds(
    tmp_path: Path, first: Row, complete: bool
) -> None:
    trade = row("T", "B", 0, 19_200, 1)  # moves no book, so it does not count as the first record
    assert scan(file_of(tmp_path, [trade, first, *opening()[1:]]), "ESH4").complete_start is complete


def test_coverage_when_the_metadata_ends_early_then_ends_there(tmp_path: Path) -> None:
    end = BASE_NS + 10**12
    info = scan(file_of(tmp_path, opening(), end_ns=end), "ESH4")
    assert (info.coverage_start_ns, info.coverage_end_ns) == (BASE_NS // kit.DAY_NS * kit.DAY_NS, end)


@pytest.mark.parametrize(("limit", "reached"), [(3, True), (4, False), (0, False)])
def test_coverage_when_a_limit_was_reached_then_ends_at_the_last_record(
    tmp_path: Path, limit: int, reached: bool
) -> None:
    rows = [*opening()[:2], row("A", "A", 2, 19_201, 5, at=5_000)]
    info = scan(file_of(tmp_path, rows, limit=limit or None), "ESH4")
    assert info.coverage_end_ns == (BASE_NS + 5_000 if reached else BASE_NS // kit.DAY_NS * kit.DAY_NS + kit.DAY_NS)


def lost(n: int) -> list[Row]:
    return [row("C", "B", 1_000 + i, 19_199, 1, at=100 + i) for i in range(n)]


FAULTS: dict[str, tuple[list[Row], str]] = {
    "lost records": (lost(30), "cancels of orders that were never added: 30, first at 2023-12-25 12:00:00.000 UTC"),
    "a doubt of the vendor": (
        [row("A", "B", 3, 19_198, 1, F_LAST | F_MAYBE_BAD_BOOK)],
        "records whose book the vendor doubts (F_MAYBE_BAD_BOOK): 1, first at",
    ),
    "a repeated part": (
        [row("A", "B", 3, 19_198, 1) | {"sequence": 1}],
        "records whose sequence number runs back, so a part of the day is repeated: 1, first at",
    ),
    "fills beyond a trade": (
        [row("T", "A", 0, 19_199, 1, 0), row("F", "B", 1, 19_199, 3)],
        "contracts filled beyond their trade: 2, first at",
    ),
    "adds of resting orders": ([row("A", "B", 1, 19_199, 5)] * 25, "adds of orders that already rest: 25, first at"),
    "a crossed market": (
        [row("A", "B", 50 + i, 19_202, 1) for i in range(30)],
        "events that leave the book crossed or locked: 30, first at",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_examine_when_a_day_is_faulty_then_doubts_it_with_count_and_first_time(tmp_path: Path, kind: str) -> None:
    rows, words = FAULTS[kind]
    found = examine(file_of(tmp_path, [*opening(), *rows]), CONFIG)
    assert words in (found.doubt() or ""), found
    assert any(line.startswith(words) for line in found.lines())


def test_examine_when_faults_stay_under_their_limits_then_tells_them_and_doubts_nothing(tmp_path: Path) -> None:
    found = examine(file_of(tmp_path, [*opening(), *lost(20)]), CONFIG)
    assert (found.doubt(), len(found.lines())) == (None, 1)


def test_examine_when_the_day_is_clean_then_says_nothing(tmp_path: Path) -> None:
    assert examine(file_of(tmp_path, opening(F_SNAPSHOT)), CONFIG) == Integrity(3, {}, {})


@pytest.mark.real
@pytest.mark.skipif(not real_file().exists(), reason="the real capture is not here")
def test_examine_when_the_day_is_real_then_doubts_nothing() -> None:
    found = examine(real_file(), CONFIG)
    assert (found.doubt(), found.counts) == (None, {"crossed_events": 891})


def test_of_counters_when_some_are_zero_then_leaves_them_out() -> None:
    assert of_counters({"off_grid": 3, "overfilled": 0}, {"off_grid": 7, "overfilled": 0}, 9).counts == {"off_grid": 3}


def test_fitting_tick_when_the_lock_is_wrong_then_gives_the_one_that_fits() -> None:
    prices = 25 * np.arange(100, 100 + MIN_PRICES, dtype=np.int64)
    assert fitting_tick(prices, 25) is None
    assert fitting_tick(prices, 5) == 25  # too fine
    assert fitting_tick(prices, 100) == 25  # too coarse
    assert fitting_tick(prices[1:], 5) is None  # too few prices to tell
    assert (
        fitting_tick(np.append(np.tile(prices, 1), 2_501), 25) is None
    )  # one of 51 is off: a stray price is no tick size
    many = 25 * np.arange(100, 400, dtype=np.int64)
    assert fitting_tick(np.append(many, 2_501), 25) is None  # a stray price is counted, not refused


def test_stub_orders_and_stray_prices_name_no_other_tick_size() -> None:
    cent = 10_000_000
    book = np.arange(5_000, 6_000, dtype=np.int64) * cent
    stubs = np.arange(1, 200, dtype=np.int64) * 100_000  # sub-dollar prices, 0.0001 apart
    assert fitting_tick(np.union1d(book, stubs), cent) is None
    stray = book[:900:9] + np.arange(1, 101) * 7 + 1
    assert fitting_tick(np.union1d(book, stray), cent) is None
    assert fitting_tick(np.union1d(book, stray[:5]), 5 * cent) == cent
    assert fitting_tick(np.union1d(book, stray), 5 * cent) is None


def test_prices_looked_at_lie_about_the_quotes() -> None:
    cent = 10_000_000
    quoted = np.arange(5_000, 6_000, dtype=np.int64) * cent
    stubs = np.arange(1, 5_000, dtype=np.int64) * 100_000
    seen = capture._nearest(np.union1d(quoted, stubs), np.concatenate([np.repeat(quoted, 20), stubs]))
    assert seen.size == capture.MAX_PRICES
    assert np.isin(quoted, seen).all()
