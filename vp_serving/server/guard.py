"""Who may talk to the service. Only names of this machine are accepted as Host on a loopback bind, so that no foreign
page can reach it under a name of its own; browsers must come from an allowed origin; a token, where one is set, is
wanted by everything but the screens, `/health` and `/ready`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from vp_serving.rest.problems import problem_response
from vp_serving.settings import LOOPBACK_NAMES, VITE_ORIGINS, ServingSettings
from vp_serving.wire.tokens import bearer_token, token_matches

_GUARDED = ("/v1/", "/metrics")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


def _host_name(netloc: str) -> str:
    """The name in a Host header or an address, in lower case; empty for what is neither."""
    found = _HOST.fullmatch(netloc)
    return (found[1] or found[2]).lower() if found else ""


class Guard:
    """ASGI middleware in front of everything."""

    def __init__(self, app: ASGIApp, settings: ServingSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = LOOPBACK_NAMES | {_host_name(urlsplit(origin).netloc) for origin in settings.allowed_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[2]})  # before accept: HTTP 403
        else:
            status, code, detail = refusal
            await problem_response(status, code, detail, scope["path"])(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        """(status, code, detail) of a refusal. A WebSocket's token is checked after accept, where it can be told."""
        named = headers.getlist("host")
        host = named[0] if len(named) == 1 else ""
        if self._settings.loopback and _host_name(host) not in self._hosts:
            return 421, "bad_host", "this service answers under the names of this machine only; see VP_ALLOWED_ORIGINS"
        origin = headers.get("origin")
        if scope["type"] == "websocket":
            if origin is not None and not self._origin_allowed(origin, host):
                return 403, "bad_origin", f"origin {origin[:100]} is not allowed; see VP_ALLOWED_ORIGINS"
            return None
        if not scope["path"].startswith(_GUARDED) or scope.get("method") == "OPTIONS":
            return None
        if not token_matches(self._settings, bearer_token(headers)):
            return 401, "unauthorized", "this service wants a token: Authorization: Bearer <VP_API_TOKEN>"
        return None

    def _origin_allowed(self, origin: str, host: str) -> bool:
        """Listed origins, the development server, and the service's own pages."""
        if origin in self._settings.allowed_origins or origin in VITE_ORIGINS:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()


def cors_origins(settings: ServingSettings) -> list[str]:
    """Origins whose pages may read REST answers."""
    return [*settings.allowed_origins, *VITE_ORIGINS]
