"""`<pipeline>/book_cache`: the order book as it stands when a capture's warm-up begins."""

from collections.abc import Iterator

import dagster as dg

from vp_assets.defs.assets import checks, raw
from vp_assets.defs.assets.common import ENGINE_POOL, OWNERS, Built, Events
from vp_assets.defs.partitions import capture_days, raw_mapping, require_key
from vp_assets.defs.writers import BookReplay
from vp_assets.research.carried_book import carried
from vp_assets.research.requests import Chain
from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.lake.repair import whole_book


def book_key(pipeline: str) -> dg.AssetKey:
    """Key of a pipeline's book cache."""
    return dg.AssetKey([pipeline, "book_cache"])


def build_book_cache(chain: Chain, pipeline: str) -> Built:
    """The asset of one pipeline."""
    spec, key = chain.specs.pipelines[pipeline], book_key(pipeline)
    days = capture_days(spec, chain.first_day)

    @dg.asset(
        key=key,
        partitions_def=days,
        deps=[dg.AssetDep(raw.KEY, partition_mapping=raw_mapping(spec, chain.lock, book_only=True))],
        io_manager_key="book_io",
        pool=ENGINE_POOL,
        group_name=pipeline,
        kinds={"arrow", "numba"},
        owners=OWNERS,
        code_version=BOOK_CODE_VERSION,
        check_specs=checks.specs(key, checks.BOOK, days),
        description=f"Every resting order of {spec.capture.symbol} where the warm-up of `{pipeline}` begins.",
    )
    def book_cache(context: dg.AssetExecutionContext) -> Iterator[Events]:
        day = require_key(days, context.partition_key, pipeline)
        closed = chain.no_session(pipeline, day)
        if closed is not None:
            yield from checks.closed_day(key, checks.BOOK, closed)
            return
        request = chain.book(pipeline, day)
        stored = whole_book(chain.lake, request.capture, request.address)
        value = stored if stored is not None else BookReplay(request)
        yield dg.MaterializeResult(value=value, data_version=dg.DataVersion(request.address))
        results = checks.book(key, chain.stored_book(request), carried(chain, request))
        yield from checks.gated(results, "delete the book cache and generate again")

    return book_cache
