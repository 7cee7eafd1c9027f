"""Recording the locked contract as it trades, with its bins computed on the way."""

from __future__ import annotations

import datetime as dt
import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vp_engine.live import LiveStatus
    from vp_engine.specs import Capture, VPRuntimeConfig

_SHOW_EVERY_S = 0.5

PANEL = "Days"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "live")(live)


def live(
    context: CommandContext,
    pipeline: Annotated[
        str | None, typer.Argument(metavar="[PIPELINE]", help="Bins of this pipeline's window today; else from now on.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="Stop after so many seconds.")] = None,
) -> None:
    """Record the locked contract from Databento's live gateway until Ctrl-C; a day that is over becomes a raw day."""
    from vp_engine.errors import ConfigError

    settings = context.settings
    if settings.databento_key is None:
        raise ConfigError("no Databento key; set DATABENTO_API_KEY to the key of your account")
    config, capture = _window(context, pipeline)

    from vp_assets.databento.recorded import DayCommitter
    from vp_engine.feed.live import DEFAULT_PORT, LiveFeed, parse_gateway
    from vp_engine.live import LiveSession

    given = settings.databento_live_gateway
    gateway, port = parse_gateway(given) if given is not None else (None, DEFAULT_PORT)
    feed = LiveFeed(settings.databento_key.get_secret_value(), config.dataset, config.symbol, gateway, port)
    committer = DayCommitter(context.lake, context.lock)
    folder = recording_folder(settings.lake_root)
    line = LiveSession(feed, folder, config, capture, lambda block: None, on_day=committer)
    until: float | None = None
    try:
        with _stopping() as stopped, _shown(context, line.status) as show:

            def stop() -> bool:
                nonlocal until
                until = until or time.monotonic() + (math.inf if seconds is None else seconds)
                show()
                return stopped() or time.monotonic() >= until

            line.run(stop)
    finally:
        days = committer.close()
    status = vars(line.status) | {
        "folder": str(folder),
        "days": [
            {"day": taken.manifest.day, "path": str(taken.path), "address": taken.manifest.address} for taken in days
        ],
    }
    context.finish(status, lambda console: console.print(f"{_line(line.status, 'stopped')}; file in {folder}"))


def recording_folder(lake_root: str) -> Path:
    """Where days under way lie: beside the raw days, or in ./.live where the lake is on an object store."""
    return Path(".live").absolute() if "://" in lake_root else Path(lake_root) / "live"


def _window(context: CommandContext, pipeline: str | None) -> tuple[VPRuntimeConfig, Capture]:
    """Configuration and window: a pipeline's on this Eastern day, or a day's length from the next second on."""
    from vp_engine.errors import ConfigError
    from vp_engine.specs import Capture
    from vp_engine.units import NS_PER_DAY, ns_to_et

    now = time.time_ns()
    today = ns_to_et(now).date()
    if pipeline is None:
        config = context.lock
        start = (now // 10**9 + 1) * 10**9
        warmup = round(config.warmup_hours * 3600 * 10**9)
        return config, Capture(config.symbol, today, start, start + NS_PER_DAY, start - warmup, config.bin_ns)
    spec = context.specs.pipelines[pipeline]
    capture = spec.resolve(context.lock, None if spec.capture.dt else today)
    if capture.end_ns <= now:
        end = ns_to_et(capture.end_ns)
        raise ConfigError(
            f"`{pipeline}` ended at {end:%Y-%m-%d %H:%M} Eastern; name a pipeline whose window is to come"
        )
    return spec.config(context.lock), capture


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and a polite kill end the recording between two helpings; files are closed as they should be."""
    asked = threading.Event()
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(context: CommandContext, status: LiveStatus) -> Iterator[Callable[[], None]]:
    """One line on a terminal's stderr, drawn again twice a second."""
    from rich.console import Console

    err = Console(stderr=True, highlight=False)
    if context.as_json or not err.is_terminal:
        yield lambda: None
        return
    last = 0.0
    with err.status("connecting") as line:

        def show() -> None:
            nonlocal last
            if time.monotonic() - last > _SHOW_EVERY_S:
                last = time.monotonic()
                line.update(_line(status))

        yield show


def _line(status: LiveStatus, state: str = "") -> str:
    """The state of things in one line."""
    state = state or ("live" if status.connected else f"waiting ({status.said or 'connecting'})")
    words = [
        f"{dt.datetime.now(dt.UTC):%H:%M:%S} UTC",
        state,
        f"{count(status.records)} records",
        f"{count(status.bins)} bins",
        f"mid {status.mid:,.2f}" if status.mid else "no book",
        f"{status.lag_ms:.0f} ms behind",
    ]
    extras: list[tuple[str, Any]] = [("late", status.late), ("gaps", status.gaps), ("skipped", status.skipped)]
    return ", ".join(words + [f"{count(value)} {name}" for name, value in extras if value])
