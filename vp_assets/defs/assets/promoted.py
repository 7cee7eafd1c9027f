"""`<experiment>/promoted`: the winner of an experiment as a serving spec that streams by name."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from vp_assets.defs import metadata
from vp_assets.defs.assets import checks
from vp_assets.defs.assets.common import OWNERS, Built, Events
from vp_assets.defs.assets.sweeps import sweep_key
from vp_assets.research.promotion import Promotion
from vp_assets.research.requests import Chain
from vp_engine.evaluation.walk_forward import DayResults, choose


def promoted_key(experiment: str) -> dg.AssetKey:
    """Key of an experiment's promoted spec."""
    return dg.AssetKey([experiment, "promoted"])


class PromotedConfig(dg.Config):
    """What to promote: a run by name, or the experiment's own selection."""

    run_id: str | None = Field(default=None, description="16 hex of a run; empty: the best by the spec's `selection`.")
    threshold: float | None = Field(default=None, description="Threshold to pin; empty: the run's best.")


def build_promoted(chain: Chain, experiment: str) -> Built:
    """The asset of one experiment."""
    spec, key = chain.specs.experiments[experiment], promoted_key(experiment)

    @dg.asset(
        key=key,
        ins={"days": dg.AssetIn(sweep_key(experiment))},
        io_manager_key="promoted_io",
        group_name=experiment,
        kinds={"yaml"},
        owners=OWNERS,
        check_specs=checks.specs(key, checks.PROMOTED),
        description=f"Winner of `{experiment}` as a serving spec, with the figures it was judged by.",
    )
    def promoted(config: PromotedConfig, days: dict[str, DayResults]) -> Iterator[Events]:
        promotion = Promotion(chain, spec, choose(spec, days, config.run_id, config.threshold))
        yield dg.MaterializeResult(
            value=promotion.stored() or promotion,
            data_version=dg.DataVersion(promotion.address),
            metadata=metadata.choice(promotion.choice),
        )
        yield from checks.gated(checks.promoted(key, chain, promotion.path), "run and promote the experiment again")

    return promoted
