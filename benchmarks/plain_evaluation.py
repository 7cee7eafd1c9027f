"""One evaluation as one would write it down first: a loop over bins, for every trade a loop to its exit, and a p from
resampled blocks. The same rules as the engine's, on Python lists. Mids in half ticks, pnl in ticks.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

GRAINS_PER_BLOCK = 16


class Rules(NamedTuple):
    """One evaluation of a score: distances in ticks, times in bins, entry one bin after the firing, no costs."""

    threshold: float
    cooldown: int
    tp: float
    sl: float
    hold: int
    warmup: int


def trades(values: list[float], mid: list[int], valid: list[int], rules: Rules) -> list[tuple[int, float]]:
    """(entry bin, pnl) of every trade."""
    side, last, found = 0, -(10**9), []
    for at in range(rules.warmup, len(values)):
        if not valid[at]:
            continue
        now = 1 if values[at] >= rules.threshold else -1 if values[at] <= -rules.threshold else 0
        entered, side = now != 0 and now != side, now
        if not entered or at - last < rules.cooldown:
            continue
        last, entry = at, at + 1
        if entry >= len(values) or not valid[entry]:
            continue
        pnl = 0.0
        for later in range(entry + 1, min(entry + rules.hold, len(values))):
            if not valid[later]:
                continue
            pnl = now * (mid[later] - mid[entry]) / 2
            if pnl >= rules.tp or pnl <= -rules.sl:
                break
        found.append((entry, pnl))
    return found


def outcomes(mid: list[int], valid: list[int], tp: float, sl: float, hold: int, until: int) -> list[tuple[int, float]]:
    """(exit bin, pnl) of a trade entered at each of the first `until` bins, up and then down: the double loop."""
    found = []
    for entry in range(until):
        if not valid[entry]:
            continue
        for side in (1, -1):
            out, pnl = entry, 0.0
            for later in range(entry + 1, min(entry + hold, len(mid))):
                if not valid[later]:
                    continue
                out, pnl = later, side * (mid[later] - mid[entry]) / 2
                if pnl >= tp or pnl <= -sl:
                    break
            found.append((out, pnl))
    return found


def figures(found: list[tuple[int, float]]) -> tuple[int, float, float]:
    """(trades, mean pnl, Sharpe ratio per trade)."""
    n = len(found)
    if n < 2:
        return n, math.nan, math.nan
    mean = sum(pnl for _, pnl in found) / n
    spread = math.sqrt(sum((pnl - mean) ** 2 for _, pnl in found) / (n - 1))
    return n, mean, mean / spread if spread else math.nan


def p_value(found: list[tuple[int, float]], n_bins: int, rules: Rules, draws: int, hits: int) -> float:
    """One-sided p of the mean pnl by a studentised stationary bootstrap that stops after so many hits."""
    grain = max(1, rules.hold // GRAINS_PER_BLOCK)
    block, n = -(-rules.hold // grain), -(-(n_bins - rules.warmup) // grain)
    sums, counts = [0.0] * n, [0] * n
    for entry, pnl in found:
        sums[(entry - rules.warmup) // grain] += pnl
        counts[(entry - rules.warmup) // grain] += 1
    mean, null = sum(sums) / sum(counts), rules.tp * rules.sl
    rest, some = [0.0], [0]
    for total, count in zip(sums, counts, strict=True):
        rest.append(rest[-1] + total - mean * count)
        some.append(some[-1] + count)

    def span(prefix: list, start: int, length: int) -> float:
        end = start + length
        return prefix[end] - prefix[start] if end <= n else prefix[n] - prefix[start] + prefix[end - n]

    square = sum(span(rest, start, block) ** 2 for start in range(n))
    observed = sum(sums) / math.sqrt(square / block + null)
    source, keep, reached = random.Random(42), math.log1p(-1 / block), 0
    for draw in range(draws):
        left, r, s, rr, rs, ss = n, 0.0, 0.0, 0.0, 0.0, 0.0
        while left > 0:
            start = int(source.random() * n)
            length = min(left, 1 + int(math.log1p(-source.random()) / keep))
            part, number = span(rest, start, length), span(some, start, length)
            r, s = r + part, s + number
            rr, rs, ss = rr + part * part, rs + part * number, ss + number * number
            left -= length
        shift = r / s if s else 0.0
        reached += r / math.sqrt(max(rr - 2 * shift * rs + shift * shift * ss, 0.0) + null) >= observed
        if reached == hits:
            return hits / (draw + 1)
    return (reached + 1) / (draws + 1)
