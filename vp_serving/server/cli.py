"""`vp-serve`: the service from the command line. A user's mistake is one line on stderr and exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import logging
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import structlog
import uvicorn

from vp_engine.errors import VPError
from vp_serving.memory import return_freed_memory
from vp_serving.server.app import create_app
from vp_serving.server.http_protocol import BoundedHttp
from vp_serving.server.socket_protocol import StreamSocket
from vp_serving.settings import DEFAULT_PORT, ServingSettings, load_settings, override_fields
from vp_serving.wire.query import QueryError, parse_query

PING_INTERVAL_S, PING_TIMEOUT_S = 20.0, 60.0
SWITCH_S = 0.001  # that a thread keeps the interpreter while the event loop waits; 5 ms each is late with many threads
MAX_CLIENT_MESSAGE = 4096  # bytes; the longest message of the protocol has under a hundred
SEND_BUFFER = 1 << 18  # bytes the system holds for a slow client, about ten bins: lag shows soon
LEVELS = ("critical", "error", "warning", "info", "debug")


class _Flags(argparse.ArgumentParser):
    """A wrong flag is one line, without the usage of all the others."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` lists the flags\n")


def parser() -> argparse.ArgumentParser:
    """Every flag; those of the projection and the state model come from the runtime config's fields."""
    flags = _Flags(prog="vp-serve", description="Stream replays and serve the screens.")
    flags.add_argument("--product-type", help="must be the instrument's")
    flags.add_argument("--symbol", help="must be the instrument's")
    flags.add_argument("--dt", metavar="YYYY-MM-DD", help="day of streams that name none")
    flags.add_argument("--start-time", metavar="HH:MM", help="start of streams that name none, Eastern time")
    flags.add_argument("--host", help="address to bind (127.0.0.1); any other needs VP_API_TOKEN")
    flags.add_argument("--port", type=int, help=f"port to bind ({DEFAULT_PORT})")
    flags.add_argument("--log-level", choices=LEVELS, help="least level that is logged (info)")
    flags.add_argument("--lake-root", metavar="PATH", help="the lake (VP_LAKE_ROOT, ./lake)")
    perf = flags.add_argument_group("latency log")
    perf.add_argument("--perf-latency-jsonl", metavar="FILE", help="append one line per bin sent")
    perf.add_argument("--perf-window-start-et", metavar="HH:MM", help="only bins from this Eastern time of day on")
    perf.add_argument("--perf-window-end-et", metavar="HH:MM", help="only bins before this Eastern time of day")
    perf.add_argument("--perf-summary-every-bins", type=int, metavar="N", help="a summary line every N bins (600)")
    model = flags.add_argument_group("projection and state model, over the instrument file, under spec and query")
    for name in override_fields():
        model.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")
    return flags


def settings_from(arguments: Sequence[str] | None = None) -> ServingSettings:
    """Settings from the command line and the environment; ConfigError where they cannot be used."""
    given: dict[str, Any] = {key: value for key, value in vars(parser().parse_args(arguments)).items()}
    texts = [(name, given[name]) for name in override_fields() if given[name] is not None]
    try:
        given.update(parse_query(texts).overrides)
    except QueryError as error:
        flag = f"--{error.parameter.replace('_', '-')}"
        raise QueryError(error.parameter, str(error).replace(f"`{error.parameter}`", f"`{flag}`")) from None
    return load_settings(given)


def configure_logs(level: str) -> None:
    """One structured line per event on stderr."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def server_config(
    settings: ServingSettings,
    app: Any,
    ping_interval_s: float = PING_INTERVAL_S,
    ping_timeout_s: float = PING_TIMEOUT_S,
) -> uvicorn.Config:
    """How the application is served: no compression, ping every 20 s, a silent client is let go after 60 s."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning" if settings.log_level == "info" else settings.log_level,  # its lines are not structured
        access_log=settings.log_level == "debug",
        http=BoundedHttp,
        ws=StreamSocket,
        ws_max_size=MAX_CLIENT_MESSAGE,
        ws_ping_interval=ping_interval_s,
        ws_ping_timeout=ping_timeout_s,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )


def bound_socket(host: str, port: int) -> socket.socket:
    """A listening socket with a small send buffer, which its connections inherit; OSError if it cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    try:
        settings = settings_from(arguments)
    except VPError as error:
        print(f"vp-serve: {error}", file=sys.stderr)
        return 2
    try:
        listener = bound_socket(settings.host, settings.port)
    except OSError as error:
        print(f"vp-serve: cannot listen on {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        app = create_app(settings)
    except (VPError, OSError) as error:
        listener.close()
        print(f"vp-serve: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return_freed_memory()
    sys.setswitchinterval(SWITCH_S)
    configure_logs(settings.log_level)
    host, port = listener.getsockname()[:2]
    structlog.get_logger("vp_serving").info("serving", url=f"http://{host}:{port}/", lake=settings.lake_root)
    with contextlib.closing(listener), contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(server_config(settings, app)).run([listener])
    return 0
