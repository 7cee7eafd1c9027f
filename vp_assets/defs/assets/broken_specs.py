"""`broken_specs`: there while a spec or an own signal cannot be used, with a check that fails until all are mended."""

from collections.abc import Iterator

import dagster as dg

from vp_assets.defs import preview
from vp_assets.defs.assets.common import OWNERS, Built, Events
from vp_assets.research.requests import Chain
from vp_assets.research.unusable import broken_parts

KEY = dg.AssetKey("broken_specs")
GROUP = "broken"


def build_broken(chain: Chain) -> list[Built]:
    """The asset if anything is broken, else none. What is broken is read anew when it is materialised."""
    parts = broken_parts(chain)
    if not parts:
        return []
    check = dg.AssetCheckSpec("none", asset=KEY, description="Every spec and every own signal can be used.")

    @dg.asset(
        key=KEY,
        group_name=GROUP,
        kinds={"yaml"},
        owners=OWNERS,
        check_specs=[check],
        description="Left out, so that everything else works:\n\n"
        + "\n".join(f"- `{part.name}`: {part.reason}" for part in parts),
    )
    def broken_specs(context: dg.AssetExecutionContext) -> Iterator[Events]:
        found = broken_parts(Chain(chain.settings, chain.lake))
        table = preview.table_markdown(("name", "reason"), [(part.name, part.reason) for part in found])
        yield dg.MaterializeResult(metadata={"parts": len(found), "broken": dg.MetadataValue.md(table)})
        said = {"first": found[0].reason} if found else None
        yield dg.AssetCheckResult(passed=not found, check_name="none", metadata=said)
        for part in found:
            context.log.error(f"{part.name}: {part.reason}")

    return [broken_specs]
