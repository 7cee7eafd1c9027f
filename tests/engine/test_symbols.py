"""Which records of a file are the contract's: by metadata, by messages of the stream, by neither."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import databento_dbn
import dbn_kit as kit
import numpy as np
import pytest
import zstandard
from streams import BASE_NS
from twin import make_records

from vp_engine.errors import DataError
from vp_engine.feed import DbnFile, scan

ESH4, ESM4 = 17077, 99


def adds(first_id: int, n: int = 3, instrument_id: int = ESH4) -> np.ndarray:
    rows = [
        {
            "ts": BASE_NS + i,
            "action": "A",
            "side": "B",
            "order_id": first_id + i,
            "price": 10**12,
            "size": 1,
            "flags": 128,
        }
        for i in range(n)
    ]
    return kit.of_instrument(make_records(rows), instrument_id)


def order_ids(path: Path, symbol: str) -> list[int]:
    return [int(number) for batch in DbnFile(path).records_of(symbol) for number in batch["order_id"]]


@pytest.mark.parametrize("version", [1, 3])
def test_records_of_when_messages_map_two_contracts_then_takes_only_the_contract(tmp_path: Path, version: int) -> None:
    messages = [kit.mapping(name, number, version=version) for name, number in (("ESH4", ESH4), ("ESM4", ESM4))]
    path = kit.write_file(
        tmp_path / "live.dbn", kit.header(mappings={}, schema=None), *messages,
        *(part for i in range(3) for part in (adds(10 * i, 2), adds(10 * i + 5, 2, ESM4))),
    )  # fmt: skip
    assert DbnFile(path).identify("ESH4") == (frozenset({ESH4}), "stream")
    assert order_ids(path, "ESH4") == [0, 1, 10, 11, 20, 21]
    assert order_ids(path, "ESM4") == [5, 6, 15, 16, 25, 26]
    assert scan(path, "ESH4").kept == 6


def test_records_of_when_an_id_comes_to_mean_another_contract_then_stops_there(tmp_path: Path) -> None:
    path = kit.write_file(
        tmp_path / "live.dbn", kit.header(mappings={"ESH4": ESH4}), adds(0), kit.mapping("ESM4", ESH4), adds(10),
        kit.mapping("ESH4", 7), adds(20), adds(30, 3, 7),
    )  # fmt: skip
    assert order_ids(path, "ESH4") == [0, 1, 2, 30, 31, 32]


def test_identify_when_the_only_message_names_another_contract_then_refuses_by_name(tmp_path: Path) -> None:
    path = kit.write_file(tmp_path / "live.dbn", kit.header(mappings={}), kit.mapping("ESM4", ESM4), adds(0, 3, ESM4))
    with pytest.raises(DataError, match=r"live\.dbn: holds ESM4, not ESH4"):
        DbnFile(path).identify("ESH4")


def test_identify_when_a_parent_subscription_leads_to_the_contract_then_takes_it(tmp_path: Path) -> None:
    path = kit.write_file(
        tmp_path / "live.dbn", kit.header(mappings={}), kit.mapping("ESH4", ESH4, asked="ES.FUT"),
        kit.mapping("ESH4-ESM4", 5, asked="ES.FUT"), adds(0), adds(10, 3, 5),
    )  # fmt: skip
    assert order_ids(path, "ESH4") == [0, 1, 2]


def test_identify_when_nothing_is_mapped_then_assumes_a_single_instrument_and_says_so(tmp_path: Path) -> None:
    path = kit.write_file(tmp_path / "day.dbn", kit.header(mappings={}), adds(0))
    assert DbnFile(path).identify("ESH4") == (frozenset({ESH4}), "assumed")
    assert scan(path, "ESH4").symbol_source == "assumed"


def test_identify_when_a_continuous_symbol_names_no_contract_then_says_what_to_ask_for(tmp_path: Path) -> None:
    path = kit.write_file(tmp_path / "day.dbn", kit.header(mappings={"ES.v.0": ESH4}), adds(0))
    with pytest.raises(
        DataError, match=r"holds ES\.v\.0, not ESH4; .* ask for raw symbols, or for stype_out=raw_symbol"
    ):
        DbnFile(path).identify("ESH4")


def test_identify_when_a_continuous_symbol_is_translated_into_the_contract_then_takes_it(tmp_path: Path) -> None:
    day = databento_dbn.Metadata.decode(kit.header(mappings={"ES.v.0": ESH4}))
    interval = next(iter(day.mappings.values()))[0]
    named = SimpleNamespace(start_date=interval["start_date"], end_date=interval["end_date"], symbol="ESH4")
    head = databento_dbn.Metadata(
        dataset="GLBX.MDP3", start=day.start, end=day.end, stype_in=databento_dbn.SType.CONTINUOUS,
        stype_out=databento_dbn.SType.RAW_SYMBOL, schema=databento_dbn.Schema("mbo"), symbols=["ES.v.0"],
        mappings=[SimpleNamespace(raw_symbol="ES.v.0", intervals=[named])], version=3,
    )  # fmt: skip
    path = kit.write_file(tmp_path / "day.dbn", bytes(head.encode()), adds(0))
    assert order_ids(path, "ESH4") == [0, 1, 2]
    with pytest.raises(DataError, match="holds ESH4, not ESM4"):
        DbnFile(path).identify("ESM4")


def test_batches_when_there_are_more_mappings_than_one_walk_takes_then_none_is_lost(tmp_path: Path) -> None:
    messages = b"".join(kit.mapping(f"X{i}", 1_000 + i) for i in range(1_500))
    path = kit.write_file(
        tmp_path / "live.dbn", kit.header(mappings={}), messages, kit.mapping("ESH4", ESH4), adds(0), messages, adds(10)
    )
    assert order_ids(path, "ESH4") == [0, 1, 2, 10, 11, 12]
    assert order_ids(path, "X1499") == []


def test_batches_when_zstd_begins_with_a_skippable_frame_then_reads_behind_it(tmp_path: Path) -> None:
    skippable = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    data = kit.header() + adds(0).tobytes()
    path = tmp_path / "day.dbn.zst"
    path.write_bytes(
        skippable + zstandard.compress(data[:300]) + skippable + zstandard.compress(data[300:]) + skippable
    )
    assert order_ids(path, "ESH4") == [0, 1, 2]


@pytest.mark.parametrize("suffix", [".dbn", ".dbn.zst"])
def test_batches_when_files_were_glued_together_then_refuses_and_says_where(tmp_path: Path, suffix: str) -> None:
    one = kit.header() + adds(0, 40).tobytes()
    path = kit.write_file(tmp_path / f"day{suffix}", one, one)
    with pytest.raises(DataError, match=r"another DBN file begins at record 40, .* import them one by one"):
        scan(path, "ESH4")
