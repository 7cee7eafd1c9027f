"""Slow twins of the statistical signals, written from their definitions: plain Python over the rows of each valid bin,
plain numpy over the series that come out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from operator_twin import slow_ema, slow_lag, slow_robust_z, slow_slopes

from vp_engine.schema import BinBlock
from vp_engine.specs import VPRuntimeConfig
from vp_engine.spectrum.scoring import Scores

Row = Callable[[int, int], float]  # (side, |k|) -> value; side -1 bid, +1 ask
BANDS = {3: range(1, 4), 8: range(4, 12), 12: range(12, 24)}


class View:
    """One valid bin: where its rows are."""

    def __init__(self, block: BinBlock, at: int, frame: str, config: VPRuntimeConfig) -> None:
        self.radius = config.grid_radius_ticks
        ticks = {name: int(block.bins[f"{name}_price_int"][at]) // config.tick_int for name in (
            "best_bid", "best_ask", "spot_ref")}  # fmt: skip
        bid_k, ask_k = ticks["best_bid"] - ticks["spot_ref"], ticks["best_ask"] - ticks["spot_ref"]
        self.start = {-1: bid_k, 1: ask_k} if frame == "bbo" else {-1: -1, 1: 1}

    def k(self, side: int, distance: int) -> int | None:
        """Row k at a distance; None where it, or its opposite, lies outside the grid."""
        both = [self.start[s] + s * (distance - 1) for s in (-1, 1)]
        return self.start[side] + side * (distance - 1) if all(abs(k) <= self.radius for k in both) else None

    def value(self, row: np.ndarray, side: int, distance: int) -> float:
        k = self.k(side, distance)
        return 0.0 if k is None else float(row[k + self.radius])

    def total(self, row: np.ndarray, side: int, distances: range) -> float:
        return sum(self.value(row, side, distance) for distance in distances)

    def mean(self, row: np.ndarray, side: int, distances: range) -> float:
        return self.total(row, side, distances) / len(distances)

    def weighted(self, row: np.ndarray, side: int, reach: int) -> float:
        return sum(self.value(row, side, d) / d for d in range(1, reach + 1))


class Bins:
    """The valid bins of a block."""

    def __init__(self, block: BinBlock, params: Any, config: VPRuntimeConfig) -> None:
        self.block, self.params, self.config = block, params, config
        self.at = np.flatnonzero(block.bins["book_valid"])
        self.views = [View(block, at, params.frame, config) for at in self.at]

    def series(self, make: Callable[..., float], *names: str) -> np.ndarray:
        """make(view, row of each column) per valid bin."""
        columns = [self.block.field(name) for name in names]
        return np.array([make(view, *(c[at] for c in columns)) for view, at in zip(self.views, self.at, strict=True)])

    def spread_out(self, values: np.ndarray) -> np.ndarray:
        """Values per bin, 0 in invalid ones."""
        out = np.zeros(len(self.block.bins))
        out[self.at] = values
        return out


def _ads_of(bins: Bins, windows: tuple, weights: tuple, z_window: int, z_least: int, scale: float) -> np.ndarray:
    def c(view: View, add: np.ndarray, pull: np.ndarray) -> float:
        total = 0.0
        for width, band in BANDS.items():
            asym_add = view.mean(add, -1, band) - view.mean(add, 1, band)
            asym_pull = view.mean(pull, 1, band) - view.mean(pull, -1, band)
            total += (asym_add + asym_pull) / math.sqrt(width)
        return total / sum(1 / math.sqrt(width) for width in BANDS)

    series = bins.series(c, "v_add", "v_pull")
    return sum(
        weight * np.tanh(slow_robust_z(slow_slopes(series, window), z_window, z_least) / scale)
        for window, weight in zip(windows, weights, strict=True)
    )


def ads(bins: Bins) -> np.ndarray:
    p = bins.params
    return _ads_of(
        bins, p.slope_windows, p.slope_weights, p.zscore_window_bins, p.zscore_min_periods, p.tanh_scale
    )  # fmt: skip


def _pfp_of(bins: Bins, inner: range, outer: range, lag: int, alpha: float, shares: tuple) -> np.ndarray:
    def lead(side: int, *names: str) -> np.ndarray:
        inside = sum(bins.series(lambda view, row: view.mean(row, side, inner), name) for name in names)
        outside = sum(bins.series(lambda view, row: view.mean(row, side, outer), name) for name in names)
        return slow_ema(inside * slow_lag(outside, lag), alpha) / (slow_ema(inside * outside, alpha) + 1e-12)

    add = lead(-1, "v_add", "v_fill") - lead(1, "v_add", "v_fill")
    pull = lead(1, "v_pull") - lead(-1, "v_pull")
    return shares[0] * add + shares[1] * pull


def pfp(bins: Bins) -> np.ndarray:
    p = bins.params
    inner, outer = range(1, p.inner_last + 1), range(p.outer_first, p.outer_last + 1)
    return _pfp_of(bins, inner, outer, p.lag_bins, p.alpha, (p.add_weight, p.pull_weight))


def ads_pfp_svac(bins: Bins) -> np.ndarray:
    p, width = bins.params, bins.config.cell_width_ms
    windows = tuple(max(2, math.ceil(ms / width)) for ms in p.slope_windows_ms)
    z_window = max(2, math.ceil(p.zscore_window_ms / width))
    z_least = max(2, math.floor(0.15 * z_window))
    lag, warm_up = max(1, math.ceil(p.lag_ms / width)), max(1, math.ceil(p.warmup_ms / width))
    slant = bins.series(
        lambda view, row: view.weighted(row, 1, p.svac_reach_ticks) - view.weighted(row, -1, p.svac_reach_ticks),
        "vacuum_variant",
    )
    parts = [
        (p.ads_weight, warm_up - 1, _ads_of(bins, windows, p.slope_weights, z_window, z_least, p.tanh_scale)),
        (p.pfp_weight, lag - 1, _pfp_of(bins, range(1, 4), range(5, 13), lag, p.pfp_alpha, (0.6, 0.4))),
        (p.svac_weight, 0, slant / np.maximum(slow_ema(np.abs(slant), p.svac_alpha), 1e-6)),
    ]
    at = np.arange(len(slant))
    shares = sum(weight * (at >= since) for weight, since, _ in parts)
    total = sum(weight * (at >= since) * values for weight, since, values in parts)
    return total / shares


def erd(bins: Bins, scores: Scores) -> np.ndarray:
    p, radius = bins.params, bins.config.grid_radius_ticks

    def entropy(codes: list[int]) -> float:
        shares = [codes.count(code) / len(codes) for code in (-1, 0, 1) if code in codes]
        return -sum(share * math.log2(share) for share in shares)

    def sides(view: View, codes: np.ndarray) -> tuple[list[int], list[int], list[int]]:
        below, above = (
            [int(codes[view.k(side, d) + radius]) for d in range(1, 2 * radius) if view.k(side, d) is not None]
            for side in (-1, 1)
        )
        between = [int(codes[k + radius]) for k in range(view.start[-1] + 1, view.start[1])]
        return below, above, between

    parts = [sides(view, scores.flow_state_code[at]) for view, at in zip(bins.views, bins.at, strict=True)]
    gate = np.array([entropy(below + above + between) for below, above, between in parts])
    gate = np.maximum(0.0, slow_robust_z(gate, p.entropy_window_bins, p.entropy_min_periods) - p.gate_offset)
    if p.variant == "b":
        return gate * np.array([entropy(above) - entropy(below) for below, above, _ in parts])
    reach = range(1, radius + 1)
    lean = [
        view.mean(scores.flow_score[at], -1, reach) - view.mean(scores.flow_score[at], 1, reach)
        for view, at in zip(bins.views, bins.at, strict=True)
    ]
    return gate * np.array(lean)


def iirc(bins: Bins) -> np.ndarray:
    p = bins.params
    reach = range(1, p.reach_ticks + 1)

    def ratio(view: View, side: int, add: np.ndarray, pull: np.ndarray, fill: np.ndarray) -> float:
        return view.total(add, side, reach) / (view.total(pull, side, reach) + view.total(fill, side, reach) + 1)

    imbalance = bins.series(
        lambda view, *rows: math.log(ratio(view, -1, *rows) + 1) - math.log(ratio(view, 1, *rows) + 1),
        "v_add", "v_pull", "v_fill",
    )  # fmt: skip
    value = sum(w * slow_slopes(imbalance, n) for n, w in zip(p.slope_windows, p.slope_weights, strict=True))
    return np.where(np.isnan(value) | (np.abs(imbalance) < p.dead_zone), 0.0, value)


def jad(bins: Bins) -> np.ndarray:
    p = bins.params
    norm = sum(1 / d for d in range(1, p.reach_ticks + 1))

    def divergence(view: View, add: np.ndarray, pull: np.ndarray) -> float:
        side = {s: (view.weighted(add, s, p.reach_ticks), view.weighted(pull, s, p.reach_ticks)) for s in (-1, 1)}
        return 0.5 * (side[-1][0] - side[1][0]) / norm + 0.5 * (side[1][1] - side[-1][1]) / norm

    jerk, acceleration = bins.series(divergence, "j_add", "j_pull"), bins.series(divergence, "a_add", "a_pull")
    agree = np.sign(jerk) * np.sign(acceleration) > 0
    shares = np.where(agree, *np.array([p.agree_weights, p.differ_weights])[:, :, None])
    blend = shares[0] * jerk + shares[1] * acceleration
    return np.tanh(slow_robust_z(blend, p.zscore_window_bins, p.zscore_min_periods) / p.tanh_scale)


def msd(bins: Bins) -> np.ndarray:
    radius = bins.config.grid_radius_ticks

    def slant(view: View, row: np.ndarray) -> float:
        if bins.params.variant == "weighted":
            return view.weighted(row, 1, radius) - view.weighted(row, -1, radius)
        return view.total(row, 1, range(1, radius + 1)) - view.total(row, -1, range(1, radius + 1))

    return bins.series(slant, "vacuum_variant")


def spg(bins: Bins) -> np.ndarray:
    p, radius, outward = bins.params, bins.config.grid_radius_ticks, bins.params.frame == "bbo"
    reach = range(1, p.reach_ticks + 1)

    def gradient(view: View, side: int, row: np.ndarray) -> float:
        slopes = np.gradient(row.astype(float)) * (side if outward else 1)
        return view.mean(slopes, side, reach)

    def net(view: View, pressure: np.ndarray, vacuum: np.ndarray) -> float:
        of_pressure = gradient(view, -1, pressure) - gradient(view, 1, pressure)
        return -of_pressure + gradient(view, 1, vacuum) - gradient(view, -1, vacuum)

    def bend(view: View, row: np.ndarray) -> float:
        row = row.astype(float)
        second = {k: row[k + radius + 1] - 2 * row[k + radius] + row[k + radius - 1] for k in range(-8, 9)}
        if not outward:
            return -float(np.mean([second[k] for k in range(-2, 3)]))
        return -float(np.mean([second[view.k(-1, d)] - second[view.k(1, d)] for d in (1, 2)]))

    of_p_and_v = bins.series(net, "pressure_variant", "vacuum_variant")
    fast, slow = (slow_ema(of_p_and_v, 2 / (span + 1)) for span in (p.fast_span, p.slow_span))
    bent = slow_ema(bins.series(bend, "pressure_variant"), 2 / (p.bend_span + 1))
    return p.gradient_weight * (p.fast_weight * fast + p.slow_weight * slow) + p.bend_weight * bent


TWINS: dict[str, Callable[..., np.ndarray]] = {
    "ads": ads,
    "pfp": pfp,
    "ads_pfp_svac": ads_pfp_svac,
    "erd": erd,
    "iirc": iirc,
    "jad": jad,
    "msd": msd,
    "spg": spg,
}


def twin_values(name: str, block: BinBlock, params: Any, config: VPRuntimeConfig, scores: Scores) -> np.ndarray:
    """Values float64 (n,) of a statistical signal."""
    bins = Bins(block, params, config)
    if not len(bins.at):
        return np.zeros(len(block.bins))
    return bins.spread_out(TWINS[name](bins, scores) if name == "erd" else TWINS[name](bins))
