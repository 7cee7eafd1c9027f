"""Sample files: DBN version 3 that Databento's own client reads, whole or not there at all."""

from __future__ import annotations

import datetime as dt

import databento
import numpy as np
import pytest
from sample_book import PlainBook

import vp_engine.sample.writer as writer
from vp_engine.errors import DataError
from vp_engine.feed import MBO_DTYPE, DbnFile, scan
from vp_engine.sample import SampleSpec, sample_day, sample_file_name, write_sample
from vp_engine.specs import Capture, load_instrument
from vp_engine.stream import build_checkpoint, stream_events
from vp_engine.units import NS_PER_S

SPEC = SampleSpec(start=dt.time(9, 30), end=dt.time(9, 33), seed=8, events_per_s=250.0)
FAULTS = (
    "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
    "aggressor_fills", "zero_size_add", "clock_regressions", "crossed_events",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sample")


@pytest.fixture(scope="module")
def info(folder):
    return write_sample(folder / sample_file_name(SPEC), SPEC)


@pytest.fixture(scope="module")
def expected():
    return np.concatenate(list(sample_day(SPEC)))


def test_name():
    assert sample_file_name(SPEC) == "GLBX.MDP3-20260206.MNQH6.mbo.dbn.zst"


def test_databento_client_reads_it(info, expected):
    store = databento.DBNStore.from_file(info.path)
    assert store.metadata.version == 3
    assert store.dataset == "GLBX.MDP3"
    assert str(store.schema) == "mbo"
    assert store.symbols == ["MNQH6"]
    assert store.mappings == {
        "MNQH6": [
            {"start_date": dt.date(2026, 2, 6), "end_date": dt.date(2026, 2, 7), "symbol": str(SPEC.instrument_id)}
        ]
    }
    assert (store.metadata.start, store.metadata.end) == (SPEC.day_start_ns, SPEC.day_end_ns)
    read = store.to_ndarray()
    assert read.tobytes() == expected.tobytes()
    frame = store.to_df()
    assert len(frame) == info.records == expected.size
    assert set(frame["symbol"]) == {"MNQH6"}
    assert set(frame["action"]) == set("RACMTF")


def test_info(info, expected):
    assert info.records == expected.size
    assert info.bytes == info.path.stat().st_size
    assert info.snapshot_orders == ((expected["flags"] & 32) != 0).sum() - 1
    assert info.first_ts_ns == SPEC.day_start_ns
    assert info.last_ts_ns == expected["ts_event"][-1] < SPEC.last_ns
    inside = expected["ts_event"].astype(np.int64) >= SPEC.window_ns[0]
    assert 0.4 < inside.sum() / (250.0 * 180) < 2.5  # activity wanders about its target
    assert info.last_ts_ns > SPEC.last_ns - NS_PER_S


def test_feed_reads_it(info, expected):
    file = DbnFile(info.path)
    assert file.instrument_ids("MNQH6", SPEC.day) == {SPEC.instrument_id}
    assert np.concatenate(list(file.batches())).tobytes() == expected.tobytes()
    found = scan(info.path, "MNQH6")
    assert found.records == found.kept == info.records
    assert found.complete_start
    assert found.n_bad_flags == 0


def test_book_of_the_file_adds_up(expected):
    book = PlainBook().play(expected)
    assert book.filled["A"] == book.traded["B"] > 0
    assert book.filled["B"] == book.traded["A"] > 0


def test_engine_has_nothing_to_object(info):
    """No unknown order, no crossed event; contracts filled are contracts traded."""
    config = load_instrument()
    start_ns, _ = SPEC.window_ns
    minute_ns = 60 * NS_PER_S
    capture = Capture("MNQH6", SPEC.day, start_ns + minute_ns, start_ns + 3 * minute_ns, start_ns, config.bin_ns)
    stream = stream_events([info.path], config, capture, build_checkpoint(info.path, config, capture))
    valid = np.concatenate([block.bins["book_valid"] for block in stream])
    assert valid.size == 1_200
    assert valid.all()
    counters = stream.counters
    assert not {name: counters[name] for name in FAULTS if counters[name]}
    assert counters["filled_sided"] == counters["traded_sided"] > 0
    assert counters["filled_unsided"] == counters["traded_unsided"] == 0


def test_same_bytes_again(info, tmp_path):
    again = write_sample(tmp_path / "again.dbn.zst", SPEC)
    assert again.path.read_bytes() == info.path.read_bytes()


def test_progress(tmp_path):
    shares = []
    write_sample(tmp_path / "file.dbn.zst", SPEC, shares.append)
    assert shares == sorted(shares)
    assert 0.0 < shares[0] <= shares[-1] <= 1.0


def test_failure_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "day.dbn.zst"
    path.write_bytes(b"older")

    def broken(spec):
        yield np.zeros(10, MBO_DTYPE)
        raise RuntimeError("power cut")

    monkeypatch.setattr(writer, "sample_day", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        write_sample(path, SPEC)
    assert [file.name for file in tmp_path.iterdir()] == ["day.dbn.zst"]
    assert path.read_bytes() == b"older"


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"):
        write_sample(tmp_path / "taken" / "day.dbn.zst", SPEC)
