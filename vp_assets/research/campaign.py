"""Campaigns without Dagster: variants and days, the addresses they will have, and their index in the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from vp_assets.research.requests import Chain
from vp_engine.errors import NotFoundError
from vp_engine.hashing import address
from vp_engine.lake import DatasetInfo
from vp_engine.lake.paths import campaign_path
from vp_engine.lake.store import LakePath
from vp_engine.specs.base import load_yaml_spec
from vp_engine.specs.campaign import CampaignSpec, Variant


class Planned(NamedTuple):
    """One dataset of a campaign."""

    variant: Variant
    day: str
    address: str


def load_campaign(chain: Chain, given: str) -> CampaignSpec:
    """A campaign by its file, or by its name in the folder of gold campaigns; NotFoundError lists what there is."""
    folder = chain.settings.config_dir / "gold_campaigns"
    path = Path(given)
    if path.suffix not in (".yaml", ".yml") and "/" not in given:
        path = folder / f"{given}.yaml"
        if not path.is_file():
            there = ", ".join(sorted(file.stem for file in folder.glob("*.yaml"))) or "none"
            raise NotFoundError(f"no campaign `{given}` in {folder}; there are: {there}")
    return load_yaml_spec(path, CampaignSpec)


def plan(chain: Chain, campaign: CampaignSpec) -> list[Planned]:
    """Its datasets in order; the variants join the chain's pipelines, so that their assets can be materialised."""
    base = chain.specs.pipelines[campaign.pipeline]
    found = []
    for variant in campaign.variants(base, chain.lock):
        chain.specs.pipelines[variant.spec.name] = variant.spec
        for day in campaign.days or (None,):
            request = chain.bins(variant.spec.name, day)
            found.append(Planned(variant, request.capture.dt.isoformat(), request.address))
    return found


def index_rows(planned: list[Planned], stored: dict[str, DatasetInfo]) -> list[dict[str, Any]]:
    """The index: one row per dataset, what it varies and where it is."""
    return [
        {
            "variant": one.variant.spec.name,
            "bundle": one.variant.bundle,
            "day": one.day,
            "fields": one.variant.fields,
            "dataset_id": stored[one.address].dataset_id,
            "dataset_address": one.address,
            "n_bins": stored[one.address].n_bins,
        }
        for one in planned
    ]


def commit_index(chain: Chain, campaign: CampaignSpec, rows: list[dict[str, Any]]) -> LakePath:
    """Write the index; its path. The same campaign over the same datasets is the same file."""
    inputs = [row["dataset_address"] for row in rows]
    at = address("campaign", "1", {"campaign": campaign.model_dump(mode="json")}, inputs)
    path = chain.lake.path(campaign_path(campaign.name, at))
    document = {"campaign": campaign.model_dump(mode="json"), "address": at, "datasets": rows}
    chain.lake.commit_document(path, document)
    return path
