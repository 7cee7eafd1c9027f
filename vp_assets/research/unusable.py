"""What cannot be used and is left out so that everything else works: specs, campaigns and own signals, a line each."""

from __future__ import annotations

from vp_assets.research.requests import Chain
from vp_engine.errors import VPError
from vp_engine.specs.base import load_yaml_spec
from vp_engine.specs.book import Skipped
from vp_engine.specs.campaign import CampaignSpec


def broken_parts(chain: Chain) -> list[Skipped]:
    """Every broken part by name, and what is wrong with it."""
    return [*chain.specs.broken, *_campaigns(chain), *chain.broken_signals]


def _campaigns(chain: Chain) -> list[Skipped]:
    found = []
    for path in sorted((chain.settings.config_dir / "gold_campaigns").glob("*.yaml")):
        try:
            load_yaml_spec(path, CampaignSpec)
        except (VPError, OSError) as error:
            found.append(Skipped(path.stem, str(error)))
    return found
