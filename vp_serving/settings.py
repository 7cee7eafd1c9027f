"""What the service is told: flags and environment, checked once at start. The only place here that reads either.

VP_LAKE_ROOT, VP_CACHE_DIR, VP_CACHE_GB, VP_CONFIG_DIR, VP_INSTRUMENT_CONFIG_PATH, VP_SIGNALS_PATH (as in PATH),
VP_API_TOKEN, VP_ALLOWED_ORIGINS (comma-separated), VP_MAX_STREAMS, VP_CACHE_MB, VP_FRONTEND_DIST, VP_DAGSTER_URL,
VP_MLFLOW_URL (without it MLFLOW_TRACKING_URI where that is a server). A flag wins over its variable.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vp_engine.errors import ConfigError
from vp_engine.specs import VPRuntimeConfig, build_config_with_overrides, load_instrument
from vp_engine.specs.runtime import check_instrument
from vp_engine.units import parse_clock, parse_date

DEFAULT_PORT = 8002
QUEUE_BINS = 64  # bins a client may lag at speed > 0 before it loses the oldest
CACHE_MB = 256  # decoded bins and frames that connections share
VITE_ORIGINS = ("http://127.0.0.1:5174", "http://localhost:5174")
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_DIST = Path(__file__).parents[1] / "frontend" / "dist"
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,200}")  # what a WebSocket subprotocol can carry
_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")

_URL = re.compile(r"https?://[^\s/@?#\"'<>]+(/[^\s?#\"'<>]*)?")


class LatencyLog(BaseModel):
    """Where per-bin latencies go, of bins whose Eastern time of day lies in the window; a summary every N bins."""

    model_config = ConfigDict(frozen=True)

    path: Path
    start_et: str | None = None
    end_et: str | None = None
    summary_every_bins: int = Field(600, ge=1)


class ServingSettings(BaseModel):
    """Everything the service needs to know, resolved. `base` is the instrument with the flags applied; `signals_path`:
    files and folders of own signals."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    base: VPRuntimeConfig
    lake_root: str = "./lake"
    cache_dir: Path | None = None  # local files of a remote lake; None: below the user's cache
    cache_bytes: int | None = None  # at most so many of fetched raw days; None: as the lake has it
    config_dir: Path = Path("./configs")
    signals_path: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = Field(DEFAULT_PORT, ge=0, le=65535)
    log_level: str = "info"
    dt: str | None = None
    start_time: str | None = None
    api_token: str | None = Field(None, repr=False)
    allowed_origins: tuple[str, ...] = ()
    max_streams: int = 64
    queue_bins: int = QUEUE_BINS
    cache_mb: int = CACHE_MB
    frontend_dist: Path = _DIST
    dagster_url: str | None = None
    mlflow_url: str | None = None
    latency: LatencyLog | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a bind address is reachable from this machine only."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> ServingSettings:
    """Settings from flags (None: not given) over the environment; ConfigError in one line where they cannot be used.

    Keys of `flags` are those of ServingSettings, `product_type`, `symbol`, and any `projection_*` or `state_model_*`
    field of the runtime config.
    """
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    env = os.environ if environ is None else environ
    base = _base(given, env.get("VP_INSTRUMENT_CONFIG_PATH"))
    cache_gb = env.get("VP_CACHE_GB") or None
    token = env.get("VP_API_TOKEN") or None
    if token is not None and not _TOKEN.fullmatch(token):
        raise ConfigError("VP_API_TOKEN must be 16 to 200 letters, digits, '.', '_', '~' or '-'")
    host = given.get("host", "127.0.0.1")
    if token is None and not is_loopback(host):
        raise ConfigError(
            f"`--host` {host} is reachable from other machines: set VP_API_TOKEN first, or bind 127.0.0.1"
        )
    if "dt" in given:
        parse_date(given["dt"])
    if "start_time" in given:
        parse_clock(given["start_time"])
    return ServingSettings(
        base=base,
        lake_root=given.get("lake_root") or env.get("VP_LAKE_ROOT") or "./lake",
        cache_dir=Path(env["VP_CACHE_DIR"]) if env.get("VP_CACHE_DIR") else None,
        cache_bytes=_int(cache_gb, "VP_CACHE_GB", 0, 1_000_000) * 10**9 if cache_gb else None,
        config_dir=Path(given.get("config_dir") or env.get("VP_CONFIG_DIR") or "./configs"),
        signals_path=tuple(
            Path(part).expanduser() for part in env.get("VP_SIGNALS_PATH", "").split(os.pathsep) if part
        ),
        host=host,
        port=_int(given.get("port", DEFAULT_PORT), "--port", 0, 65535),
        log_level=given.get("log_level", "info"),
        dt=given.get("dt"),
        start_time=given.get("start_time"),
        api_token=token,
        allowed_origins=_origins(env.get("VP_ALLOWED_ORIGINS", "")),
        max_streams=_int(env.get("VP_MAX_STREAMS") or 64, "VP_MAX_STREAMS", 1, 100_000),
        cache_mb=_int(env.get("VP_CACHE_MB") or CACHE_MB, "VP_CACHE_MB", 32, 1_000_000),
        frontend_dist=Path(env.get("VP_FRONTEND_DIST") or _DIST),
        dagster_url=_url(env.get("VP_DAGSTER_URL"), "VP_DAGSTER_URL"),
        mlflow_url=_url(env.get("VP_MLFLOW_URL"), "VP_MLFLOW_URL") or _server(env.get("MLFLOW_TRACKING_URI")),
        latency=_latency(given),
    )


def _base(given: Mapping[str, Any], instrument_path: str | None) -> VPRuntimeConfig:
    lock = load_instrument(Path(instrument_path) if instrument_path else None)
    check_instrument(lock, given.get("product_type", lock.product_type), given.get("symbol", lock.symbol))
    overrides = {key: value for key, value in given.items() if key in override_fields()}
    return build_config_with_overrides(lock, overrides) if overrides else lock


def override_fields() -> tuple[str, ...]:
    """Fields of the runtime config that flags and queries may set: projections and the state model."""
    return tuple(name for name in VPRuntimeConfig.model_fields if name.startswith(("projection_", "state_model_")))


def _int(value: Any, name: str, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high:
        raise ConfigError(f"`{name}` must be a whole number from {low} to {high}, was {value!r}")
    return number


def _url(text: str | None, name: str) -> str | None:
    """Base address of another server, without a slash at its end."""
    if not text:
        return None
    if not _URL.fullmatch(text):
        raise ConfigError(f"{name} must be an address such as http://127.0.0.1:3000, was {text!r}")
    return text.rstrip("/")


def _server(tracking_uri: str | None) -> str | None:
    """A tracking address where a browser can follow it."""
    return tracking_uri.rstrip("/") if tracking_uri and _URL.fullmatch(tracking_uri) else None


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(f"VP_ALLOWED_ORIGINS must list origins such as http://host:8002, had {origin!r}")
    return origins


def _latency(given: Mapping[str, Any]) -> LatencyLog | None:
    start, end = given.get("perf_window_start_et"), given.get("perf_window_end_et")
    for name, clock in (("--perf-window-start-et", start), ("--perf-window-end-et", end)):
        if clock is not None:
            parse_clock(clock, name)
    if given.get("perf_latency_jsonl") is None:
        return None
    path = Path(given["perf_latency_jsonl"])
    if not path.parent.is_dir():
        raise ConfigError(f"`--perf-latency-jsonl` {path}: its folder does not exist")
    every = _int(given.get("perf_summary_every_bins", 600), "--perf-summary-every-bins", 1, 10**9)
    return LatencyLog(path=path, start_et=start, end_et=end, summary_every_bins=every)
