"""Nothing but reading: whatever is asked with another method is refused in one place, and HEAD is answered wherever GET
is (RFC 9110, 9.3.2), with the same headers and no body.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vp_serving.rest.problems import ALLOWED, problem_response


class ReadOnly:
    """ASGI middleware; WebSockets pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as GET, or say that nothing else is served."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":

            async def without_body(message: Message) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": b""}
                await send(message)

            await self._app({**scope, "method": "GET"}, receive, without_body)
        elif scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", ALLOWED.encode())]})
            await send({"type": "http.response.body", "body": b""})
        else:
            detail = f"{scope['method'][:20]} is not served here: this service is only read, with {ALLOWED}"
            await problem_response(405, "method_not_allowed", detail, scope["path"])(scope, receive, send)
