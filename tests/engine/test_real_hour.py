"""One real hour (ESH4, 2023-12-25 18:00-19:00 Eastern, opening auction included) against the twin.

The file is licensed data and not part of the repository: VP_REAL_DBN_DIR names its folder.
"""

from __future__ import annotations

import numpy as np
import pytest
from harness import (
    REAL_FILE,
    assert_bins_equal,
    assert_close,
    assert_counters_equal,
    assert_grids_agree,
    copied,
    engine_config,
    join,
    real_file,
)
from twin import TwinResult, read_dbn, twin_run, twin_scores, twin_state_model

from vp_engine.hashing import sha256_file
from vp_engine.schema import STATE_MODEL_DTYPE, BinBlock
from vp_engine.specs import resolve_capture
from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams
from vp_engine.stream import EventStream, stream_events

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not real_file().is_file(), reason=f"{REAL_FILE} is not in {real_file().parent}"),
]
SHA256 = "04597c542c1f0a9d0f6c5e8b73c7624db67d978061b42742b86e09ae608c0bc5"
N_BINS = 36_000
SCORED = 800  # first bins whose every grid is compared and scored
CONFIG = engine_config()
CAPTURE = resolve_capture(CONFIG, "2023-12-25", "18:00", "19:00")


@pytest.fixture(scope="module")
def engine() -> tuple[BinBlock, EventStream]:
    """All bins of the hour, and the stream they came from."""
    events = stream_events([real_file()], CONFIG, CAPTURE)
    return join([copied(block) for block in events]), events


@pytest.fixture(scope="module")
def twin() -> TwinResult:
    """The twin's hour, with grids of its first bins and of bins drawn from the rest."""
    drawn = np.random.default_rng(20231225).choice(np.arange(SCORED, N_BINS), 1_000, replace=False)
    emit = [*range(SCORED), *drawn.tolist()]
    records = read_dbn(real_file())
    return twin_run(records, CONFIG, CAPTURE.start_ns, CAPTURE.end_ns, CAPTURE.warmup_start_ns, emit)


def test_file_is_the_one_described():
    assert sha256_file(real_file()) == SHA256


def test_bins_are_exactly_the_same(engine, twin):
    """Quotes, moves, counts, volumes and labels of all 36,000 bins."""
    block, _ = engine
    assert len(block.bins) == N_BINS
    assert_bins_equal(block.bins, twin.bins)
    np.testing.assert_array_equal(block.state5, twin.state5)


def test_grids_agree(engine, twin):
    """Depth, fills and event ids exactly, all else to 1e-6, in 1,800 bins."""
    assert_grids_agree(engine[0], twin)


def test_counters_and_conservation(engine, twin):
    """What was filled is what was traded, trade by trade, and twice that in the auction, to the contract."""
    _, events = engine
    counters = events.counters
    assert_counters_equal(counters, twin.counters)
    assert counters["filled_sided"] == counters["traded_sided"] == 9_848
    assert counters["filled_unsided"] == 2 * counters["traded_unsided"] == 88
    assert (counters["overfilled"], counters["unattributed"]) == (0, 0)
    assert counters["events_kept"] == 68_792
    assert (counters["unknown_fill"], counters["aggressor_fills"]) == (7, 107)
    assert all(counters[name] == 0 for name in ("unknown_cancel", "unknown_modify", "duplicate_add", "off_grid"))


def test_fill_size_adds_up(engine):
    """After the auction in the first bin, the contracts filled on a bin's grid are the contracts traded in the bin."""
    block, _ = engine
    filled = block.field("fill_size").sum(axis=1, dtype=np.float64)
    traded = block.bins["buy_volume"] + block.bins["sell_volume"]
    np.testing.assert_array_equal(filled[1:], traded[1:])
    assert traded[1:].sum() > 9_000


def test_scores_and_projections(engine, twin):
    block, _ = engine
    first = block.part(0, SCORED)
    d1, d2, d3 = (first.field(f"composite_d{i}") for i in (1, 2, 3))
    spot = first.bins["spot_ref_price_int"] // CONFIG.tick_int
    expected = twin_scores(d1, d2, d3, spot, first.bins["book_valid"], CONFIG)
    scores = SpectrumScorer(CONFIG).update(first)
    assert_close(scores.flow_score, expected.score, "flow_score")
    assert_close(scores.projections, expected.projections, "projections")
    decided = np.abs(np.abs(expected.score) - CONFIG.threshold_neutral) > 1e-9
    np.testing.assert_array_equal(scores.flow_state_code[decided], expected.code[decided])
    assert np.abs(scores.flow_score).max() > 0.5


def test_state_model(engine, twin):
    block, _ = engine
    span = slice(0, 2_500)
    model = StateModelParams(**CONFIG.state_model)
    valid = block.bins["book_valid"]
    rows = DerivativeRuntime(model, CONFIG.dt_s, CONFIG.grid_radius_ticks).update(block.state5[span], valid[span])
    expected = twin_state_model(twin.state5[span], valid[span], model, CONFIG.dt_s)
    for name in STATE_MODEL_DTYPE.names or ():
        scale = CONFIG.dt_s ** -int(name[1]) if name in ("d1", "d2", "d3") else 1.0
        np.testing.assert_allclose(rows[name], expected[name], rtol=1e-7, atol=1e-9 * scale, err_msg=name)
    assert rows["ready"][-1] == 1
