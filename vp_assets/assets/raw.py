"""`raw_dbn`: one UTC day of market-by-order records, the root of everything."""

from collections.abc import Iterator

import dagster as dg

from vp_assets.assets import checks
from vp_assets.assets.common import OWNERS, RAW_GROUP, Built, Events
from vp_assets.chain import Chain
from vp_assets.partitions import raw_days, require_key
from vp_engine.units import parse_date

KEY = dg.AssetKey("raw_dbn")


def build_raw(chain: Chain) -> Built:
    """The asset over every UTC day."""
    days = raw_days(chain.settings.first_day, chain.specs.pipelines.values())

    @dg.asset(
        key=KEY,
        partitions_def=days,
        io_manager_key="raw_io",
        group_name=RAW_GROUP,
        kinds={"databento", "zstd"},
        owners=OWNERS,
        check_specs=checks.specs(KEY, checks.RAW),
        description=f"One UTC day of market-by-order records of {chain.lock.symbol}, admitted to the lake.",
    )
    def raw_dbn(context: dg.AssetExecutionContext) -> Iterator[Events]:
        day = chain.raw(parse_date(require_key(days, context.partition_key, "raw_dbn"), "partition key"))
        yield dg.MaterializeResult(value=day, data_version=dg.DataVersion(day.manifest.address))
        yield from checks.gated(checks.raw(KEY, day), f"import {day.manifest.day} again with --replace")

    return raw_dbn
