"""The token of a request: where each kind of client puts it, and whether it is the right one."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from vp_serving.settings import ServingSettings
from vp_serving.wire.messages import SUBPROTOCOL, TOKEN_SUBPROTOCOL


def token_matches(settings: ServingSettings, given: str | None) -> bool:
    """Whether a token is not wanted or is the right one, in constant time."""
    if settings.api_token is None:
        return True
    return given is not None and hmac.compare_digest(given.encode(), settings.api_token.encode())


def socket_token(scope: Scope) -> tuple[str | None, str | None]:
    """(token, subprotocol to select) of a WebSocket: from the subprotocols, or the bearer header outside browsers."""
    offered: list[Any] = scope.get("subprotocols", [])
    selected = SUBPROTOCOL if SUBPROTOCOL in offered else None
    for entry in offered:
        if entry.startswith(TOKEN_SUBPROTOCOL):
            return entry.removeprefix(TOKEN_SUBPROTOCOL), selected
    return bearer_token(Headers(scope=scope)), selected


def bearer_token(headers: Headers) -> str | None:
    """The token of an Authorization header, None where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None
