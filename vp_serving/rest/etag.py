"""Every JSON answer carries an ETag of its bytes, and a client that has them already gets 304. What is addressed by
its inputs never changes, so its tag never does; what lists the lake changes with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


def _matches(header: str, tag: str) -> bool:
    """Whether an If-None-Match header names the tag; weak and strong are the same here (RFC 9110, 13.1.2)."""
    return any(part.strip().removeprefix("W/") in ("*", tag) for part in header.split(","))


class TaggedRoute(APIRoute):
    """A route whose 200 answers have an ETag."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, its answer tagged."""
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handle(request)
            if response.status_code != 200:
                return response
            tag = f'"{sha256(response.body).hexdigest()[:32]}"'
            headers = {"ETag": tag, "Cache-Control": "no-cache"}  # keep it, but ask each time
            if _matches(request.headers.get("if-none-match", ""), tag):
                return Response(status_code=304, headers=headers)
            response.headers.update(headers)
            return response

        return tagged
