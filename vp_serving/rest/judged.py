"""A result row once more, trade by trade: what it was judged on, replayed from its dataset. Bins count from the
capture's start; pnl in ticks after fees. Kept in memory, since a row of a dataset never changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from vp_engine.evaluation import replay_trades
from vp_engine.evaluation.barriers import HALF, STOP_LOSS, TAKE_PROFIT
from vp_engine.evaluation.no_edge import CONFIDENCE, no_edge_band
from vp_engine.evaluation.trials import Evaluation
from vp_engine.lake import Dataset, Lake
from vp_engine.lake.models import models_address, models_dir, open_models
from vp_engine.signals import get_signal
from vp_serving.rest.responses import NoEdge, RunTrades
from vp_serving.wire.query import QueryError

BAND_POINTS = 240
KEPT = 256
_OUTCOMES: dict[int, Literal["take_profit", "stop_loss"]] = {TAKE_PROFIT: "take_profit", STOP_LOSS: "stop_loss"}


class TradesShelf:
    """Trades of rows that were asked for lately. One row is made at a time, so that nothing is made twice."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._kept: OrderedDict[tuple[str, float], RunTrades] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, dataset: Dataset, detail: Mapping[str, Any], threshold: float) -> RunTrades:
        """Trades of a run (`ResultsDB.detail`) at one of its thresholds; QueryError for a signal that learns and whose
        models were not kept."""
        key = (detail["run_id"], threshold)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._make(dataset, detail, threshold)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _make(self, dataset: Dataset, detail: Mapping[str, Any], threshold: float) -> RunTrades:
        signal, parameters = detail["signal"], detail["parameters"]
        models = None
        if get_signal(signal).kind == "ml":
            address = models_address(signal, parameters, dataset.address)
            if address is None or not self._lake.exists(self._lake.path(models_dir(address))):
                message = f"the models of run `{detail['run_id']}` were not kept; promote it, then it can be replayed"
                raise QueryError("run_id", message, "not_found")
            models = open_models(self._lake, address, signal)
        evaluation = Evaluation.parse(detail["evaluation"], "evaluation")
        trades, figures = replay_trades(dataset, signal, parameters, detail["evaluation"], threshold, models)
        net = trades.pnl_half / HALF - evaluation.cost_ticks
        first = evaluation.first_bin(dataset.n_bins)
        order = np.argsort(trades.exit_bin, kind="stable")
        band = no_edge_band(
            net[order], trades.exit_bin[order] - first, dataset.n_bins - first, evaluation.max_hold_bins, BAND_POINTS
        )
        return RunTrades(
            run_id=detail["run_id"],
            threshold=threshold,
            dataset_id=dataset.dataset_id,
            start_ns=str(dataset.capture.start_ns),
            bin_ns=dataset.capture.bin_ns,
            first_bin=first,
            n_bins=dataset.n_bins,
            net_total_pnl_ticks=figures["net_total_pnl_ticks"],
            fire_bin=trades.fire_bin[order].tolist(),
            entry_bin=trades.entry_bin[order].tolist(),
            exit_bin=trades.exit_bin[order].tolist(),
            direction=trades.direction[order].tolist(),
            outcome=[_OUTCOMES.get(int(kind), "timeout") for kind in trades.kind[order]],
            net_pnl_ticks=net[order].tolist(),
            cumulative_ticks=np.cumsum(net[order]).tolist(),
            no_edge=None
            if band is None
            else NoEdge(
                confidence=CONFIDENCE,
                bin=(band.bin + first).tolist(),
                low=band.low.tolist(),
                high=band.high.tolist(),
            ),
        )
