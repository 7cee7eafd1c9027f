"""From YAML specs to assets: each spec is a chain, so the graph in the UI is the research.

raw_dbn → <pipeline>/book_cache → <pipeline>/bins → <experiment>/sweep → <experiment>/promoted
"""

from __future__ import annotations

from vp_assets.defs.assets.books import build_book_cache
from vp_assets.defs.assets.broken_specs import build_broken
from vp_assets.defs.assets.common import Built
from vp_assets.defs.assets.datasets import build_bins
from vp_assets.defs.assets.promoted import build_promoted
from vp_assets.defs.assets.raw import build_raw
from vp_assets.defs.assets.sweeps import build_sweep
from vp_assets.research.requests import Chain


def build_assets(chain: Chain) -> list[Built]:
    """Every asset of the specs of the locked instrument."""
    assets = [build_raw(chain), *build_broken(chain)]
    for pipeline in sorted(chain.specs.pipelines):
        assets += [build_book_cache(chain, pipeline), build_bins(chain, pipeline)]
    for experiment in sorted(chain.specs.experiments):
        assets += [build_sweep(chain, experiment), build_promoted(chain, experiment)]
    return assets
