"""What the UI shows of a stored thing: its address, size, counters, a table and a picture. Plain values and Markdown.

Figures come from manifests and bytes, so a thing found in the store shows the same as one just made.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from vp_assets.defs import preview
from vp_assets.research.gates import MIN_VALID_SHARE, volumes
from vp_assets.research.promotion import PromotedSpec
from vp_assets.research.requests import BookRequest
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.book.order_table import ASK, BID
from vp_engine.evaluation.walk_forward import Choice
from vp_engine.lake import Dataset, RawDay
from vp_engine.lake.admission import NoSession
from vp_engine.lake.blocks import open_parquet, read_group
from vp_engine.lake.paths import GRID_FILE
from vp_engine.lake.raw import RawManifest
from vp_engine.lake.raw_checks import MAX_BAD_FLAG_SHARE, bad_flag_share
from vp_engine.lake.results import rank
from vp_engine.lake.store import LakePath
from vp_engine.specs import Capture, ExperimentSpec, VPRuntimeConfig
from vp_engine.units import PRICE_SCALE, UTC, dollars, ns_to_et

PREVIEW_FIELD = "rest_depth"
TOP_ROWS = 10
TABLE_COLUMNS = (
    "signal", "threshold", "n_signals", "net_mean_pnl_ticks", "net_mean_low_ticks", "net_mean_high_ticks",
    "timeout_rate", "barrier_tp_rate", "break_even_rate", "p_value", "p_holm", "run_id",
)  # fmt: skip


def raw(day: RawDay | NoSession) -> dict[str, Any]:
    """Metadata of a raw day, or of one that had no session."""
    if isinstance(day, NoSession):
        return {
            "day": f"no session: {day.reason}",
            "address": "",
            "rows": 0,
            "no_session": day.reason,
            "source": day.source,
        }
    facts = day.manifest
    words = {
        "condition": facts.condition, "quarantine": facts.quarantine, "admitted": facts.admitted,
        "counted": facts.counted,
    }  # fmt: skip
    span = preview.clock_span(facts.first_ts_ns, facts.last_ts_ns)
    return {
        "day": f"{_raw_verdict(facts)}: {facts.kept:,} records, {span}, {facts.bytes / 1e6:,.1f} MB",
        "address": facts.address,
        "path": dg.MetadataValue.path(str(day.path)),
        "rows": facts.kept,
        "records_in_file": facts.records,
        "bytes": facts.bytes,
        "source": facts.source,
        "dbn_version": facts.dbn_version,
        "span": span,
        "symbol": facts.symbol,
        "instrument_ids": list(facts.instrument_ids),
        **{name: word for name, word in words.items() if word is not None},
    }


def _raw_verdict(facts: RawManifest) -> str:
    """Whether chains may start from a raw day, and why not: what its checks say, in a word."""
    if facts.quarantine is not None:
        return f"in quarantine ({facts.quarantine})"
    if not facts.complete_start:
        return "not usable (its book is not known from the first record)"
    if bad_flag_share(facts) > MAX_BAD_FLAG_SHARE:
        return f"not usable ({bad_flag_share(facts):.1%} of the receive times are untrusted)"
    return "good"


def book(request: BookRequest, checkpoint: BookCheckpoint, path: LakePath, size: int) -> dict[str, Any]:
    """Metadata of a book cache of `size` bytes, with its ten levels around the market."""
    crossed = checkpoint.counters["crossed_events"]
    verdict = f"look at it (left crossed by {crossed:,} events)" if crossed else "good"
    return {
        "day": f"{verdict}: {checkpoint.n_orders:,} resting orders after {checkpoint.n_records:,} records",
        "address": request.address,
        "path": dg.MetadataValue.path(str(path)),
        "rows": checkpoint.n_orders,
        "bytes": size,
        "events": checkpoint.n_records,
        "counters": dg.MetadataValue.md(preview.pairs_markdown(checkpoint.counters)),
        "levels": dg.MetadataValue.md(_levels(checkpoint, request.config)),
    }


def dataset(stored: Dataset) -> dict[str, Any]:
    """Metadata of a dataset, with a picture of its day."""
    manifest, summary = stored.manifest, stored.manifest["summary"]
    size = sum(manifest["bytes"].values())
    traded, valid = volumes(manifest["counters"]), summary["valid_bins"] / max(stored.n_bins, 1)
    verdict = "good" if valid >= MIN_VALID_SHARE else f"look at it (the book is valid in {valid:.0%} of the bins)"
    if traded.overfilled:
        verdict = f"not good (fills exceed their trades by {traded.overfilled:,} contracts)"
    day = (
        f"{verdict}: {summary['valid_bins']:,} of {stored.n_bins:,} bins valid, {summary['events']:,} events, "
        f"{summary['trades']:,} trades, {size / 1e6:,.1f} MB"
    )
    return {
        "day": day,
        "preview": dg.MetadataValue.md(preview.image_markdown(dataset_png(stored), stored.dataset_id)),
        "address": stored.address,
        "dataset_id": stored.dataset_id,
        "path": dg.MetadataValue.path(str(stored.path)),
        "rows": manifest["rows"]["grid"],
        "bins": stored.n_bins,
        "window": _window(stored.capture),
        "valid_bins": summary["valid_bins"],
        "bytes": size,
        "events": summary["events"],
        "trades": summary["trades"],
        "volume": summary["volume"],
        "counters": dg.MetadataValue.md(preview.pairs_markdown(manifest["counters"])),
    }


def _window(capture: Capture) -> str:
    """A capture's window in both clocks that people type."""
    eastern, utc = (
        f"{_clock(of(capture.start_ns))} to {_clock(of(capture.end_ns))}"
        for of in (ns_to_et, lambda ns: ns_to_et(ns).astimezone(UTC))
    )
    return f"{eastern} Eastern, {utc} UTC"


def _clock(at: dt.datetime) -> str:
    """Hour and minute, and the second where it is not 0."""
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def dataset_png(stored: Dataset) -> bytes:
    """Resting contracts of a dataset around the market; every n-th bin, one row group in memory at a time."""
    bins, step = stored.bins, -(-stored.n_bins // preview.COLUMNS)
    chosen = np.arange(step - 1, stored.n_bins, step) if stored.n_bins >= step else np.array([stored.n_bins - 1])
    values = np.empty((chosen.size, stored.rows), np.float32)
    path = stored.info.file(GRID_FILE)
    with open_parquet(path) as file:
        for group in range(file.metadata.num_row_groups):
            first = group * stored.row_group_bins
            inside = (chosen >= first) & (chosen < first + stored.row_group_bins)
            if inside.any():
                column = read_group(file, path, group, (PREVIEW_FIELD,))[PREVIEW_FIELD]
                values[inside] = column.reshape(-1, stored.rows)[chosen[inside] - first]
    tick_int = stored.config.tick_int
    spot = np.where(bins["book_valid"][chosen] == 1, bins["spot_ref_price_int"][chosen] // tick_int, -1)
    return preview.heatmap_png(
        values, spot, bins["bin_end_ns"][chosen], bins["mid_price"][chosen], tick_int * PRICE_SCALE
    )


def runs_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The best rows of a sweep as Markdown."""
    return preview.table_markdown(TABLE_COLUMNS, [[row[name] for name in TABLE_COLUMNS] for row in rows[:TOP_ROWS]])


def best_rows(meta: pa.Table, runs: pa.Table, experiment: ExperimentSpec) -> list[dict[str, Any]]:
    """Rows of `runs` with their meta columns, in the order of the experiment's selection."""
    of_run = {row["run_id"]: row for row in meta.to_pylist()}
    ranked = rank(runs, experiment.selection.sort, experiment.selection.min_signals)
    return [{**of_run[row["run_id"]], **row} for row in ranked.to_pylist()]


def promoted(stored: PromotedSpec, text: str) -> dict[str, Any]:
    """Metadata of a promoted spec: its YAML as stored, and its figures."""
    record = stored.spec.promoted
    return {
        "address": stored.address,
        "name": stored.spec.name,
        "path": dg.MetadataValue.path(str(stored.path)),
        "bytes": len(text.encode()),
        "rows": 1,
        "figures": dg.MetadataValue.md(preview.pairs_markdown(record.figures if record is not None else {}, "figure")),
        "spec": dg.MetadataValue.md(f"```yaml\n{text}```"),
    }


def choice(made: Choice) -> dict[str, Any]:
    """How the chosen trial did, day by day."""
    columns = (
        "day", "role", "n_signals", "net_mean_pnl_ticks", "net_mean_low_ticks", "net_mean_high_ticks", "timeout_rate",
        "barrier_tp_rate", "net_total_pnl_ticks", "p_value", "p_holm",
    )  # fmt: skip
    table = preview.table_markdown(columns, [[row[name] for name in columns] for row in made.by_day])
    return {"run_id": made.meta["run_id"], "threshold": made.run["threshold"], "days": dg.MetadataValue.md(table)}


def sweep(address: str, meta: pa.Table, runs: pa.Table, experiment: ExperimentSpec) -> dict[str, Any]:
    """Metadata of one day's results, the best rows first."""
    best = best_rows(meta, runs, experiment)
    return {
        "address": address,
        "rows": runs.num_rows,
        "runs": meta.num_rows,
        "bytes": meta.nbytes + runs.nbytes,
        "best": dg.MetadataValue.md(runs_table(best) if best else "No run has enough signals to be ranked."),
    }


def _levels(checkpoint: BookCheckpoint, config: VPRuntimeConfig, depth: int = 10) -> str:
    """Best levels of both sides as a Markdown table, lots per level."""
    sides = []
    for side in (BID, ASK):
        mine = checkpoint.orders[checkpoint.orders["side"] == side]
        ticks, level = np.unique(mine["tick"], return_inverse=True)
        lots = np.bincount(level, weights=mine["size"], minlength=ticks.size).astype(int)
        best_first = slice(None, None, -1) if side == BID else slice(None)
        prices = [f"{dollars(int(tick) * config.tick_int):.{config.price_decimals}f}" for tick in ticks[best_first]]
        sides.append(list(zip(prices, lots[best_first].tolist(), strict=True))[:depth])
    bids, asks = sides
    rows = [
        (*(reversed(bid) if bid else (None, None)), *(ask or (None, None)))
        for bid, ask in itertools.zip_longest(bids, asks)
    ]
    return preview.table_markdown(("bid lots", "bid", "ask", "ask lots"), rows)
