"""Defaults and forms that clients rely on, spelled out once by hand: fields in their order, types, limits, pings."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from small_house import House
from wire_client import Server, serving

from vp_engine import stream
from vp_engine.lake import Lake, find_raw
from vp_engine.lake.books import write_book
from vp_engine.specs import SpecBook, load_instrument
from vp_serving.server.cli import MAX_CLIENT_MESSAGE, server_config
from vp_serving.settings import load_settings
from vp_serving.wire.frames import FrameEncoder

UPDATE = [
    "type", "ts_ns", "bin_seq", "bin_start_ns", "bin_end_ns", "bin_event_count", "event_id", "mid_price",
    "spot_ref_price_int", "best_bid_price_int", "best_ask_price_int", "book_valid", "trade_count", "buy_volume",
    "sell_volume", "state_model_name", "state_model_score", "state_model_ready", "state_model_sample_count",
    "state_model_base", "state_model_d1", "state_model_d2", "state_model_d3", "state_model_z1",
    "state_model_z2", "state_model_z3", "state_model_bull_intensity", "state_model_bear_intensity",
    "state_model_mixed_intensity", "state_model_dominant_state5_code", "signal", "dropped",
]  # fmt: skip
INT8 = [
    "flow_state_code",
    "ask_reprice_sign",
    "bid_reprice_sign",
    "microstate_id",
    "state5_code",
    "chase_up_flag",
    "chase_down_flag",
]
INT32 = ["k", "best_ask_move_ticks", "best_bid_move_ticks"]


def test_an_update_has_these_fields(server: Server) -> None:
    got = server.stream("serving=short_derivative&speed=0", bins=2)
    assert sorted(got.updates[1]) == sorted(UPDATE)
    assert sorted(got.updates[1]["signal"]) == ["behind", "fired", "name", "threshold", "value"]
    assert got.updates[1]["state_model_name"] == "derivative"


def test_a_grid_has_these_types(server: Server) -> None:
    table = server.stream("serving=short_plain&speed=0", bins=1).table(0)
    types = {field.name: str(field.type) for field in table.schema}
    assert {name for name, kind in types.items() if kind == "int8"} == set(INT8)
    assert {name for name, kind in types.items() if kind == "int32"} == set(INT32)
    assert [name for name, kind in types.items() if kind == "int64"] == ["last_event_id"]
    assert set(types.values()) == {"int8", "int32", "int64", "float"}
    assert table.num_rows == 101


def test_what_holds_where_nobody_says_otherwise() -> None:
    settings = load_settings({}, {})
    assert (settings.host, settings.port) == ("127.0.0.1", 8002)
    assert (settings.max_streams, settings.queue_bins) == (64, 64)
    assert (settings.api_token, settings.allowed_origins, settings.latency) == (None, (), None)
    config = server_config(settings, None)
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (20.0, 60.0)
    assert not config.ws_per_message_deflate
    assert config.ws_max_size == MAX_CLIENT_MESSAGE == 4096


def test_flags_name_the_capture_that_a_query_leaves_out(house: House) -> None:
    with serving(house.settings(None, dt="2026-02-06", start_time="09:30")) as other:
        got = other.stream("end_time=09:31&speed=0", bins=1).config
        assert (got["capture"]["dt"], got["capture"]["start_time"]) == ("2026-02-06", "09:30")
        asked = other.stream("start_time=09:31&end_time=09:32&speed=0", bins=1).config
        assert asked["capture"]["start_time"] == "09:31"
        spec = other.stream("serving=unstored_derivative&speed=0", bins=1).config
        assert spec["capture"]["start_time"] == "09:31"


@pytest.mark.parametrize("sort", ["tp_rate", "mean_pnl_ticks", "events_per_hour"])
def test_runs_are_sorted_by_what_is_asked(server: Server, sort: str) -> None:
    rows = server.get(f"/v1/experiments/runs?sort={sort}&min_signals=5&top_n=50").json()["runs"]
    values = [row[sort] for row in rows]
    assert len(values) > 3
    assert values == sorted(values, reverse=True)
    assert all(row["n_signals"] >= 5 for row in rows)


def test_a_capture_without_dataset_begins_at_its_stored_book(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day before it is not read again."""
    specs = SpecBook.load(house.configs, None, load_instrument())
    config, capture = specs.pipelines["short"].config(specs.lock), specs.pipelines["short"].resolve(specs.lock)
    raw = find_raw(house.lake, config, capture.utc_days()[0])
    assert raw is not None
    lake = Lake(tmp_path / "lake")
    Path(lake.root).mkdir()
    (Path(lake.root) / "raw").symlink_to(house.root / "raw")
    with serving(house.settings({"VP_LAKE_ROOT": str(lake.root)})) as other:
        made = other.stream("serving=short_plain&speed=0", bins=50)
        address = made.config["addresses"]["book"]
        write_book(lake, capture, address, stream.build_checkpoint(raw.file(), config, capture))

        def no_replay(*_: Any) -> None:
            raise AssertionError("the book is stored")

        monkeypatch.setattr(stream, "build_checkpoint", no_replay)
        assert other.stream("serving=short_plain&speed=0", bins=50).bins == made.bins


def test_bins_are_computed_off_the_event_loop(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a dataset and through the engine."""
    names: set[str] = set()
    encode = FrameEncoder.encode

    def noting(encoder: FrameEncoder, scored: Any) -> Any:
        names.add(threading.current_thread().name.partition("_")[0])
        return encode(encoder, scored)

    monkeypatch.setattr(FrameEncoder, "encode", noting)
    with serving(house.settings()) as other:
        for spec in ("short_plain", "unstored_derivative"):
            assert len(other.stream(f"serving={spec}&speed=0").bins) == 600
    assert names == {"replay"}
