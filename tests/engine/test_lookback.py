"""A scorer and a state model that begin in the midst of a capture give the bits of those that saw all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import engine_config
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_kit import ADDRESS, small_capture, small_config
from test_scoring_twin import random_block

from vp_engine.errors import ConfigError, LakeError
from vp_engine.lake import Lake, open_dataset, write_dataset
from vp_engine.lake.lookback import LookBack
from vp_engine.schema import BIN_FIELDS, BinBlock
from vp_engine.spectrum.scoring import MEMORY_BINS, SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams

RADIUS = 6
BIN_NAMES = {field.name for field in BIN_FIELDS}


class Held:
    """A block in memory that reads like a dataset in row groups of 16 bins."""

    row_group_bins = 16

    def __init__(self, block: BinBlock, config: Any) -> None:
        self.block, self.config = block, config
        self.n_bins, self.rows = block.state5.shape
        self.reads: list[int] = []

    def of_bins(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {name: self.block.bins[name] for name in names}

    def columns(self, names: tuple[str, ...], groups: list[int]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        self.reads += groups
        for group in groups:
            first = group * self.row_group_bins
            part = self.block.part(first, first + self.row_group_bins)
            yield first, {name: part.field(name).reshape(-1) for name in names}


def resumed(block: BinBlock, config: Any, at: int, size: int) -> tuple[np.ndarray, ...]:
    """Scores of bins from `at` on, by a scorer that begins there, in blocks of `size`."""
    behind = LookBack(Held(block, config))  # type: ignore[arg-type]
    before = behind.last_valid(at, MEMORY_BINS)
    begin = int(before[0]) if before.size else 0
    scorer = SpectrumScorer(config, behind.past(begin))
    if begin < at:
        scorer.update(block.part(begin, at))
    parts = [scorer.update(block.part(first, first + size)) for first in range(at, block.bins.size, size)]
    return (
        np.concatenate([part.flow_score for part in parts]),
        np.concatenate([part.flow_state_code for part in parts]),
        np.concatenate([part.projections for part in parts], axis=1),
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(2, 60),
    at=st.integers(0, 399),
    size=st.sampled_from([1, 7, 400]),
    walk=st.sampled_from([0.0, 0.3, 0.9]),
    invalid=st.sampled_from([0.0, 0.1, 0.9]),
)
def test_a_scorer_may_begin_anywhere(seed: int, window: int, at: int, size: int, walk: float, invalid: float) -> None:
    config = engine_config(
        grid_radius_ticks=RADIUS, zscore_window_bins=window, zscore_min_periods=max(2, window // 4),
        projection_use_cubic=True,
    )  # fmt: skip
    block = random_block(seed, 400, RADIUS, config, walk, invalid)
    whole = SpectrumScorer(config).update(block)
    score, code, projections = resumed(block, config, at, size)
    assert score.tobytes() == whole.flow_score[at:].tobytes()
    assert code.tobytes() == whole.flow_state_code[at:].tobytes()
    assert projections.tobytes() == np.ascontiguousarray(whole.projections[:, at:]).tobytes()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(1, 60),
    at=st.integers(0, 399),
    flat=st.booleans(),
    blend=st.booleans(),
)
def test_a_state_model_may_begin_its_memory_earlier(seed: int, window: int, at: int, flat: bool, blend: bool) -> None:
    """Flat codes make the median deviation vanish, where the mean of a window in its own order takes its place."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(-2, 3, (400, 2 * RADIUS + 1)).astype(np.int8)
    codes[rng.random(400) < (0.95 if flat else 0.1)] = 0
    valid = (rng.random(400) < 0.8).astype(np.int8)
    params = StateModelParams(
        zscore_window_bins=window, zscore_min_periods=max(1, window // 3), d2_weight=0.5, d3_weight=0.25,
        mixed_weight=1.5, enable_weighted_blend=blend, spatial_decay_power=0.5,
    )  # fmt: skip
    whole = DerivativeRuntime(params, 0.1, RADIUS).update(codes, valid)
    model = DerivativeRuntime(params, 0.1, RADIUS)
    before = np.flatnonzero(valid[:at])
    known = before[-model.memory_bins :]
    model.begin_after(before.size - known.size)
    model.update(codes[known], valid[known])
    assert model.update(codes[at:], valid[at:]).tobytes() == whole[at:].tobytes()


def test_only_the_row_groups_with_a_wanted_sample_are_read() -> None:
    """The market is at one place, goes elsewhere for long, and comes back: what lies between is not touched."""
    config = engine_config(grid_radius_ticks=RADIUS, zscore_window_bins=20, zscore_min_periods=5)
    block = random_block(1, 480, RADIUS, config, walk=0.0, invalid=0.0)
    home = int(block.bins["spot_ref_price_int"][0])
    block.bins["spot_ref_price_int"][160:400] = home + 100 * config.tick_int
    held = Held(block, config)
    behind = LookBack(held)  # type: ignore[arg-type]
    scorer = SpectrumScorer(config, behind.past(400))
    scorer.update(block.part(400, 401))
    assert held.reads == [8, 9]  # bins 140 to 159


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, BinBlock]:
    """A dataset of 2,400 bins and what was written into it."""
    config = small_config()
    capture = small_capture(config)
    block = random_block(5, capture.n_bins, config.grid_radius_ticks, config, walk=0.5, invalid=0.2)
    block.bins["bin_seq"] = np.arange(capture.n_bins)
    block.bins["bin_start_ns"] = capture.start_ns + np.arange(capture.n_bins) * capture.bin_ns
    block.state5[:] = np.random.default_rng(3).integers(-2, 3, block.state5.shape)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    info = write_dataset(
        lake, [block], config=config, capture=capture, pipeline="random", address=ADDRESS, inputs={}, counters=dict
    )
    return open_dataset(lake, info.dataset_id), block


def test_what_is_read_back_is_what_was_there(stored: tuple[Any, BinBlock]) -> None:
    dataset, block = stored
    behind = LookBack(dataset)
    valid = np.flatnonzero(block.bins["book_valid"])
    assert behind.valid_bins.tolist() == valid.tolist()
    assert behind.n_valid(1001) == np.count_nonzero(valid < 1001)
    assert behind.last_valid(1500, 4).tolist() == valid[valid < 1500][-4:].tolist()
    assert behind.last_valid(0, 4).size == 0
    some = np.array([3, 998, 1000, 2399])
    assert np.array_equal(behind.column("state5_code", some), block.state5[some])
    assert behind.column("state5_code", some[:0]).shape == (0, dataset.rows)
    whole = SpectrumScorer(dataset.config).update(block)
    begin = int(behind.last_valid(1700, MEMORY_BINS)[0])
    scorer = SpectrumScorer(dataset.config, behind.past(begin))
    scores = scorer.update(next(dataset.blocks(begin, 2400)))
    assert scores.flow_score[1700 - begin :].tobytes() == whole.flow_score[1700:].tobytes()


def test_row_groups_one_by_one_and_columns_of_bins(stored: tuple[Any, BinBlock]) -> None:
    dataset, block = stored
    for group in range(3):
        part = block.part(1000 * group, 1000 * (group + 1))
        for mine, theirs in zip(dataset.group(group), part, strict=True):
            assert np.array_equal(mine, theirs)
    few = dataset.group(2, ("composite_d1", "state5_code"))
    assert np.array_equal(few.field("composite_d1"), block.field("composite_d1")[2000:])
    assert np.array_equal(few.state5, block.state5[2000:])
    assert not few.field("v_add").any()
    assert not few.last_event_id.any()
    held = dataset.of_bins(("bin_seq", "mid_price"))
    assert held["bin_seq"].tolist() == list(range(2400))
    assert np.array_equal(held["mid_price"], block.bins["mid_price"])


def test_bad_places_and_damaged_files_are_named(stored: tuple[Any, BinBlock], tmp_path: Path) -> None:
    dataset, _ = stored
    with pytest.raises(ConfigError, match=r"must lie in 0\.\.2400, was 2401"):
        LookBack(dataset).past(2401)
    copy = tmp_path / dataset.dataset_id
    copy.mkdir()
    for path in dataset.path.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    content = bytearray((copy / "bins.parquet").read_bytes())
    content[200:40_000] = bytes(39_800)
    (copy / "bins.parquet").write_bytes(content)
    damaged = type(dataset)(dataset.info._replace(path=copy))
    with pytest.raises(LakeError, match="damaged"):
        damaged.of_bins(("spot_ref_price_int",))
