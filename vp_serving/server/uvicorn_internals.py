"""What is used of uvicorn beyond its documented interface, in one place.

pyproject.toml bounds uvicorn above, and tests/serving/test_uvicorn_internals.py fails first when one of these changes.
"""

from __future__ import annotations

from uvicorn._types import ASGI3Application, ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = [
    "STATUS_LINE",
    "ASGI3Application",
    "ASGISendEvent",
    "ClientDisconnected",
    "HttpToolsProtocol",
    "RequestResponseCycle",
    "WebSocketsSansIOProtocol",
]
