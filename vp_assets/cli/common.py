"""What every command shares: four options, the context behind them, output for people and for machines.

Progress goes to stderr, results to stdout. Heavy imports happen inside functions, so that `vp --help` is quick.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vp_assets.cli.hints import Hints

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vp_assets.settings import Settings
    from vp_engine.lake import Lake
    from vp_engine.specs import SpecBook, VPRuntimeConfig

_PIPE_WIDTH = 160  # columns where there is no terminal to ask
_NARROW = 120
_SPEED_S = 600.0  # a learning run takes a minute: time left is told from the last ten

_SHARED = {
    "lake_root": (
        str | None,
        typer.Option(
            "--lake-root", help="Folder or fsspec URL of the lake [VP_LAKE_ROOT, ./lake].", show_default=False
        ),
    ),
    "config_dir": (
        Path | None,
        typer.Option("--config-dir", help="Folder of authored specs [VP_CONFIG_DIR, ./configs].", show_default=False),
    ),
    "instrument": (
        Path | None,
        typer.Option("--instrument", help="Instrument lock [VP_INSTRUMENT_CONFIG_PATH, MNQH6].", show_default=False),
    ),
    "as_json": (bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")),
}


class CommandContext:
    """The settings of one command and what is opened from them, each on first use."""

    def __init__(self, lake_root: str | None, config_dir: Path | None, instrument: Path | None, as_json: bool) -> None:
        self._given = (lake_root, config_dir, instrument)
        self.as_json = as_json
        self._noted: set[str] = set()
        flags = zip(("--lake-root", "--config-dir", "--instrument"), self._given, strict=True)
        self.hints = Hints({flag: str(value) for flag, value in flags if value is not None})

    def require_lake(self) -> None:
        """NotFoundError where there is no lake to read: a folder that does not exist is a name mistyped."""
        root = self.settings.lake_root
        if "://" not in root and not Path(root).exists():
            from vp_engine.errors import NotFoundError

            raise NotFoundError(
                f"there is no lake at {root}; `vp import FILE` or `vp sample` makes one, or name another by --lake-root"
            )

    @cached_property
    def settings(self) -> Settings:
        from vp_assets.errors import log_faults_below
        from vp_assets.settings import load_settings, require_plain_paths

        settings = load_settings(*self._given)
        require_plain_paths(settings)
        log_faults_below(settings.home)
        return settings

    @cached_property
    def lock(self) -> VPRuntimeConfig:
        from vp_engine.specs import load_instrument

        return load_instrument(self.settings.instrument)

    @cached_property
    def lake(self) -> Lake:
        from vp_engine.lake import Lake

        return Lake(self.settings.lake_root, self.settings.cache_dir, self.settings.cache_bytes)

    @cached_property
    def specs(self) -> SpecBook:
        from vp_assets.research.requests import load_specs
        from vp_engine.signals import load_signals

        load_signals(self.settings.signals_path, lambda error: None)  # whoever asks for such a signal is told
        return load_specs(self.settings, self.lake, self.lock)

    def load_signals(self) -> None:
        """Load own signals; one that cannot be is named on stderr, and left out."""
        from vp_engine.signals import load_signals

        load_signals(self.settings.signals_path, lambda error: self.note_damage(None, error))

    def note_damage(self, what: object, problem: object) -> None:
        """Name on stderr, once, something damaged that a listing leaves out."""
        line = f"left out: {problem}"
        if line not in self._noted:
            self._noted.add(line)
            typer.echo(line, err=True)

    @cached_property
    def console(self) -> Console:
        """Text is printed as it is: a name, a path or a result of SQL with brackets is no markup; see `styled`."""
        from rich.console import Console

        hints = self.hints

        class Completing(Console):
            """Prints suggested commands with the options that the user gave."""

            def print(self, *objects: Any, **how: Any) -> None:
                super().print(*(hints.completed(o) if isinstance(o, str) else o for o in objects), **how)

        found = Completing(highlight=False, markup=False)
        return found if found.is_terminal else Completing(highlight=False, markup=False, width=_PIPE_WIDTH)

    def finish(self, data: Any, render: Callable[[Console], None]) -> None:
        """The command's result: `data` as JSON for machines, or `render` for people."""
        if self.as_json:
            typer.echo(json.dumps(plain(data), indent=None, default=str))
        else:
            render(self.console)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str, int, int], None]]:
        """A progress display on stderr, with the time spent and left; the yielded function takes (stage, done, total).

        What is done at a stage's first report (a sweep that goes on where it was killed) says nothing of its speed.
        """
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        err = Console(stderr=True, highlight=False)
        columns = (
            TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("[dim]so far"), TimeRemainingColumn(), TextColumn("[dim]left"),
        )  # fmt: skip
        tasks: dict[str, tuple[Any, int]] = {}  # by stage: the task, how much of it was done
        off = self.as_json or not err.is_terminal
        with Progress(*columns, console=err, disable=off, transient=True, speed_estimate_period=_SPEED_S) as bar:
            overall = bar.add_task(title, total=None)

            def report(stage: str, done: int, total: int) -> None:
                task, before = tasks.get(stage, (None, 0))
                if task is None:
                    task = bar.add_task(f"  {stage}", total=total)
                elif done < before:  # the same stage of another day
                    bar.reset(task, total=total)
                bar.update(task, completed=done, total=total)
                tasks[stage] = task, done

            yield report
            bar.update(overall, total=1, completed=1)


_last_hints = Hints({})


def last_hints() -> Hints:
    """Hints of the command that began last in this process, for messages that are written where it ends."""
    return _last_hints


def command(
    app: typer.Typer, name: str | None = None, *, reads: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register `function(session, …)` with the four shared options behind its own parameters. reads: the command reads
    a lake and makes none, so it wants one that exists."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        shared = [
            inspect.Parameter(
                key,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if kind is bool else None,
                annotation=Annotated[kind, option],
            )
            for key, (kind, option) in _SHARED.items()
        ]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            global _last_hints
            context = CommandContext(**{key: given.pop(key) for key in _SHARED})
            _last_hints = context.hints
            if reads:
                context.require_lake()
            function(context, **given)

        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        del run.__wrapped__
        app.command(name, rich_help_panel=getattr(inspect.getmodule(function), "PANEL", None))(run)
        return function

    return register


def plain(value: Any) -> Any:
    """The value as JSON knows it: NaN and infinities become null, paths text, numpy scalars numbers."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(title: str, *columns: str, right: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """A quiet table: no frame, one rule under the header, numbers to the right. `whole` columns never wrap."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        kept = column in right or column in whole
        made.add_column(column, justify="right" if column in right else "left", overflow="fold", no_wrap=kept)
    return made


def narrow(console: Console) -> bool:
    """Whether a terminal has no room for every column."""
    return console.width < _NARROW


def styled(text: str, style: str) -> Text:
    """A cell of its own style."""
    from rich.text import Text

    return Text(text, style)


def fitting(row: Mapping[str, str | Text], console: Console, wide_only: tuple[str, ...]) -> dict[str, str | Text]:
    """The cells of a row by column, without those that a narrow terminal has no room for."""
    return {column: cell for column, cell in row.items() if not (narrow(console) and column in wide_only)}


def count(value: float | None) -> str:
    """Whole number with separators, or a dash."""
    return "–" if value is None else f"{value:,.0f}"


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """Fixed digits, or a dash for NaN and None."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}"


def seconds(value: float | None) -> str:
    """Seconds a person can read, or a dash."""
    return "–" if value is None else f"{value:.2f} s"


def size(value: float | None) -> str:
    """Bytes in binary units, or a dash."""
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError
