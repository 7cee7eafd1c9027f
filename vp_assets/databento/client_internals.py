"""What is used of the vendor's client beyond its documented interface, in one place.

pyproject.toml bounds databento above, and tests/assets/arrivals/test_client_internals.py fails first when one of these
changes.
"""

from __future__ import annotations

from typing import Any

import databento
from databento.common.error import BentoWarning
from databento.common.http import check_http_error

__all__ = ["BentoWarning", "check_http_error", "open_historical"]

_APIS = ("metadata", "timeseries", "batch")


def open_historical(key: str, gateway: str | None) -> databento.Historical:
    """The vendor's client, or the same against another gateway. The client turns every gateway into https; an http one
    (a gateway of this machine) is put back, which it has no option for."""
    if gateway is None:
        return databento.Historical(key)
    client = databento.Historical(key, gateway)
    if gateway.startswith("http://"):
        for name in _APIS:
            api: Any = getattr(client, name)
            api._base_url = gateway + api._base_url.removeprefix(str(client.gateway))
    return client
