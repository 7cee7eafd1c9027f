"""Datasets come back in every bit, are byte-identical twice, and are never half there."""

import itertools
import json
import os
import signal
import tracemalloc

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_kit import (
    ADDRESS,
    NAME,
    in_process,
    parts,
    random_bins,
    same_bins,
    same_block,
    small_capture,
    small_config,
    write_random,
)

from vp_engine.errors import ConfigError, DataError, LakeError, NotFoundError
from vp_engine.lake import Lake, find_dataset, list_datasets, open_dataset, write_dataset
from vp_engine.lake.blocks import ROW_GROUP_BINS, regrouped
from vp_engine.lake.manifests import sealed
from vp_engine.schema import BIN_FIELDS, GRID_F32_NAMES, GRID_STORED, BinBlock, arrow_schema, empty_block
from vp_engine.specs import build_config_with_overrides

CONFIG = small_config()
CAPTURE = small_capture(CONFIG)
BINS = random_bins(CONFIG, CAPTURE)
FILES = ("bins.parquet", "grid_clean.parquet")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """One dataset to read from."""
    return open_dataset(Lake(write_random(Lake(tmp_path_factory.mktemp("lake"))).path.parents[2]), NAME)


def write(lake, stream, address=ADDRESS, capture=CAPTURE):
    return write_dataset(
        lake, stream, config=CONFIG, capture=capture, pipeline="random", address=address, inputs={}, counters=dict
    )


def test_every_column_and_block_comes_back_in_every_bit(stored):
    for name in GRID_F32_NAMES:
        assert stored[name].tobytes() == BINS.field(name).tobytes(), name
        assert stored[name].dtype == np.float32
    assert np.array_equal(stored["state5_code"], BINS.state5)
    assert np.array_equal(stored["last_event_id"], BINS.last_event_id)
    assert same_bins(stored.bins, BINS.bins)
    assert np.array_equal(stored["mid_price"], BINS.bins["mid_price"])
    assert np.array_equal(stored["k"], np.tile(np.arange(-5, 6), (CAPTURE.n_bins, 1)))
    whole = list(stored.blocks(block_bins=CAPTURE.n_bins))
    assert len(whole) == 1
    assert same_block(whole[0], BINS)


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, CAPTURE.n_bins), size=st.integers(1, 3000))
def test_blocks_of_any_size_from_any_bin(stored, first, size):
    size = max(size, 40)
    at = first
    for block in stored.blocks(first, size):
        count = len(block.bins)
        assert count == min(size, CAPTURE.n_bins - at)
        assert same_block(block, BINS.part(at, at + count))
        at += count
    assert at == CAPTURE.n_bins


def test_blocks_belong_to_their_receiver(stored):
    blocks = list(stored.blocks(block_bins=700))
    assert same_block(blocks[0], BINS.part(0, 700))
    blocks[0].grid[...] = 7
    assert same_block(next(iter(stored.blocks(block_bins=700))), BINS.part(0, 700))


def test_bad_spans_are_refused(stored):
    for first, size in ((-1, 10), (CAPTURE.n_bins + 1, 10), (0, 0)):
        with pytest.raises(ConfigError, match=r"`first_bin`|`block_bins`"):
            next(stored.blocks(first, size))
    with pytest.raises(NotFoundError, match="no column `v_ad`"):
        stored["v_ad"]


def test_the_bytes_do_not_depend_on_blocks_names_or_time(lake):
    first = write_random(lake, size=600)
    for size, address in ((7, "1" * 64), (2400, "2" * 64), (1000, "3" * 64)):
        other = write_random(lake, size=size, address=address)
        for name in FILES:
            assert (first.path / name).read_bytes() == (other.path / name).read_bytes(), (size, name)


def test_row_groups_hold_whole_bins_and_both_readers_agree(stored):
    grid = pq.ParquetFile(stored.path / "grid_clean.parquet")
    sizes = [grid.metadata.row_group(i).num_rows for i in range(grid.num_row_groups)]
    assert sizes == [11 * ROW_GROUP_BINS, 11 * ROW_GROUP_BINS, 11 * 400]
    assert grid.schema_arrow.equals(arrow_schema(GRID_STORED))
    assert pq.ParquetFile(stored.path / "bins.parquet").schema_arrow.equals(arrow_schema(BIN_FIELDS))
    for index in range(grid.metadata.num_columns):
        column = grid.metadata.row_group(0).column(index)
        is_float = column.physical_type in ("FLOAT", "DOUBLE")
        assert ("BYTE_STREAM_SPLIT" in column.encodings) == is_float, column.path_in_schema
        assert column.compression == "ZSTD"
    rows = duckdb.sql(
        f"SELECT bin_seq, k, v_add, last_event_id, state5_code FROM '{stored.path}/grid_clean.parquet'"
    ).fetchnumpy()
    assert np.asarray(rows["v_add"]).tobytes() == BINS.field("v_add").tobytes()
    assert np.array_equal(rows["last_event_id"], BINS.last_event_id.reshape(-1))
    assert np.array_equal(rows["state5_code"], BINS.state5.reshape(-1))
    assert np.array_equal(rows["bin_seq"], np.repeat(np.arange(CAPTURE.n_bins), 11))


def test_the_manifest_says_what_it_is(stored):
    manifest = stored.manifest
    assert stored.dataset_id == NAME == stored.path.name
    assert manifest["address"] == stored.address == ADDRESS
    assert manifest["rows"] == {"bins": 2400, "grid": 2400 * 11}
    assert manifest["bytes"] == {name: (stored.path / name).stat().st_size for name in FILES}
    assert manifest["inputs"] == {"raw": ["a" * 64], "book": "b" * 64}
    assert manifest["counters"] == {"off_grid": 3}
    assert manifest["summary"]["valid_bins"] == int(BINS.bins["book_valid"].sum())
    assert stored.config == CONFIG
    assert stored.capture == CAPTURE
    sums = json.loads((stored.path / "checksums.json").read_text())
    assert sums == {name: manifest["files"][name]["sha256"] for name in FILES}


def test_mid_ticks(lake):
    bins = BINS.bins.copy()
    bins["best_bid_price_int"], bins["best_ask_price_int"] = 20_000 * 10**9, 20_000_250_000_000
    bins["best_bid_price_int"][5] = bins["best_ask_price_int"][5] = 0
    dataset = open_dataset(lake, write(lake, [BINS._replace(bins=bins)]).dataset_id)
    assert dataset.mid_ticks[0] == 80_000.5
    assert dataset.mid_ticks[5] == 0


def test_finding_by_address_whatever_the_name(lake):
    assert find_dataset(lake, ADDRESS) is None
    assert list_datasets(lake) == []
    info = write_random(lake)
    for address in (ADDRESS, ADDRESS[:12], ADDRESS[:20]):
        assert find_dataset(lake, address) == info
        assert open_dataset(lake, address).dataset_id == NAME
    assert find_dataset(lake, ADDRESS[:12] + "f" * 52) is None
    assert list_datasets(lake) == [info]


@pytest.mark.parametrize("name", ["../../etc", "x", NAME + "/..", NAME.replace("random", "RANDOM"), "", "*"])
def test_names_are_checked_before_they_touch_a_path(lake, name):
    with pytest.raises(ConfigError, match="`dataset` must be"):
        open_dataset(lake, name)


def test_an_unknown_dataset_says_what_there_is(lake):
    with pytest.raises(NotFoundError, match="the lake has none yet"):
        open_dataset(lake, NAME)
    write_random(lake)
    with pytest.raises(NotFoundError, match=f"there are: {NAME}"):
        open_dataset(lake, "f" * 12)


def test_writing_an_address_again_keeps_the_first(lake):
    first = write_random(lake)
    stamp = (first.path / "manifest.json").stat().st_mtime_ns
    again = write_random(lake)
    assert again == first
    assert (first.path / "manifest.json").stat().st_mtime_ns == stamp


def broken(kind):
    """A stream with one fault."""
    blocks = [block._replace(bins=block.bins.copy(), grid=block.grid.copy()) for block in parts(BINS, 600)]
    if kind == "short":
        del blocks[-1]
    elif kind == "gap":
        del blocks[1]
    elif kind == "twice":
        blocks.insert(1, blocks[0])
    elif kind == "late":
        blocks[2].bins["bin_start_ns"] += 1
    elif kind == "nan":
        blocks[2].grid[3, 17, 4] = np.nan
    elif kind == "long":
        more = empty_block(1, 5)
        more.bins["bin_seq"], more.bins["bin_start_ns"] = CAPTURE.n_bins, CAPTURE.end_ns
        blocks.append(more)
    yield from blocks
    if kind == "raises":
        raise DataError("the source broke")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("short", "ended after 1800 of 2400 bins"),
        ("long", "ended after 2401 of 2400 bins"),
        ("gap", "not contiguous"),
        ("twice", "not contiguous"),
        ("late", "does not start where the capture says"),
        ("nan", "`pull_mass` is not finite in bin 1217"),
        ("raises", "the source broke"),
        ("empty", "ended after 0 of 2400"),
    ],
)
def test_a_bad_stream_leaves_nothing(lake, kind, message):
    with pytest.raises(DataError, match=message):
        write(lake, iter(()) if kind == "empty" else broken(kind))
    assert [path for path in lake.root.rglob("*") if path.is_file() or path.name.startswith(".")] == []
    assert list_datasets(lake) == []


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found_by_verify_and_mostly_by_reading(lake, name):
    info = write_random(lake)
    path = info.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    path.write_bytes(content)
    open_dataset(lake, NAME)  # sizes still agree
    with pytest.raises(LakeError, match=f"{name}: differs from its manifest"):
        open_dataset(lake, NAME, verify=True)
    with pytest.raises(LakeError, match="damaged"):
        list(open_dataset(lake, NAME).blocks())


def test_a_cut_file_is_found_on_opening(lake):
    path = write_random(lake).path / "grid_clean.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    for action in (lambda: open_dataset(lake, NAME), lambda: list_datasets(lake), lambda: find_dataset(lake, ADDRESS)):
        with pytest.raises(LakeError, match="its size is not the"):
            action()


def test_a_file_that_is_cut_while_it_is_read_is_an_error_and_no_bus_error(lake):
    path = write_random(lake).path / "grid_clean.parquet"
    next(groups := open_dataset(lake, NAME).columns(["v_add"], [0, 0]))
    os.truncate(path, 100)
    with pytest.raises(LakeError, match="row group 0 is damaged"):
        next(groups)


@pytest.mark.parametrize("change", [{"schema_version": 999}, {"kind": "raw"}, {"rows": {"bins": 1}}, {"bytes": None}])
def test_a_foreign_manifest_is_one_line(lake, change):
    path = write_random(lake).path / "manifest.json"
    path.write_bytes(sealed({**json.loads(path.read_text()), **change}))
    with pytest.raises(LakeError, match=r"not the manifest of a dataset|a newer version of Spymaster") as caught:
        open_dataset(lake, NAME)
    assert "\n" not in str(caught.value)


WRITER = """
import sys
from lake_kit import *
config = small_config(); capture = small_capture(config); block = random_bins(config, capture)
def stream():
    for number, piece in enumerate(parts(block, 600)):
        if number == int(sys.argv[2]):
            print("ready", flush=True)
            sys.stdin.readline()
        yield piece
info = write_dataset(Lake(sys.argv[1]), stream(), config=config, capture=capture, pipeline="random",
                     address=ADDRESS, inputs={}, counters=dict)
print(info.dataset_id, flush=True)
"""


def test_a_killed_writer_leaves_no_visible_dataset(lake):
    writer = in_process(WRITER, str(lake.root), "3")
    assert writer.stdout.readline() == "ready\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    leftovers = list(lake.path("research/vp_immutable").iterdir())
    assert len(leftovers) == 1
    assert list_datasets(lake) == []
    assert find_dataset(lake, ADDRESS) is None
    with pytest.raises(NotFoundError):
        open_dataset(lake, NAME)
    assert lake.sweep_temporaries() == leftovers
    assert write_random(lake).dataset_id == NAME


def test_two_writers_of_one_address_both_succeed(lake):
    writers = [in_process(WRITER, str(lake.root), "2") for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert [writer.stdout.readline().strip() for writer in writers] == [NAME, NAME]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert [path.name for path in lake.path("research/vp_immutable").iterdir()] == [NAME]
    assert same_block(next(iter(open_dataset(lake, NAME, verify=True).blocks(block_bins=2400))), BINS)


def endless(n_bins, capture, size=500):
    """Bins of zeros made as they are asked for."""
    for first in range(0, n_bins, size):
        block = empty_block(size, 50)
        block.bins["bin_seq"] = np.arange(first, first + size)
        block.bins["bin_start_ns"] = capture.start_ns + block.bins["bin_seq"] * capture.bin_ns
        yield block


def test_memory_does_not_grow_with_the_capture(lake):
    config = build_config_with_overrides(CONFIG, {"grid_radius_ticks": 50})
    peaks = []
    for minutes in (10, 30):
        capture = CAPTURE._replace(end_ns=CAPTURE.start_ns + minutes * 60 * 10**9)
        address = f"{minutes:064d}"
        tracemalloc.start()
        write_dataset(
            lake, endless(capture.n_bins, capture), config=config, capture=capture, pipeline="long", address=address,
            inputs={}, counters=dict,
        )  # fmt: skip
        for _ in open_dataset(lake, address).blocks():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.15 * peaks[0]


@given(sizes=st.lists(st.integers(1, 90), max_size=12), group=st.integers(1, 70), n_buffers=st.integers(1, 3))
@settings(deadline=None)
def test_regrouping_keeps_every_bin_in_order(sizes, group, n_buffers):
    total = sum(sizes)
    block = BINS.part(0, total)
    edges = np.cumsum([0, *sizes])
    pieces = (block.part(int(a), int(b)) for a, b in itertools.pairwise(edges))
    got = [BinBlock(*(array.copy() for array in part)) for part in regrouped(pieces, 5, group, n_buffers)]
    assert [len(part.bins) for part in got] == [group] * (total // group) + ([total % group] if total % group else [])
    at = 0
    for part in got:
        assert same_block(part, block.part(at, at + len(part.bins)))
        at += len(part.bins)
