"""`<pipeline>/bins`: one capture as bins, the dataset that research reads."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from vp_assets.defs.assets import checks, raw
from vp_assets.defs.assets.books import book_key
from vp_assets.defs.assets.common import ENGINE_POOL, OWNERS, Built, Events
from vp_assets.defs.partitions import capture_days, raw_mapping, require_key
from vp_assets.defs.writers import DatasetStream
from vp_assets.research.requests import Chain
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.lake.admission import NoSession
from vp_engine.lake.repair import whole_dataset
from vp_engine.stream import BINS_CODE_VERSION


def bins_key(pipeline: str) -> dg.AssetKey:
    """Key of a pipeline's bins."""
    return dg.AssetKey([pipeline, "bins"])


def build_bins(chain: Chain, pipeline: str) -> Built:
    """The asset of one pipeline."""
    spec, key = chain.specs.pipelines[pipeline], bins_key(pipeline)
    config = spec.config(chain.lock)
    days = capture_days(spec, chain.first_day)
    window = f"{spec.capture.start_time}–{spec.capture.end_time}"

    @dg.asset(
        key=key,
        partitions_def=days,
        ins={"checkpoint": dg.AssetIn(book_key(pipeline), dagster_type=Any)},  # a checkpoint, or a day without one
        deps=[dg.AssetDep(raw.KEY, partition_mapping=raw_mapping(spec, chain.lock, book_only=False))],
        io_manager_key="bins_io",
        pool=ENGINE_POOL,
        group_name=pipeline,
        kinds={"parquet", "numba"},
        owners=OWNERS,
        code_version=BINS_CODE_VERSION,
        check_specs=checks.specs(key, checks.BINS, days),
        description=f"{spec.description or pipeline}: {window} ET, {config.cell_width_ms} ms bins, {config.rows} rows.",
    )
    def bins(context: dg.AssetExecutionContext, checkpoint: BookCheckpoint | NoSession) -> Iterator[Events]:
        day = require_key(days, context.partition_key, pipeline)
        if isinstance(checkpoint, NoSession):
            yield from checks.closed_day(key, checks.BINS, checkpoint)
            return
        request = chain.bins(pipeline, day)
        value = whole_dataset(chain.lake, request.address) or DatasetStream(request, checkpoint)
        yield dg.MaterializeResult(value=value, data_version=dg.DataVersion(request.address))
        stored = chain.stored_dataset(request)
        yield from checks.gated(checks.bins(key, chain.lake, stored), f"delete {stored.path} and generate again")

    return bins
