"""The two-force model, straight from its two lines. Inputs in contracts/s and contracts/s²."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from twin.kinetics import CHANNELS, Chain, chain


class TickFields(NamedTuple):
    """Chains by channel name, rest_depth included, and the two forces; one value per tick."""

    channels: dict[str, Chain]
    pressure: np.ndarray
    vacuum: np.ndarray


def tick_fields(sums: np.ndarray, taus: Sequence[float], c: Sequence[float]) -> TickFields:
    """Everything the kinetics say of ticks with sums (n, channel, tau)."""
    channels = {name: chain(sums[:, i], taus) for i, name in enumerate(CHANNELS)}
    bid, ask = channels["bid_depth"], channels["ask_depth"]
    rest = Chain(*(b + a for b, a in zip(bid, ask, strict=True)))
    channels["rest_depth"] = rest
    add, pull, fill = channels["add"], channels["pull"], channels["fill"]
    c1, c2, c3, c4, c5, c6, c7 = c
    pressure = c1 * add.v + c2 * np.maximum(rest.v, 0.0) + c3 * np.maximum(add.a, 0.0)
    vacuum = c4 * pull.v + c5 * fill.v + c6 * np.maximum(-rest.v, 0.0) + c7 * np.maximum(pull.a, 0.0)
    return TickFields(channels, pressure, vacuum)
