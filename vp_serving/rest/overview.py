"""A whole capture in a few hundred points, for a session bar. Point i covers bins i·bins_per_point up to the next
point's first; the last may cover fewer. Prices in dollars, null where no bin of the point has a valid book.
"""

from __future__ import annotations

import numpy as np

from vp_engine.lake import Dataset
from vp_serving.rest.responses import DatasetOverview


def overview(dataset: Dataset, points: int) -> DatasetOverview:
    """At most `points` points over all bins of a dataset."""
    bins, capture = dataset.bins, dataset.capture
    per_point = -(-dataset.n_bins // points)
    first = np.arange(0, dataset.n_bins, per_point)
    valid = bins["book_valid"] == 1
    mid = bins["mid_price"]
    low = np.minimum.reduceat(np.where(valid, mid, np.inf), first)
    high = np.maximum.reduceat(np.where(valid, mid, -np.inf), first)
    last_valid = np.maximum.reduceat(np.where(valid, np.arange(dataset.n_bins), -1), first)
    seen = last_valid >= 0
    return DatasetOverview(
        dataset_id=dataset.dataset_id,
        start_ns=str(capture.start_ns),
        bin_ns=capture.bin_ns,
        n_bins=dataset.n_bins,
        bins_per_point=per_point,
        mid=_prices(mid[last_valid], seen),
        mid_low=_prices(low, seen),
        mid_high=_prices(high, seen),
        trades=np.add.reduceat(bins["trade_count"], first).tolist(),
        buy_volume=np.add.reduceat(bins["buy_volume"], first).tolist(),
        sell_volume=np.add.reduceat(bins["sell_volume"], first).tolist(),
        invalid_bins=np.add.reduceat((~valid).astype(np.int64), first).tolist(),
    )


def _prices(values: np.ndarray, seen: np.ndarray) -> list[float | None]:
    return [float(value) if there else None for value, there in zip(values, seen, strict=True)]
