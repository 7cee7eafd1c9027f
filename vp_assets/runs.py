"""In-process Dagster runs for the command line: the assets that the UI shows, recorded where the UI looks.

Runs land in DAGSTER_HOME, or else in a home below the lake, so a UI over that home shows them. Dagster's own log
lines are kept off the terminal; what an asset raises comes through.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, NamedTuple

import dagster as dg

from vp_assets import progress
from vp_assets.chain import Chain
from vp_assets.definitions import build_definitions
from vp_assets.settings import Settings, load_settings

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_NEW_HOME = "# Written once for this lake; edit freely.\ntelemetry:\n  enabled: false\nnux:\n  enabled: false\n"


class Materialized(NamedTuple):
    """One asset of one run: its key, partition, address, whether it was there already, and plain metadata."""

    key: str
    partition: str | None
    address: str
    store_hit: bool
    metadata: dict[str, Any]


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of these settings, made on first use. The caller closes it."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_NEW_HOME)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return dg.DagsterInstance.from_config(str(home))


class Runner:
    """Runs over one chain, in this process. Use as a context; `report` hears (stage, done, total)."""

    def __init__(self, chain: Chain, report: progress.Listener, by: str) -> None:
        self._chain = chain
        self._report = report
        self._tags = {"spymaster/by": by}
        self._stack = ExitStack()

    def __enter__(self) -> Runner:
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        self._report("Dagster", 0, 1)
        self._instance = self._stack.enter_context(open_instance(self._chain.settings))
        self._job = build_definitions(self._chain.settings, self._chain).resolve_implicit_global_asset_job_def()
        self._report("Dagster", 1, 1)
        self._stack.enter_context(progress.listening(self._report))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def materialize(
        self,
        keys: Sequence[dg.AssetKey],
        partition: str | None = None,
        config: Mapping[dg.AssetKey, Mapping[str, Any]] | None = None,
    ) -> list[Materialized]:
        """One run over these assets and one partition; raises what an asset raises."""
        ops = {key.to_python_identifier(): {"config": dict(values)} for key, values in (config or {}).items()}
        result = self._job.execute_in_process(
            asset_selection=list(keys),
            partition_key=partition,
            instance=self._instance,
            run_config={**_QUIET, **({"ops": ops} if ops else {})},
            tags=self._tags,
        )
        return [_materialized(event.materialization) for event in result.get_asset_materialization_events()]


def _materialized(event: dg.AssetMaterialization) -> Materialized:
    """Metadata for machines: plain values; Markdown (pictures, tables) is for the UI."""
    values = {
        name: entry.value for name, entry in event.metadata.items() if not isinstance(entry, dg.MarkdownMetadataValue)
    }
    key = "/".join(event.asset_key.path)
    return Materialized(key, event.partition, str(values.get("address", "")), bool(values.get("store_hit")), values)


if __name__ == "__main__":  # makes the home that `dg dev` wants to find
    open_instance(load_settings()).dispose()
