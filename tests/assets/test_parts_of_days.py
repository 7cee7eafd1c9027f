"""Parts of a day, files of several days and repeated records through `vp import`: one raw day for each UTC day, each
record once, whatever the order of the files; or one line that says why not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.assets.test_foreign_days import ES, F_LAST, F_SNAPSHOT, Desk, S, kit, make_records
from vp_engine.feed import DbnFile
from vp_engine.lake import Lake, list_raw

NOON = 12 * 3600
DAY_S = 86_400


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda venue: Desk(tmp_path, venue, capsys)


def part(at: Desk, name: str, records: np.ndarray, first_s: float, end_s: float | None) -> Path:
    """A file that covers some seconds of the day (None: an open end), its records those received then."""
    midnight = at.venue.midnight_ns
    received = records["ts_recv"].astype(np.int64)
    last = (1 << 62) if end_s is None else midnight + round(end_s * S)
    mine = records[(received >= midnight + round(first_s * S)) & (received < last)]
    head = kit.header(mappings={at.venue.symbol: 17077}, day_ns=midnight, start_ns=midnight + round(first_s * S),
                      end_ns=None if end_s is None else last)  # fmt: skip
    return kit.write_file(at.folder / name, head, mine)


def whole_day(at: Desk) -> np.ndarray:
    """A snapshot, orders around noon, and those of the captured minute."""
    around = [at.row(NOON - 50 + i, "A", "B", 9_000 + i, ES.middle - 20, 1) for i in range(100)]
    return make_records([*at.snapshot(), *around, *at.adds()])


def days(at: Desk) -> list[Any]:
    return list_raw(Lake(at.folder / "lake"))


def records_of(day: Any) -> np.ndarray:
    return np.concatenate(list(DbnFile(day.file()).records_of(day.manifest.symbol)))


def test_halves_that_overlap_when_imported_together_then_are_the_whole_day_in_any_order(desk: Any) -> None:
    at = desk(ES)
    records = whole_day(at)
    files = [
        part(at, "a.dbn", records, 0, NOON + 10),
        part(at, "b.dbn.zst", records, NOON - 10, 20 * 3600),
        part(at, "c.dbn", records, 20 * 3600, DAY_S),
    ]
    addresses = set()
    for order in itertools.permutations(files):
        said = at.vp("import", *order, "--json")
        assert said.code == 0, said.err
        (facts,) = said.data
        addresses.add(facts["address"])
        assert (facts["repeated"], len(facts["sources"]), facts["kept"]) == (20, 3, records.size)
        assert facts["coverage_end_ns"] - facts["coverage_start_ns"] == DAY_S * S
        assert facts["quarantine"] is None
    assert len(addresses) == 1
    assert (records_of(days(at)[0]) == records).all()
    assert "repeated records left out: 20." in at.vp("import", *files).out
    at.bins()


def test_one_file_twice_when_imported_then_counts_once(desk: Any) -> None:
    at = desk(ES)
    file = part(at, "a.dbn", whole_day(at), 0, DAY_S)
    (facts,) = at.vp("import", file, file, "--json").data
    assert facts["sha256"] == facts["address"]
    assert (facts["repeated"], facts["sources"], facts["file"][-4:]) == (0, [], ".dbn")


def test_equal_records_that_one_file_holds_side_by_side_when_parts_are_merged_then_stay(desk: Any) -> None:
    at = desk(ES)
    trades = [at.row(NOON, "T", "N", 0, ES.middle, 1) | {"sequence": 77} for _ in range(3)]
    records = make_records([*at.snapshot(), *trades, *at.adds()])
    assert at.vp("import", part(at, "a.dbn", records, 0, NOON + 10), part(at, "b.dbn", records, 60, DAY_S)).code == 0
    (day,) = days(at)
    assert (records_of(day) == records).all()
    assert day.manifest.repeated == 3


@pytest.mark.parametrize("copies", [1, 2])
def test_end_of_a_day_that_is_in_its_file_again_when_imported_then_counts_once(desk: Any, copies: int) -> None:
    at = desk(ES)
    records = whole_day(at)
    head = kit.header(mappings={ES.symbol: 17077}, day_ns=ES.midnight_ns)
    file = kit.write_file(at.folder / "day.dbn", head, records, *[records[-20:]] * copies)
    said = at.vp("import", file)
    assert said.code == 0, said.err
    assert f"repeated records left out: {20 * copies}." in said.out
    (day,) = days(at)
    assert (records_of(day) == records).all()
    assert day.manifest.quarantine is None
    assert at.vp("import", file, "--json").data[0]["store_hit"]
    at.bins()


def test_gap_between_parts_when_imported_then_is_refused_by_name_and_nothing_stays(desk: Any) -> None:
    at = desk(ES)
    records = whole_day(at)
    files = part(at, "a.dbn", records, 0, NOON), part(at, "b.dbn", records, NOON + 60, DAY_S)
    said = at.vp("import", *files[::-1])
    assert (said.code, said.err) == (
        2,
        "vp: 2023-12-25 of ESH4: no file covers 2023-12-25 12:00:00.000 to 2023-12-25 12:01:00.000 UTC, between a.dbn "
        "and b.dbn; fetch that part too\n",
    )
    assert not list((at.folder / "lake").rglob("*.dbn*"))


def test_part_with_an_open_end_when_imported_then_covers_up_to_its_last_record(desk: Any) -> None:
    at = desk(ES)
    records = whole_day(at)
    first = part(at, "a.dbn", records[:60], 0, DAY_S)
    content = bytearray(first.read_bytes())
    limited = kit.header(mappings={ES.symbol: 17077}, day_ns=ES.midnight_ns, limit=60)
    first.write_bytes(limited + bytes(content[-60 * 56 :]))
    said = at.vp("import", first, part(at, "b.dbn", records, NOON, DAY_S))
    assert (said.code, "no file covers" in said.err) == (2, True), said


@pytest.mark.parametrize("kind", ["empty", "cut", "foreign", "missing", "text"])
def test_bad_file_among_good_ones_when_imported_then_is_named_and_nothing_stays(desk: Any, kind: str) -> None:
    at = desk(ES)
    records = whole_day(at)
    good = part(at, "a.dbn", records, 0, NOON)
    bad = part(at, "bad.dbn", records, NOON, DAY_S)
    if kind == "empty":
        bad.write_bytes(b"")
    elif kind == "cut":
        bad.write_bytes(bad.read_bytes()[:-7])
    elif kind == "foreign":
        kit.write_file(bad, kit.header(mappings={"ESM4": 5}, day_ns=ES.midnight_ns), records)
    elif kind == "missing":
        bad.unlink()
    else:
        bad.write_text("hello, this is no DBN file")
    said = at.vp("import", good, bad)
    assert (said.code, "bad.dbn" in said.err, said.err.count("\n")) == (2, True, 1), said
    assert not list((at.folder / "lake").rglob("*.dbn*"))


def two_days(at: Desk, opening: int) -> Path:
    """Records of two days in one file; flags of those that open the second day."""
    second = at.snapshot(DAY_S, opening)
    if not opening:
        second = [row | {"flags": F_LAST} for row in second[1:]]
    later = [at.row(DAY_S + 100 + i, "A", "B", 7_000 + i, ES.middle - 9, 1) for i in range(5)]
    rows = [*at.snapshot(), *at.adds(), *second, *later]
    head = kit.header(mappings={ES.symbol: 17077}, day_ns=ES.midnight_ns, end_ns=ES.midnight_ns + 2 * DAY_S * S)
    return kit.write_file(at.folder / "two.dbn", head, make_records(rows))


def test_file_of_two_days_when_imported_then_is_two_raw_days(desk: Any) -> None:
    at = desk(ES)
    said = at.vp("import", two_days(at, F_SNAPSHOT))
    assert said.code == 0, said.err
    assert [(str(day.manifest.day), day.manifest.kept) for day in days(at)] == [("2023-12-25", 51), ("2023-12-26", 26)]
    for day in days(at):
        assert day.manifest.complete_start
        assert day.manifest.coverage_end_ns - day.manifest.coverage_start_ns == DAY_S * S
    at.bins()


def test_second_day_of_a_file_when_its_book_is_not_known_then_is_left_out_and_the_first_stays(desk: Any) -> None:
    at = desk(ES)
    said = at.vp("import", two_days(at, 0))
    assert (said.code, "its part of 2023-12-26 opens with neither a clear nor a snapshot" in said.err) == (2, True), (
        said
    )
    assert [str(day.manifest.day) for day in days(at)] == ["2023-12-25"]
    at.bins()


def test_parts_when_the_lake_cannot_be_written_then_one_line_says_so(desk: Any) -> None:
    at = desk(ES)
    records = whole_day(at)
    files = part(at, "a.dbn", records, 0, NOON + 10), part(at, "b.dbn", records, NOON, DAY_S)
    (at.folder / "lake").write_text("a file where a folder should be")
    said = at.vp("import", *files)
    assert (said.code, said.err.count("\n"), "Traceback" in said.err) == (2, 1, False), said


def test_part_whose_times_run_back_everywhere_when_imported_with_another_then_is_refused_by_name(desk: Any) -> None:
    at = desk(ES)
    records = whole_day(at)
    shuffled = records.copy()
    shuffled["ts_recv"][1:] = shuffled["ts_recv"][1:][::-1]
    head = kit.header(mappings={ES.symbol: 17077}, day_ns=ES.midnight_ns)
    odd = kit.write_file(at.folder / "odd.dbn", head, shuffled)
    said = at.vp("import", part(at, "a.dbn", records, 0, NOON), odd)
    assert (said.code, said.err[:45], said.err.count("\n")) == (2, "vp: odd.dbn: its receive times run back more ", 1)
    (facts,) = at.vp("import", odd, "--json").data  # by itself it comes in as it is
    assert (facts["repeated"], facts["kept"]) == (0, records.size)
