"""Flow scores of a whole dataset, made once for all signals that read them. Rows are k = -R..+R."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vp_engine.schema import BinBlock
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides
from vp_engine.spectrum.scoring import Scores, score_dataset


def dataset_scores(config: VPRuntimeConfig, blocks: Iterable[BinBlock]) -> Scores:
    """Scores of consecutive blocks under the scoring fields of `config`; projections are left out (0, n, rows)."""
    parts = list(score_dataset(build_config_with_overrides(config, {"projection_horizons_bins": (1,)}), blocks))
    score = np.concatenate([part.flow_score for part in parts])
    return Scores(
        score, np.concatenate([part.flow_state_code for part in parts]), np.zeros((0, *score.shape), np.float32)
    )


def score_blocks(scores: Scores, block_bins: int) -> Iterator[Scores]:
    """Views of `block_bins` bins each, the last one of what is left."""
    for first in range(0, len(scores.flow_score), block_bins):
        part = slice(first, first + block_bins)
        yield Scores(scores.flow_score[part], scores.flow_state_code[part], scores.projections[:, part])
