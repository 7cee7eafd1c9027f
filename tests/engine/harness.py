"""What the engine's tests share: configurations, one run of the engine over a stream, and what "equal" means."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streams
from hypothesis import HealthCheck, settings
from twin import TwinResult

from vp_engine.schema import BIN_DTYPE, GRID_F32_NAMES, BinBlock
from vp_engine.specs import Capture, VPRuntimeConfig, build_config_with_overrides, load_instrument
from vp_engine.stream import stream_events

EXACT_FIELDS = ("rest_depth", "bid_depth", "ask_depth", "fill_size")
COUNTERS = (
    "off_grid", "undef_price", "no_side", "duplicate_add", "unknown_modify", "unknown_cancel", "unknown_fill",
    "aggressor_fills", "zero_size_add", "clock_regressions", "sequence_regressions", "maybe_bad_book",
    "crossed_events", "reanchors", "filled_sided",
    "filled_unsided", "traded_sided", "traded_unsided", "overfilled", "unattributed",
    "events_kept", "snapshot_missing", "snapshot_extra",
    "snapshot_changed",
)  # fmt: skip
SMALL = {"grid_radius_ticks": 20, "n_absolute_ticks": 2048}
EVERYDAY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
REAL_FILE = "esh4-glbx-mdp3-20231225.mbo.dbn.zst"


def real_file() -> Path:
    """Where the real capture should lie: VP_REAL_DBN_DIR, else shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("VP_REAL_DBN_DIR") or beside) / REAL_FILE


def engine_config(**overrides: Any) -> VPRuntimeConfig:
    """The packaged configuration, locked to the contract of the streams."""
    lock = {"symbol": streams.SYMBOL, "symbol_root": "ES", "contract_multiplier": 50.0}
    return build_config_with_overrides(load_instrument(), lock | overrides)


def capture_of(stream: streams.Stream, config: VPRuntimeConfig) -> Capture:
    """The stream's window as a capture."""
    day = datetime.date(2023, 12, 25)
    return Capture(config.symbol, day, stream.start_ns, stream.end_ns, stream.warmup_start_ns, config.bin_ns)


class EngineRun(NamedTuple):
    """All bins of one run in one block, and its counters."""

    block: BinBlock
    counters: dict[str, int]


def join(blocks: list[BinBlock]) -> BinBlock:
    """Consecutive blocks as one."""
    return BinBlock(
        np.concatenate([block.bins for block in blocks]),
        np.concatenate([block.grid for block in blocks], axis=1),
        np.concatenate([block.state5 for block in blocks]),
        np.concatenate([block.last_event_id for block in blocks]),
    )


def run_engine(folder: Path, stream: streams.Stream, config: VPRuntimeConfig, block_bins: int = 600) -> EngineRun:
    """The engine over a stream, through a DBN file as in life."""
    path = streams.write_dbn(folder / "stream.dbn", stream.records)
    events = stream_events([path], config, capture_of(stream, config), block_bins=block_bins)
    blocks = [copied(block) for block in events]
    return EngineRun(join(blocks), dict(events.counters))


def copied(block: BinBlock) -> BinBlock:
    """A block that no later one can write into."""
    return BinBlock(*(array.copy() for array in block))


def assert_close(actual: np.ndarray, expected: np.ndarray, name: str, rel: float = 1e-6) -> None:
    """Equal to `rel` of each value plus 1e-9 of the column's largest (and of 1: smaller values are emitted as 0)."""
    expected = np.asarray(expected, np.float64)
    error = np.abs(np.asarray(actual, np.float64) - expected)
    allowed = rel * np.abs(expected) + 1e-9 * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    if not np.all(error <= allowed):
        worst = np.unravel_index(int(np.argmax(error - allowed)), expected.shape)
        n_bad = int(np.sum(~(error <= allowed)))
        raise AssertionError(
            f"{name}{[int(i) for i in worst]}: {actual[worst]!r}, twin {expected[worst]!r} "
            f"({n_bad} of {expected.size} values differ)"
        )


def assert_bins_equal(actual: np.ndarray, expected: np.ndarray) -> None:
    """Every column of BIN_DTYPE, exactly; the mid to rounding."""
    for name in BIN_DTYPE.names or ():
        if name == "mid_price":
            np.testing.assert_allclose(actual[name], expected[name], rtol=1e-14, err_msg=name)
        else:
            np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def assert_same_bits(one: BinBlock, other: BinBlock) -> None:
    """Equal in every bit of every field (padding between the fields of a bin is nobody's business)."""
    for name in BIN_DTYPE.names or ():
        assert one.bins[name].tobytes() == other.bins[name].tobytes(), name
    for name in GRID_F32_NAMES:
        assert one.field(name).tobytes() == other.field(name).tobytes(), name
    assert one.state5.tobytes() == other.state5.tobytes()
    assert one.last_event_id.tobytes() == other.last_event_id.tobytes()


def assert_grids_agree(block: BinBlock, twin: TwinResult) -> None:
    """The emitted bins of the twin against the same bins of the engine's block."""
    np.testing.assert_array_equal(block.state5, twin.state5, err_msg="state5_code")
    np.testing.assert_array_equal(block.last_event_id[twin.emitted], twin.last_event_id, err_msg="last_event_id")
    for name in GRID_F32_NAMES:
        actual, expected = block.field(name)[twin.emitted], twin.field(name)
        if name in EXACT_FIELDS:
            np.testing.assert_array_equal(actual, expected, err_msg=name)
        else:
            assert_close(actual, expected, name)


def assert_counters_equal(actual: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Every counter that both keep, in one comparison so that a failure shows them all."""
    assert {name: actual[name] for name in COUNTERS} == {name: expected.get(name, 0) for name in COUNTERS}
