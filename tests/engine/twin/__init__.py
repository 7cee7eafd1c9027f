"""Slow, plain twin of the engine: written from the definitions alone, shares no kernel with `vp_engine`.

Dicts of orders, sums decayed by `exp` at every event, windows kept whole, statistics from scratch in every bin.
"""

from twin.bins import TwinResult, twin_run
from twin.records import MBO_DTYPE, make_records, read_dbn
from twin.scoring import TwinScores, twin_scores
from twin.state5 import twin_state_model

__all__ = [
    "MBO_DTYPE",
    "TwinResult",
    "TwinScores",
    "make_records",
    "read_dbn",
    "twin_run",
    "twin_scores",
    "twin_state_model",
]
