"""`raw_dbn`: one UTC day of market-by-order records, the root of everything."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from vp_assets.defs.assets import checks
from vp_assets.defs.assets.common import OWNERS, RAW_GROUP, RAW_POOL, Built, Events
from vp_assets.defs.partitions import every_day, require_key
from vp_assets.defs.resources import Databento
from vp_assets.defs.writers import NewRawDay
from vp_assets.research.calendar import session_in_utc_day
from vp_assets.research.requests import Chain
from vp_engine.lake import RawDay, find_raw
from vp_engine.lake.admission import NoSession, admit_raw, find_no_session
from vp_engine.lake.raw_checks import require_admissible
from vp_engine.units import parse_date

KEY = dg.AssetKey("raw_dbn")


class RawConfig(dg.Config):
    """What a run may ask of the vendor for one day. `max_cost_usd` None: the ceiling of the environment."""

    max_cost_usd: float | None = None
    admit: bool = False
    replace: bool = False


def _brought(chain: Chain, databento: Databento, day: dt.date, config: RawConfig) -> RawDay | NewRawDay | NoSession:
    """The day as the lake holds it, fetched if it is not there (or on purpose) and there is a key."""
    found = None if config.replace else find_raw(chain.lake, chain.lock, day)
    closed = None if config.replace or found is not None else find_no_session(chain.lake, chain.lock, day)
    if found is None and closed is None and databento.has_key:
        arrival = databento.bring(chain.lake, chain.lock, day, config.max_cost_usd, config.admit, config.replace)
        found, closed = find_raw(chain.lake, chain.lock, day), find_no_session(chain.lake, chain.lock, day)
        if found is not None and arrival.state != "was there":
            return NewRawDay(found if found.manifest.quarantine is not None else require_admissible(found))
    if closed is not None:
        return closed
    if found is not None and found.manifest.quarantine is not None and config.admit:
        return admit_raw(chain.lake, chain.lock, day, "admitted in a run")
    if found is not None and found.manifest.quarantine is not None:
        return found  # its check says why and stops the run
    reason = None if found is not None else _calendar_reason(chain, day)
    return chain.raw(day) if reason is None else chain.closed(day, reason)


def _calendar_reason(chain: Chain, day: dt.date) -> str | None:
    """Why nobody need ask for an absent day: the calendar has no session on it, or none that a daily pipeline reads."""
    if session_in_utc_day(day) is None:
        return "the exchange's calendar has no session on this day"
    return None if chain.is_read(day) else "no pipeline's window has a session on this day"


def _remedy(held: RawDay | NoSession) -> str:
    """What to do where a check has failed."""
    if isinstance(held, RawDay) and held.manifest.quarantine is not None:
        return f"{held.manifest.quarantine}: look at it, then `vp admit {held.manifest.day}`"
    day = held.day if isinstance(held, NoSession) else held.manifest.day
    return f"bring the day in again, `vp import FILE --replace` or `vp download --from {day} --to {day} --replace`"


def build_raw(chain: Chain) -> Built:
    """The asset over every UTC day."""
    days = every_day(chain.first_day)

    @dg.asset(
        key=KEY,
        partitions_def=days,
        io_manager_key="raw_io",
        pool=RAW_POOL,
        group_name=RAW_GROUP,
        kinds={"databento", "zstd"},
        owners=OWNERS,
        check_specs=checks.specs(KEY, checks.RAW, days),
        description=f"One UTC day of market-by-order records of {chain.lock.symbol}, fetched and admitted or not.",
    )
    def raw_dbn(
        context: dg.AssetExecutionContext, config: RawConfig, databento: dg.ResourceParam[Databento]
    ) -> Iterator[Events]:
        day = parse_date(require_key(days, context.partition_key, "raw_dbn"), "partition key")
        value = _brought(chain, databento, day, config)
        held = value.day if isinstance(value, NewRawDay) else value
        version = "no session" if isinstance(held, NoSession) else held.manifest.address
        yield dg.MaterializeResult(value=value, data_version=dg.DataVersion(version))
        yield from checks.gated(checks.raw(KEY, held), _remedy(held))

    return raw_dbn
