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


class Trade(NamedTuple):
    """Bins from entry to exit, both included; +1 or -1; how it ended; pnl in ticks."""

    entry: int
    exit: int
    side: int
    end: str
    pnl: float


def trades(values: list[float], mid: list[int], valid: list[int], rules: Rules) -> list[Trade]:
    """Every trade, in the order of entries."""
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
        out, end, pnl = entry, "timeout", 0.0
        for later in range(entry + 1, min(entry + rules.hold, len(values))):
            if not valid[later]:
                continue
            out, pnl = later, now * (mid[later] - mid[entry]) / 2
            if pnl >= rules.tp or pnl <= -rules.sl:
                end = "tp" if pnl > 0 else "sl"
                break
        found.append(Trade(entry, out, now, end, pnl))
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


def figures(found: list[Trade]) -> dict[str, float]:
    """The figures of a row, by the names they have in the table of runs."""
    n, nan = len(found), math.nan
    ends = {end: sum(trade.end == end for trade in found) for end in ("tp", "sl", "timeout")}
    held = sorted(trade.exit - trade.entry for trade in found if trade.end != "timeout")
    mean = sum(trade.pnl for trade in found) / n if n else nan
    second, third, fourth = (sum((trade.pnl - mean) ** power for trade in found) for power in (2, 3, 4))
    spread = math.sqrt(second / (n - 1)) if n > 1 else nan
    independent, busy_until = 0, -1
    for trade in sorted(found, key=lambda trade: trade.exit):
        if trade.entry > busy_until:
            independent, busy_until = independent + 1, trade.exit
    living: dict[int, int] = {}
    for trade in found:
        for at in range(trade.entry, trade.exit + 1):
            living[at] = living.get(at, 0) + 1
    effective = 0.0
    for trade in found:
        shares = sum(1 / living[at] for at in range(trade.entry, trade.exit + 1))
        effective += shares / (trade.exit - trade.entry + 1)
    middle = len(held) // 2
    return {
        "n_signals": n,
        "n_up": sum(trade.side > 0 for trade in found),
        **{f"{end}_rate": some / n if n else nan for end, some in ends.items()},
        "n_independent": independent,
        "n_effective": effective,
        "median_held_bins": (held[middle] + held[~middle]) / 2 if held else nan,
        "mean_pnl_ticks": mean,
        "net_std_pnl_ticks": spread,
        "sharpe": mean / spread if n > 1 and spread else nan,
        "skew": third / n / (second / n) ** 1.5 if n > 1 and second else nan,
        "kurtosis": fourth / n / (second / n) ** 2 if n > 1 and second else nan,
    }


def p_value(found: list[Trade], n_bins: int, rules: Rules, draws: int, hits: int) -> float:
    """One-sided p of the mean pnl by a studentised stationary bootstrap that stops after so many hits."""
    grain = max(1, rules.hold // GRAINS_PER_BLOCK)
    block, n = -(-rules.hold // grain), -(-(n_bins - rules.warmup) // grain)
    sums, counts = [0.0] * n, [0] * n
    for trade in found:
        sums[(trade.entry - rules.warmup) // grain] += trade.pnl
        counts[(trade.entry - rules.warmup) // grain] += 1
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
