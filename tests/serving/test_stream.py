"""The stream over a real socket: order, fields, spelling, sources, refusals."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from small_house import House
from wire_client import Server, Stream, serving

from vp_engine.evaluation import Detector, expand
from vp_engine.evaluation.sweep import signal_values, sweep_input
from vp_engine.evaluation.trials import run_id
from vp_engine.lake import open_dataset
from vp_engine.schema import GRID_WIRE, arrow_schema, wire_fields
from vp_engine.specs import SpecBook, load_instrument
from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams
from vp_serving.wire.messages import GridUpdate, RuntimeConfig

FIXED = [
    "k", "pressure_variant", "vacuum_variant", "add_mass", "pull_mass", "fill_mass", "rest_depth", "bid_depth",
    "ask_depth", "v_add", "v_pull", "v_fill", "v_rest_depth", "v_bid_depth", "v_ask_depth", "a_add", "a_pull",
    "a_fill", "a_rest_depth", "a_bid_depth", "a_ask_depth", "j_add", "j_pull", "j_fill", "j_rest_depth",
    "j_bid_depth", "j_ask_depth", "composite", "composite_d1", "composite_d2", "composite_d3", "flow_score",
    "flow_state_code", "best_ask_move_ticks", "best_bid_move_ticks", "ask_reprice_sign", "bid_reprice_sign",
    "microstate_id", "state5_code", "chase_up_flag", "chase_down_flag", "last_event_id", "fill_size",
]  # fmt: skip
STRINGS = {
    "ts_ns", "bin_start_ns", "bin_end_ns", "event_id", "spot_ref_price_int", "best_bid_price_int", "best_ask_price_int",
}  # fmt: skip
LIVE_SIGNALS = {
    "ads_pfp_svac": "params: {zscore_window_ms: 6000, warmup_ms: 3000}, threshold: 0.05",
    "jad": "params: {zscore_window_bins: 60}, threshold: 0.05",
    "svm_sp": "params: {first_bins: 150, refit_bins: 100}, threshold: 0.2",
}
NUMBERS = {"bin_seq", "bin_event_count", "trade_count", "buy_volume", "sell_volume", "dropped"}


@pytest.fixture(scope="module")
def whole(server: Server) -> Stream:
    """One whole replay at speed 0."""
    return server.stream("serving=short_derivative&speed=0")


def test_speed_0_sends_every_bin_once_and_an_end(whole: Stream) -> None:
    assert [update["bin_seq"] for update in whole.updates] == list(range(600))
    assert {update["dropped"] for update in whole.updates} == {0}
    assert whole.last == {"type": "end", "reason": "complete", "bins": 600, "dropped": 0}
    assert whole.code == 1000


def test_messages_fit_their_models(whole: Stream) -> None:
    RuntimeConfig.model_validate(whole.config)
    for text, _ in whole.bins[::50]:
        GridUpdate.model_validate_json(text)


def test_first_message_says_what_is_streamed(whole: Stream, house: House) -> None:
    config = whole.config
    assert config["grid_schema_fields"] == [*FIXED, *(f"proj_score_h{ms}" for ms in (100, 200, 300, 400))]
    assert (config["grid_rows"], config["stream_format"], config["source"]) == (101, "dense_grid", "dataset")
    assert config["dataset_id"] == house.dataset_id
    assert config["addresses"]["dataset"].startswith(house.dataset_id[-12:])
    assert re.fullmatch("[0-9a-f]{64}", config["addresses"]["book"])
    assert config["tick_int"] == "250000000"
    assert config["price_decimals"] == 2
    assert config["capture"]["n_bins"] == 600
    assert config["serving"]["name"] == "short_derivative"
    assert config["warmup"] == {"state_model": {"needed": 30}, "flow_score": {"needed": 30}, "signal": {"needed": 300}}
    assert config["state_model"]["d2_weight"] == config["state_model_d2_weight"] == 0.25


def test_arrow_fields_stand_in_the_order_of_the_wire(whole: Stream) -> None:
    table = whole.table(100)
    assert table.schema == arrow_schema(wire_fields((100, 200, 300, 400)))
    assert table.column_names[: len(FIXED)] == FIXED == [field.name for field in GRID_WIRE]
    assert table["k"].to_pylist() == list(range(-50, 51))


def test_64_bit_integers_are_text_and_counts_are_numbers(whole: Stream) -> None:
    update = whole.updates[300]
    for name in STRINGS:
        assert re.fullmatch(r"\d+", update[name]), name
    for name in NUMBERS:
        assert type(update[name]) is int, name
    assert type(update["book_valid"]) is type(update["state_model_ready"]) is bool
    assert update["signal"]["name"] == "derivative"
    assert {update["signal"]["fired"] for update in whole.updates} == {-1, 0, 1}


def test_values_are_those_of_dataset_and_engine(whole: Stream, house: House) -> None:
    dataset = open_dataset(house.lake, house.dataset_id)
    block = next(dataset.blocks(block_bins=600))
    config = dataset.config
    overrides = {"zscore_min_periods": 30, "state_model_zscore_min_periods": 30, "state_model_d2_weight": 0.25}
    config = type(config).parse({**config.parameters(), **overrides})
    scores = SpectrumScorer(config).update(block)
    model = DerivativeRuntime(StateModelParams(**config.state_model), config.dt_s, 50)
    state = model.update(block.state5, np.ascontiguousarray(block.bins["book_valid"]))
    assert np.any(scores.flow_score)
    for at in (0, 1, 299, 599):
        table, update = whole.table(at), whole.updates[at]
        for name in ("v_add", "composite_d3", "fill_size", "state5_code", "last_event_id"):
            assert np.array_equal(table[name], block.field(name)[at]), name
        assert np.array_equal(table["flow_score"], scores.flow_score[at])
        assert np.array_equal(table["proj_score_h300"], scores.projections[2, at])
        assert table["microstate_id"].to_pylist() == [int(block.bins["microstate_id"][at])] * 101
        assert update["mid_price"] == block.bins["mid_price"][at]
        assert update["state_model_score"] == state["score"][at]
        assert update["state_model_z2"] == state["z2"][at]


def test_grids_are_the_bytes_that_pyarrow_writes(whole: Stream) -> None:
    for at in (0, 250, 599):
        table = whole.table(at)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_batch(table.to_batches()[0])
        assert sink.getvalue().to_pybytes() == whole.bins[at][1]


def test_dataset_and_engine_send_the_same_bytes(house: House, whole: Stream, tmp_path: Path) -> None:
    """The same raw day in a lake without the dataset goes through the engine."""
    bare = tmp_path / "lake"
    bare.mkdir()
    (bare / "raw").symlink_to(house.root / "raw")
    with serving(house.settings({"VP_LAKE_ROOT": str(bare)})) as other:
        engine = other.stream("serving=short_derivative&speed=0")
    assert engine.config["source"] == "engine"
    assert engine.config["dataset_id"] is None
    assert engine.config["addresses"] == whole.config["addresses"]
    assert engine.bins == whole.bins
    assert engine.last == whole.last
    assert sorted(path.name for path in bare.iterdir()) == ["raw"]  # the service writes nothing


@pytest.fixture(scope="module")
def engine_only(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Services over the same raw day and results: without the dataset, and with it."""
    bare = tmp_path_factory.mktemp("bare") / "lake"
    (bare / "research").mkdir(parents=True)
    (bare / "raw").symlink_to(house.root / "raw")
    (bare / "research" / "vp_harness").symlink_to(house.root / "research" / "vp_harness")
    configs = tmp_path_factory.mktemp("specs")
    shutil.copytree(house.configs, configs, dirs_exist_ok=True)
    for name, signal in LIVE_SIGNALS.items():
        text = f"name: short_{name}\npipeline: short\nsignal: {{name: {name}, {signal}, cooldown_bins: 5}}\n"
        (configs / "serving" / f"short_{name}.yaml").write_text(text)
    with (
        serving(house.settings({"VP_LAKE_ROOT": str(bare), "VP_CONFIG_DIR": str(configs)})) as engine,
        serving(house.settings({"VP_CONFIG_DIR": str(configs)})) as dataset,
    ):
        yield engine, dataset


@pytest.mark.parametrize(
    "query",
    [
        "serving=short_plain",
        "serving=short_plain&projection_horizons_bins=3,9&projection_use_cubic=true&projection_damping_lambda=0.5",
        "serving=short_derivative&state_model_zscore_window_bins=50&state_model_spatial_decay_power=1&from_bin=203",
        "serving={promoted}",
        "run_id={run}&from_bin=411",
        *(f"serving=short_{name}&from_bin={at}" for name, at in zip(LIVE_SIGNALS, (0, 377, 260), strict=True)),
    ],
)
def test_every_spec_has_the_same_bytes_from_dataset_and_engine(
    engine_only: tuple[Server, Server], house: House, query: str
) -> None:
    asked = query.format(promoted=house.promoted, run=house.run_ids[0])
    if "run_id" in asked or "promoted" in asked:
        asked += "&dt=2026-02-06&start_time=09:30&end_time=09:31"
    engine, dataset = (one.stream(f"{asked}&speed=0") for one in engine_only)
    assert (engine.config["source"], dataset.config["source"]) == ("engine", "dataset")
    assert engine.bins == dataset.bins
    assert engine.last == dataset.last
    assert len(engine.bins) == 600 - engine.config["from_bin"]
    if "short_plain" not in query:
        assert any(update["signal"]["fired"] for update in dataset.updates)


def test_a_capture_without_dataset_streams_from_the_engine(server: Server) -> None:
    got = server.stream("serving=unstored_derivative&speed=0")
    assert got.config["source"] == "engine"
    assert len(got.bins) == 600
    assert any(update["book_valid"] for update in got.updates)


def test_dataset_by_id_and_by_times_are_one(server: Server, house: House) -> None:
    by_id = server.stream(f"dataset={house.dataset_id}&speed=0", bins=50)
    assert by_id.config["serving"] is None
    assert by_id.updates[0]["signal"] is None
    again = server.stream(f"dataset={house.dataset_id}&dt=2026-02-06&start_time=09:30&end_time=09:31&speed=0", bins=50)
    assert again.bins == by_id.bins


def test_a_dataset_is_scored_by_the_serving_spec_named_with_it(server: Server, house: House, whole: Stream) -> None:
    got = server.stream(f"dataset={house.dataset_id}&serving=short_derivative&speed=0", bins=100)
    assert got.bins == whole.bins[:100]


def test_precedence_instrument_flags_spec_query(house: House) -> None:
    flags = {"state_model_d2_weight": 0.75, "state_model_d3_weight": 0.5, "projection_damping_lambda": 0.125}
    with serving(house.settings(None, **flags)) as other:
        plain = other.stream("serving=short_plain&speed=0", bins=1).config
        spec = other.stream("serving=short_derivative&speed=0", bins=1).config
        query = other.stream("serving=short_derivative&state_model_d2_weight=0.5&speed=0", bins=1).config
    assert plain["state_model_d1_weight"] == 1.0
    assert plain["state_model_d2_weight"] == 0.75
    assert spec["state_model_d2_weight"] == 0.25
    assert query["state_model_d2_weight"] == 0.5
    assert {got["state_model_d3_weight"] for got in (plain, spec, query)} == {0.5}
    assert {got["projection_damping_lambda"] for got in (plain, spec, query)} == {0.125}
    assert len({got["config_version"] for got in (plain, spec, query)}) == 3


def test_overrides_change_what_is_sent(server: Server, whole: Stream) -> None:
    query = "serving=short_derivative&speed=0&projection_horizons_bins=2,7&state_model_tanh_scale=1.5"
    got = server.stream(query, bins=400)
    table = got.table(399)
    assert table.column_names[-2:] == ["proj_score_h200", "proj_score_h700"]
    assert got.config["projection_model"]["horizons_ms"] == [200, 700]
    assert table["proj_score_h200"] == whole.table(399)["proj_score_h200"]
    scores = [
        (a["state_model_score"], b["state_model_score"]) for a, b in zip(got.updates, whole.updates, strict=False)
    ]
    assert any(a != b for a, b in scores)


def test_from_bin_resumes_with_the_same_bytes(server: Server, whole: Stream) -> None:
    got = server.stream("serving=short_derivative&speed=0&from_bin=417")
    assert got.config["from_bin"] == 417
    assert got.bins == whole.bins[417:]


def test_a_run_streams_its_best_row_and_the_row_named(server: Server, house: House) -> None:
    run = house.run_ids[0]
    rows = server.get(f"/v1/experiments/runs/{run}/detail").json()["rows"]
    most = max(row["n_signals"] for row in rows)
    best = server.stream(f"run_id={run}&speed=0")
    signal = best.config["serving"]["signal"]
    assert next(row for row in rows if row["threshold"] == signal["threshold"])["n_signals"] == most
    assert best.config["serving"]["run_id"] == run
    assert best.config["warmup"]["signal"] == {"needed": 60}
    other = rows[-1]["threshold"]
    named = server.stream(f"run_id={run}&threshold={other}&speed=0", bins=3)
    assert named.config["serving"]["signal"]["threshold"] == other


def test_a_run_streams_its_dataset_though_its_specs_are_gone(house: House, whole: Stream, tmp_path: Path) -> None:
    run = house.run_ids[0]
    with serving(house.settings({"VP_CONFIG_DIR": str(tmp_path)})) as other:
        got = other.stream(f"run_id={run}&speed=0", bins=5)
    assert got.config["dataset_id"] == house.dataset_id
    assert [grid for _, grid in got.bins] == [grid for _, grid in whole.bins[:5]]


def test_firings_on_the_stream_are_those_that_were_judged(server: Server, house: House) -> None:
    """The stream fires where the offline evaluation does, in the same bins and directions, wherever it begins; and as
    often as the result row says."""
    dataset = open_dataset(house.lake, house.dataset_id)
    specs = SpecBook.load(house.configs, None, load_instrument())
    experiment, spec = specs.experiments["short_sweep"], specs.serving["short_derivative"]
    valid = np.ascontiguousarray(dataset.bins["book_valid"])
    for trial in expand(experiment, spec, specs.serving_config("short_derivative")):
        run = run_id(trial, dataset.address)
        values = signal_values(sweep_input(dataset, [trial.signal]), trial)
        for row in server.get(f"/v1/experiments/runs/{run}/detail").json()["rows"][::2]:
            evaluation = trial.evaluation
            detector = Detector(row["threshold"], evaluation.cooldown_bins, evaluation.first_bin(dataset.n_bins))
            offline = detector.update(values, valid, np.arange(dataset.n_bins))
            query = f"run_id={run}&threshold={row['threshold']}&speed=0"
            fired = [update["signal"]["fired"] for update in server.stream(query).updates]
            assert fired == offline.tolist()
            late = [update["signal"]["fired"] for update in server.stream(f"{query}&from_bin=333").updates]
            assert late == fired[333:]
            assert sum(value != 0 for value in fired) == row["n_signals"] + row["n_dropped"] > 0


def test_firings_are_as_many_as_the_result_rows_say(server: Server, house: House) -> None:
    """Kept and dropped signals of the result row are the stream's firings, but for entries past the end."""
    run = house.run_ids[0]
    for row in server.get(f"/v1/experiments/runs/{run}/detail").json()["rows"]:
        got = server.stream(f"run_id={run}&threshold={row['threshold']}&speed=0")
        fired = [update["signal"]["fired"] for update in got.updates]
        assert sum(value != 0 for value in fired) == row["n_signals"] + row["n_dropped"]
        assert sum(value > 0 for value in fired) >= row["n_up"]


def test_a_promoted_spec_streams_by_name(server: Server, house: House) -> None:
    got = server.stream(f"serving={house.promoted}&speed=0")
    assert got.config["serving"]["promoted"]["run_id"] == house.run_ids[0]
    assert got.bins == server.stream(f"run_id={house.run_ids[0]}&speed=0").bins


@pytest.mark.parametrize(
    ("query", "code", "parameter", "says"),
    [
        ("state_model_d1=1", "unknown_parameter", "state_model_d1", "did you mean `state_model_d1_weight`"),
        ("serving=nosuch", "not_found", "serving", "short_derivative"),
        ("serving=..%2Fetc", "bad_value", "serving", "lower-case"),
        ("serving=foreign_spec", "not_found", "serving", "foreign_spec"),
        ("serving=absent_plain", "not_found", None, "2026-02-09"),
        ("dataset=nosuch", "bad_value", "dataset", "was 'nosuch'"),
        ("dataset=MNQH6_20260206_0930_0931__short__000000000000", "not_found", "dataset", "there are"),
        ("run_id=0123456789abcdef", "not_found", "run_id", "0123456789abcdef"),
        ("run_id=xyz", "bad_value", "run_id", "16 hex"),
        ("serving=short_plain&run_id=0123456789abcdef", "bad_value", "run_id", "leave out"),
        ("serving=short_plain&threshold=1", "bad_value", "threshold", "run_id"),
        ("serving=short_plain&speed=-1", "bad_value", "speed", "from 0"),
        ("serving=short_plain&speed=nan", "bad_value", "speed", "nan"),
        ("serving=short_plain&from_bin=600", "bad_value", "from_bin", "below 600"),
        ("serving=short_plain&projection_source=frontend", "unsupported", "projection_source", "backend"),
        ("serving=short_plain&dev_scoring=true", "unsupported", "dev_scoring", "dev_scoring"),
        ("serving=short_plain&projection_horizons_bins=0", "bad_value", "projection_horizons_bins", "0"),
        ("serving=short_plain&state_model_zscore_min_periods=999", "bad_config", None, "zscore_min_periods"),
        ("symbol=ESH6&dt=2026-02-06&start_time=09:30", "bad_value", "symbol", "MNQH6"),
        ("symbol=MNQ.v.0&dt=2026-02-06&start_time=09:30", "bad_value", "symbol", "MNQH6"),
        ("dt=2026-02-30", "bad_value", "dt", "2026-02-30"),
        ("dt=2026-02-06&start_time=9.30", "bad_value", "start_time", "HH:MM"),
        ("dt=2026-02-06&start_time=09:31&end_time=09:30", "bad_config", None, "end_time"),
        ("dt=2026-02-06", "bad_value", "start_time", "missing"),
        ("", "bad_value", "dt", "missing"),
        ("speed=1&speed=2", "bad_value", "speed", "twice"),
    ],
)
def test_refusals_name_the_parameter(server: Server, query: str, code: str, parameter: str | None, says: str) -> None:
    got = server.stream(query)
    assert got.code == 1008
    assert got.config == {}
    assert got.last is not None
    assert (got.last["type"], got.last["code"], got.last["parameter"]) == ("error", code, parameter)
    assert says in got.last["message"]
    assert "\n" not in got.last["message"]


def test_a_damaged_dataset_ends_the_stream_with_one_line(house: House, tmp_path: Path) -> None:
    """Bytes changed behind the manifest's back are found when their page is read."""
    lake = tmp_path / "lake"
    shutil.copytree(house.root / "research", lake / "research")
    grid = next(lake.glob("research/vp_immutable/*/grid_clean.parquet"))
    content = bytearray(grid.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    grid.write_bytes(content)
    with serving(house.settings({"VP_LAKE_ROOT": str(lake)})) as other:
        got = other.stream(f"dataset={house.dataset_id}&speed=0")
    assert got.code == 1008
    assert got.last is not None
    assert got.last["code"] == "bad_lake"
    assert "\n" not in json.dumps(got.last)
