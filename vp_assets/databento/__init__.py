"""Days past from Databento: asked for once, paid for within a ceiling, read to the end before they count."""

from vp_assets.databento.source import Arrival, DatabentoSource, Polling, Terms, failure, open_source

__all__ = ["Arrival", "DatabentoSource", "Polling", "Terms", "failure", "open_source"]
