"""The built screens at `/`: files of `frontend/dist` with their ETag, in the smallest encoding that the client accepts.

The build puts `NAME.br` and `NAME.gz` beside each file that shrinks, so the service compresses nothing itself. Only
these files are encoded: streams and answers of the interface are not.
"""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path

from fastapi import HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse, PathLike, StaticFiles
from starlette.types import Receive, Scope, Send

MAIN_PAGE = "vacuum-pressure.html"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""Content encodings and the endings of their files, the smallest first."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Spymaster</title>
<body style="background:#0C0E12;color:#E8EAEE;font:14px/1.6 system-ui,sans-serif;padding:40px;max-width:60ch">
<h1 style="font-size:20px">The screens are not built yet</h1>
<p>This service is running. Build the pages once with <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend/</code>, or <code>make setup</code>, then load this page again.</p>
<p><a style="color:#7FC8F3" href="/docs">Interface</a> · <a style="color:#7FC8F3" href="/ready">Readiness</a></p>
"""


def accepted_encodings(header: str) -> set[str]:
    """Content encodings that an Accept-Encoding header names with a weight above 0."""
    accepted = set()
    for part in header.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        weight = parameters.strip().removeprefix("q=") if parameters else "1"
        if name and weight.strip("0.") != "":
            accepted.add(name.strip())
    return accepted


class PackedFiles(StaticFiles):
    """Static files that are sent as their `.br` or `.gz` neighbour to clients that accept it."""

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file, or 304 where the client has it; each encoding has an ETag of its own."""
        headers = Headers(scope=scope)
        accepted = accepted_encodings(headers.get("accept-encoding", ""))
        response = FileResponse(full_path, status_code=status_code, stat_result=stat_result)
        for encoding, ending in ENCODINGS:
            packed = Path(f"{full_path}{ending}")
            if encoding not in accepted or not packed.is_file():
                continue
            packed_stat = packed.stat()
            if packed_stat.st_mtime < stat_result.st_mtime:
                continue  # left over from an earlier build
            kind = mimetypes.guess_type(str(full_path))[0] or "application/octet-stream"
            response = FileResponse(packed, status_code=status_code, stat_result=packed_stat, media_type=kind)
            response.headers["Content-Encoding"] = encoding
            break
        response.headers["Vary"] = "Accept-Encoding"
        # The build puts a hash of the content into the names of assets; pages keep their names.
        response.headers["Cache-Control"] = _FOREVER if "/assets/" in scope["path"] else _ASK_AGAIN
        if self.is_not_modified(response.headers, headers):
            return NotModifiedResponse(response.headers)
        return response


class Screens:
    """The built frontend, looked for at every request, so that building it needs no restart."""

    def __init__(self, dist: Path) -> None:
        self._dist = dist
        self._files = PackedFiles(directory=dist, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file, or say that there is none to serve."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "no such stream"})
        elif (self._dist / MAIN_PAGE).is_file():
            await self._files(scope, receive, send)
        elif scope["path"].endswith(".html"):
            await HTMLResponse(_NOT_BUILT, 503)(scope, receive, send)
        else:
            raise HTTPException(404, "no such path")
