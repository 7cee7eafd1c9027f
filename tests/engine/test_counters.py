"""Every counter, exactly, on streams made for it; all of them stand in the manifest of the dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dbn_kit as kit
import pytest
import streams
from harness import capture_of, engine_config
from streams import BASE_NS, TICK_INT
from twin import make_records, twin_run
from twin.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT, UNDEF_PRICE

from vp_engine.book.state import COUNTER_NAMES
from vp_engine.lake import Lake, open_dataset
from vp_engine.lake.datasets import write_dataset
from vp_engine.stream import EventStream, stream_events

CONFIG = engine_config(n_absolute_ticks=2048, grid_radius_ticks=10)
ALL = (*COUNTER_NAMES, "events_kept")
Row = dict[str, Any]


def row(
    action: str, side: str, order_id: int, price: float | None, size: int, flags: int = F_LAST, ms: int = 1200
) -> Row:
    """One record; price in ticks, None is undefined."""
    price_int = UNDEF_PRICE if price is None else round(price * TICK_INT)
    return {
        "ts": BASE_NS + ms * 1_000_000, "action": action, "side": side, "order_id": order_id, "price": price_int,
        "size": size, "flags": flags,
    }  # fmt: skip


BID, ASK = 19_199, 19_201
QUOTES = [row("A", "B", 1, BID, 5, ms=0), row("A", "A", 2, ASK, 6, ms=0)]
S, SL = F_SNAPSHOT, F_SNAPSHOT | F_LAST
FAR = 19_200 + 600

# What happens after the quotes, and every counter that is not zero then.
CASES: dict[str, tuple[list[Row], dict[str, int]]] = {
    "nothing": ([], {}),
    "off_grid add": ([row("A", "B", 3, BID - 0.4, 1), row("A", "A", 4, ASK + 0.5, 1)], {"off_grid": 2}),
    "off_grid modify": ([row("M", "B", 1, BID - 0.25, 1)], {"off_grid": 1}),
    "a cancel, a fill or a trade off the grid is no fault": (
        [row("T", "A", 0, BID + 0.1, 1, 0), row("F", "B", 1, BID + 0.1, 1), row("C", "B", 1, BID + 0.1, 1)],
        {"traded_sided": 1, "filled_sided": 1},
    ),
    "undef_price": (
        [row("A", "B", 3, None, 1), row("M", "B", 1, None, 9), row("M", "B", 77, None, 9)],
        {"undef_price": 3},
    ),
    "no_side": ([row("A", "N", 3, BID, 1), row("A", "N", 4, BID, 0)], {"no_side": 2}),
    "a modify without a side keeps the order's": ([row("M", "N", 1, BID, 9)], {}),
    "duplicate_add": ([row("A", "A", 1, ASK + 3, 2)], {"duplicate_add": 1}),
    "unknown_modify": (
        [row("M", "B", 3, BID, 1), row("M", "N", 4, BID, 1), row("M", "B", 5, BID, 0)],
        {"unknown_modify": 3, "no_side": 1, "zero_size_add": 1},
    ),
    "unknown_cancel": (
        [row("C", "B", 3, BID, 1), row("C", "B", 1, BID, 5), row("C", "B", 1, BID, 5)],
        {"unknown_cancel": 2},
    ),
    "unknown_fill": (
        [row("F", "B", 3, BID, 2), row("F", "N", 4, BID, 3), row("F", "A", 5, None, 4)],
        {"unknown_fill": 3, "filled_unsided": 9},
    ),
    "aggressor_fills": (
        [
            row("T", "B", 0, ASK, 2, 0), row("F", "B", 1, ASK, 2, 0), row("F", "A", 2, ASK, 2, 0),
            row("F", "B", 1, ASK, 2, 0), row("M", "A", 2, ASK, 4),
        ],
        {"aggressor_fills": 2, "traded_sided": 2, "filled_sided": 2},
    ),
    "a cross fills both sides at another price than they rest at, and its trade comes later": (
        [
            row("F", "B", 1, BID + 1, 2, 0), row("C", "B", 1, BID, 2), row("F", "A", 2, BID + 1, 2, 0),
            row("C", "A", 2, ASK, 2), row("T", "N", 0, BID + 1, 2, ms=1301),
        ],
        {"filled_unsided": 4, "traded_unsided": 2},
    ),
    "a trade that met liquidity which is not shown": (
        [row("T", "A", 0, BID, 5, 0), row("F", "B", 1, BID, 3, 0), row("M", "B", 1, BID, 2)],
        {"traded_sided": 5, "filled_sided": 3, "unattributed": 2},
    ),
    "a fill beyond its trade": (
        [row("T", "A", 0, BID, 1, 0), row("F", "B", 1, BID, 3, 0), row("F", "N", 1, BID, 1, 0)],
        {"traded_sided": 1, "filled_sided": 4, "overfilled": 3},
    ),
    "a fill of another event belongs to no trade": (
        [row("T", "A", 0, BID, 1), row("F", "B", 1, BID, 1, ms=1301)],
        {"traded_sided": 1, "unattributed": 1, "filled_unsided": 1},
    ),
    "zero_size_add": ([row("A", "B", 3, BID, 0), row("A", "B", 1, BID, 0)], {"zero_size_add": 2}),
    "clock_regressions": (
        [row("A", "B", 3, BID, 1, ms=1300), row("C", "B", 3, BID, 1, ms=1299), row("T", "N", 0, BID, 0, ms=1250)],
        {"clock_regressions": 2},
    ),
    "crossed_events": (
        [
            row("A", "B", 3, ASK, 1, 0), row("A", "B", 4, ASK + 1, 1), row("N", "N", 0, None, 0),
            row("C", "B", 4, ASK + 1, 1), row("C", "B", 3, ASK, 1),
        ],
        {"crossed_events": 3},
    ),  # crossed inside the event, crossed at its end, still, locked at its end, sound again
    "reanchors": (
        [row("A", "A", 3, FAR + 1, 1, 0), row("C", "A", 2, ASK, 6, 0), row("A", "B", 4, FAR - 1, 1)],
        {"reanchors": 1},
    ),
    "volumes": (
        [
            row("T", "B", 0, ASK, 2, 0), row("F", "A", 2, ASK, 2, 0), row("M", "A", 2, ASK, 4),
            row("T", "A", 0, BID, 3, 0), row("F", "B", 1, BID, 3, 0), row("C", "B", 1, BID, 3),
            row("T", "N", 0, BID + 1, 1, 0), row("F", "N", 1, BID + 1, 1, 0), row("F", "N", 2, BID + 1, 1, 0),
        ],
        {"traded_sided": 5, "filled_sided": 5, "traded_unsided": 1, "filled_unsided": 2},
    ),
    "snapshots": (
        [row("A", "B", 1, BID, 5, S), row("A", "A", 2, ASK, 6, SL), row("A", "B", 1, BID, 5, SL, ms=1300)],
        {"snapshots": 2, "snapshot_missing": 1},
    ),
    "snapshot differences": (
        [
            row("R", "N", 0, None, 0, S), row("A", "B", 1, BID, 4, S), row("A", "A", 7, ASK, 6, S),
            row("A", "B", 8, BID, 1, SL),
        ],
        {"snapshots": 1, "clears": 1, "snapshot_missing": 1, "snapshot_extra": 2, "snapshot_changed": 1},
    ),
    "a snapshot over an empty book differs from nothing": (
        [row("R", "N", 0, None, 0), row("A", "B", 1, BID, 4, S), row("A", "A", 7, ASK, 6, SL)],
        {"snapshots": 1, "clears": 1},
    ),
    "a fill or a trade inside a snapshot is none": (
        [
            row("A", "B", 1, BID, 5, S), row("T", "A", 0, BID, 2, S), row("F", "B", 1, BID, 2, S),
            row("T", "N", 0, BID, 2, S), row("A", "A", 2, ASK, 6, SL),
            row("C", "B", 1, BID, 2),
        ],
        {"snapshots": 1},
    ),
    "maybe_bad_book": ([row("A", "B", 3, BID, 1, F_LAST | F_MAYBE_BAD_BOOK)], {"maybe_bad_book": 1}),
    "sequence_regressions": (
        [
            row("A", "B", 3, BID, 1) | {"sequence": 900}, row("C", "B", 3, BID, 1) | {"sequence": 900},
            row("A", "B", 3, BID, 1) | {"sequence": 899}, row("A", "B", 4, BID, 1) | {"sequence": 0},
            row("C", "B", 3, BID, 1) | {"sequence": 12}, row("C", "B", 4, BID, 1) | {"sequence": 901},
        ],
        {"sequence_regressions": 2},
    ),
    "a sequence that starts over counts once, and not at all at a later time": (
        [
            row("A", "B", 3, BID, 1) | {"sequence": 900}, row("A", "B", 4, BID, 1) | {"sequence": 5},
            row("C", "B", 3, BID, 1) | {"sequence": 6}, row("C", "B", 4, BID, 1) | {"sequence": 7},
            row("A", "B", 5, BID, 1, ms=1301) | {"sequence": 2}, row("C", "B", 5, BID, 1, ms=1301) | {"sequence": 3},
        ],
        {"sequence_regressions": 1},
    ),
    "a sequence starts over behind a clear and a snapshot": (
        [
            row("A", "B", 3, BID, 1) | {"sequence": 900}, row("R", "N", 0, None, 0) | {"sequence": 901},
            row("A", "B", 1, BID, 5) | {"sequence": 4}, row("A", "B", 1, BID, 5, S) | {"sequence": 1},
            row("A", "A", 2, ASK, 6, SL) | {"sequence": 3}, row("A", "B", 6, BID, 1) | {"sequence": 2},
        ],
        {"clears": 1, "snapshots": 1, "snapshot_extra": 1},
    ),
    "sequences of two publishers": (
        [
            row("A", "B", 3, BID, 1) | {"sequence": 900}, row("A", "B", 4, BID, 1) | {"sequence": 5, "publisher_id": 7},
            row("C", "B", 3, BID, 1) | {"sequence": 901}, row("C", "B", 4, BID, 1) | {"sequence": 4, "publisher_id": 7},
            row("A", "B", 5, BID, 1) | {"sequence": 902}, row("C", "B", 5, BID, 1) | {"sequence": 5, "publisher_id": 7},
        ],
        {"sequence_regressions": 1},
    ),
    "clears": ([row("R", "N", 0, None, 0), row("R", "N", 0, None, 0)], {"clears": 2}),
}  # fmt: skip


def run(folder: Path, rows: list[Row]) -> tuple[EventStream, streams.Stream]:
    """Warm-up from 0 s, bins from 1 s to 2 s."""
    start = BASE_NS + 1_000_000_000
    stream = streams.Stream(make_records(rows), start, start + 1_000_000_000, BASE_NS)
    path = kit.write_file(folder / "day.dbn", kit.header(), stream.records)
    return stream_events([path], CONFIG, capture_of(stream, CONFIG)), stream


@pytest.mark.parametrize("case", CASES)
def test_exact(tmp_path: Path, case: str) -> None:
    """All counters of the case, the zeros too, and the twin's say the same."""
    rows, expected = CASES[case]
    events, stream = run(tmp_path, [*QUOTES, *rows])
    assert sum(block.bins.size for block in events) == 10
    assert events.counters == dict.fromkeys(ALL, 0) | expected | {"events_kept": 2 + len(rows)}
    twin = twin_run(stream.records, CONFIG, stream.start_ns, stream.end_ns, stream.warmup_start_ns).counters
    both = [name for name in ALL if name not in ("snapshots", "clears")]  # the twin leaves these two out
    assert {name: twin.get(name, 0) for name in both} == {name: events.counters[name] for name in both}


def test_every_counter_is_here() -> None:
    """Whoever adds a counter adds a case."""
    assert {name for _, expected in CASES.values() for name in expected} == set(COUNTER_NAMES)


def test_all_stand_in_the_manifest(tmp_path: Path) -> None:
    """One case behind the other, each with its quotes before and a clear behind it."""
    rows: list[Row] = []
    for n, (made, _) in enumerate(CASES.values()):
        case = [*QUOTES, *made, row("R", "N", 0, None, 0)]
        rows += [
            each | {"ts": BASE_NS + 1_200_000_000 + 2 * n + (each["ts"] > BASE_NS + 1_300_000_000)} for each in case
        ]
    events, stream = run(tmp_path, rows)
    capture = capture_of(stream, CONFIG)
    lake = Lake(tmp_path / "lake")
    info = write_dataset(
        lake, events, config=CONFIG, capture=capture, pipeline="all", address="0" * 64, inputs={},
        counters=lambda: events.counters,
    )  # fmt: skip
    counters = open_dataset(lake, info.dataset_id, verify=True).manifest["counters"]
    assert set(counters) == set(ALL)
    assert counters["events_kept"] == len(rows)
    assert counters["clears"] == len(CASES) + sum(made.get("clears", 0) for _, made in CASES.values())
    moved = {"clears", "clock_regressions", "reanchors", "sequence_regressions"}  # these depend on what comes before
    for name in set(COUNTER_NAMES) - moved:
        assert counters[name] == sum(made.get(name, 0) for _, made in CASES.values()), name
