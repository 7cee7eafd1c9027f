"""Errors of the REST side as RFC 9457 problems."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from vp_engine.errors import LakeError, VPError
from vp_serving.rest.responses import Problem
from vp_serving.wire.errors import unreadable

ALLOWED = "GET, HEAD, OPTIONS"
MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request", 401: "Unauthorized", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
    421: "Misdirected request", 422: "Data cannot be used", 426: "Upgrade required", 500: "Internal error",
    503: "Not ready",
}  # fmt: skip
_STATUS = {
    "not_found": 404, "bad_config": 400, "bad_value": 400, "unknown_parameter": 400, "unsupported": 400,
    "bad_data": 422, "bad_book": 422, "bad_lake": 422, "bad_signal": 422,
}  # fmt: skip
_HEADERS = {  # that a status must come with (RFC 9110)
    401: {"WWW-Authenticate": "Bearer"}, 405: {"Allow": ALLOWED},
    426: {"Upgrade": "websocket", "Connection": "Upgrade"},
}  # fmt: skip
log = structlog.get_logger("vp_serving")


def problem_response(status: int, code: str, detail: str, path: str) -> Response:
    """One problem as a response."""
    problem = Problem(title=_TITLES.get(status, "Error"), status=status, detail=detail, code=code, instance=path)
    return JSONResponse(problem.model_dump(), status, _HEADERS.get(status), media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of this application with a problem."""

    @app.exception_handler(VPError)
    async def _known(request: Request, error: VPError) -> Response:
        return problem_response(_STATUS.get(error.code, 400), error.code, str(error), request.url.path)

    @app.exception_handler(OSError)
    async def _unreadable(request: Request, error: OSError) -> Response:
        if error.filename is None:
            return await _unexpected(request, error)
        return problem_response(_STATUS[LakeError.code], LakeError.code, unreadable(error), request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = str(first["loc"][-1])
        message = f"`{name}`: {first['msg'][0].lower()}{first['msg'][1:]}"
        return problem_response(400, "bad_value", message, request.url.path)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
        return problem_response(error.status_code, code, str(error.detail), request.url.path)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        log.error("request failed", path=request.url.path, exc_info=error)
        return problem_response(500, "internal", "the service failed; its log says why", request.url.path)
