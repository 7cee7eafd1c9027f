"""Where a score is heading: a damped Taylor step from its successive differences at one tick. Times in seconds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Differences(NamedTuple):
    """Score and its first three differences per second."""

    s: float
    s1: float
    s2: float
    s3: float

    @staticmethod
    def after(before: Differences | None, score: float, dt_s: float) -> Differences:
        """This bin's, given the previous valid bin's, which is None unless the tick was scored there."""
        if before is None:
            return Differences(score, 0.0, 0.0, 0.0)
        s1 = (score - before.s) / dt_s
        s2 = (s1 - before.s1) / dt_s
        return Differences(score, s1, s2, (s2 - before.s2) / dt_s)


def project(now: Differences, h: float, config: Any) -> float:
    """The score h seconds ahead, in -1..1."""
    ahead = now.s + now.s1 * h + now.s2 * h**2 / 2
    if config.projection_use_cubic:
        ahead += config.projection_cubic_scale * now.s3 * h**3
    return min(1.0, max(-1.0, math.exp(-config.projection_damping_lambda * h) * ahead))
