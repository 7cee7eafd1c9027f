"""Databento as a resource: days from the vendor, where the environment holds a key.

Not configurable on purpose: what a resource is configured with stands in the UI, and the key stands nowhere.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from vp_assets.settings import Settings
from vp_engine.errors import DataError
from vp_engine.lake import Lake
from vp_engine.specs import VPRuntimeConfig

if TYPE_CHECKING:
    from vp_assets.databento import Arrival


class Databento:
    """The vendor's account of these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def has_key(self) -> bool:
        """Whether days can be asked for at all."""
        return self._settings.databento_key is not None

    def bring(
        self,
        lake: Lake,
        config: VPRuntimeConfig,
        day: dt.date,
        max_cost_usd: float | None = None,
        admit: bool = False,
        replace: bool = False,
    ) -> Arrival:
        """One UTC day; DataError if it did not come, ConfigError above the ceiling."""
        from vp_assets.databento import Terms, failure, open_source

        ceiling = self._settings.max_cost_usd if max_cost_usd is None else max_cost_usd
        (arrival,) = open_source(self._settings, lake, config).bring([day], Terms(ceiling, admit, replace))
        error = failure([arrival])
        if error is not None:
            raise error
        if arrival.state == "pending":
            raise DataError(f"{day} (UTC) of {config.symbol} is not there yet: {arrival.note}")
        return arrival
