"""What is relied on of uvicorn's private parts. A failure here says what to look at after an update of uvicorn."""

from __future__ import annotations

import inspect
from http import HTTPStatus

from vp_serving.server import uvicorn_internals
from vp_serving.server.http_protocol import BoundedHttp
from vp_serving.server.socket_protocol import StreamSocket


def overridden(own: type, base: type) -> set[str]:
    """Public methods of a class that replace one of its base."""
    return {name for name, value in vars(own).items() if inspect.isfunction(value) and hasattr(base, name)}


def test_http_protocol_when_bytes_come_then_calls_the_methods_that_are_overridden() -> None:
    expected = {
        "connection_made", "connection_lost", "data_received", "on_message_begin", "on_url", "on_header",
        "on_headers_complete", "on_body", "handle_websocket_upgrade",
    }  # fmt: skip
    assert expected <= overridden(BoundedHttp, uvicorn_internals.HttpToolsProtocol)


def test_socket_protocol_when_frames_come_then_calls_the_methods_that_are_overridden() -> None:
    expected = {
        "data_received", "handle_text", "handle_bytes", "handle_cont", "handle_ping", "handle_pong", "send",
        "keepalive_timeout", "eof_received", "on_task_complete",
    }  # fmt: skip
    assert expected <= overridden(StreamSocket, uvicorn_internals.WebSocketsSansIOProtocol)


def test_socket_protocol_when_made_then_has_these_fields() -> None:
    source = inspect.getsource(uvicorn_internals.WebSocketsSansIOProtocol)
    for field in ("handshake_initiated", "close_sent", "transport", "queue", "frames", "conn", "loop", "disconnected"):
        assert f"self.{field}" in source, field


def test_http_protocol_when_made_then_has_these_fields() -> None:
    source = inspect.getsource(uvicorn_internals.HttpToolsProtocol)
    for field in ("transport", "pipeline", "cycle", "url", "headers"):
        assert f"self.{field}" in source, field


def test_status_lines_when_a_request_is_refused_then_are_known() -> None:
    for status in (408, 413, 414, 431, 503):
        assert uvicorn_internals.STATUS_LINE[status].startswith(
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()
        )
