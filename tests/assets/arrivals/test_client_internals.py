"""What is relied on of the vendor client's private parts. A failure here says what to look at after an update."""

from __future__ import annotations

import databento
import pytest

from vp_assets.databento.client_internals import open_historical

KEY = "db-" + "x" * 29


@pytest.mark.parametrize("api", ["metadata", "timeseries", "batch"])
def test_open_historical_when_the_gateway_is_http_then_asks_it_without_tls(api: str) -> None:
    client = open_historical(KEY, "http://127.0.0.1:9")
    assert getattr(client, api)._base_url == f"http://127.0.0.1:9/v0/{api}"


def test_open_historical_when_the_gateway_is_https_or_the_vendors_then_is_left_as_the_client_makes_it() -> None:
    assert open_historical(KEY, "https://example.org").metadata._base_url == "https://example.org/v0/metadata"
    ours, theirs = open_historical(KEY, None), databento.Historical(KEY)
    assert ours.timeseries._base_url == theirs.timeseries._base_url
