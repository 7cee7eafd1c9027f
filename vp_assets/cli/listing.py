"""Looking at what there is: datasets, specs, signals, and SQL over all of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vp_assets.cli.common import CommandContext, command, count, narrow, size, styled, table

_NUMERIC = ("int8", "int16", "int32", "int64", "uint8", "uint64", "float", "double")

PANEL = "What there is"


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    command(app, "list-signals")(list_signals)
    command(app, "list-datasets", reads=True)(list_datasets)
    command(app, "list-specs")(list_specs)
    command(app, "sql", reads=True)(sql)


def list_signals(context: CommandContext) -> None:
    """Every signal, own ones included: what it reads, its parameters with their defaults, its thresholds."""
    from vp_engine.signals import list_signals as registered

    context.load_signals()
    infos = registered()

    def render(console: Any) -> None:
        slim = narrow(console)
        columns = ("reads", "parameters", "thresholds")
        shown = table("Signals", "signal", *(() if slim else ("kind", "fires on")), *columns, whole=("signal",))
        for info in infos:
            params = ", ".join(f"{name} {_value(value)}" for name, value in info.params.items())
            levels = " ".join(f"{value:g}" for value in info.default_thresholds) or "quantiles"
            below = styled(f"\n{info.kind}\nfires on {info.prediction}", "dim")
            name = (styled(info.name, "") + below,) if slim else (info.name, info.kind, info.prediction)
            shown.add_row(*name, "\n".join(info.columns) if slim else " ".join(info.columns), params, levels)
        console.print(shown)

    context.finish([info._asdict() for info in infos], render)


def _value(value: Any) -> str:
    """A parameter as a spec would say it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def list_datasets(context: CommandContext) -> None:
    """Every dataset in the lake."""
    from vp_engine.lake.datasets import iter_datasets

    infos = list(iter_datasets(context.lake, context.note_damage))
    data = [
        {
            "dataset_id": info.dataset_id,
            "address": info.address,
            "pipeline": info.pipeline,
            "symbol": info.capture.symbol,
            "dt": info.capture.dt.isoformat(),
            "n_bins": info.n_bins,
            **info.manifest["summary"],
            "bytes": sum(info.manifest["bytes"].values()),
            "path": str(info.path),
        }
        for info in infos
    ]

    def render(console: Any) -> None:
        numbers = ("bins", "valid", "events", "trades", "size")
        shown = table("Datasets", "dataset", "day (ET)", *numbers, right=numbers)
        for row in data:
            shown.add_row(
                row["dataset_id"], row["dt"], count(row["n_bins"]), count(row["valid_bins"]), count(row["events"]),
                count(row["trades"]), size(row["bytes"]),
            )  # fmt: skip
        console.print(shown if data else f"No datasets in {context.lake.root} yet; `vp generate PIPELINE` makes one.")

    context.finish(data, render)


def list_specs(context: CommandContext) -> None:
    """Pipelines, serving specs and experiments; those of other instruments, which are skipped; and what is broken."""
    from vp_assets.research.requests import Chain
    from vp_assets.research.unusable import broken_parts

    chain = Chain(context.settings, context.lake, context.specs)
    book = chain.specs
    data: list[dict[str, Any]] = []
    for name, pipeline in sorted(book.pipelines.items()):
        window = f"{pipeline.capture.dt or 'every day'} {pipeline.capture.start_time}–{pipeline.capture.end_time} ET"
        data.append({"kind": "pipeline", "name": name, "of": window, "description": pipeline.description})
    for name, serving in sorted(book.serving.items()):
        kind = "serving" if serving.promoted is None else "promoted"
        data.append({"kind": kind, "name": name, "of": serving.pipeline, "description": serving.description})
    for name, experiment in sorted(book.experiments.items()):
        data.append(
            {"kind": "experiment", "name": name, "of": experiment.serving, "description": experiment.description}
        )
    for skipped in book.skipped:
        data.append({"kind": "skipped", "name": skipped.name, "of": None, "description": skipped.reason})

    for part in broken_parts(chain):
        data.append({"kind": "broken", "name": part.name, "of": None, "description": part.reason})

    def render(console: Any) -> None:
        shown = table(f"Specs of {book.lock.symbol}", "kind", "name", "of", "description")
        for row in data:
            style = {"skipped": "dim", "broken": "red"}.get(row["kind"])
            shown.add_row(row["kind"], row["name"], row["of"] or "–", row["description"], style=style)
        console.print(shown)

    context.finish(data, render)


def sql(
    context: CommandContext,
    query: Annotated[str | None, typer.Argument(help="A query; none opens a prompt.")] = None,
    limit: Annotated[int, typer.Option(help="Rows shown on a terminal.", min=1)] = 40,
) -> None:
    """DuckDB over the lake: views days, datasets, bins, grid, runs_meta, runs, best, serving_specs."""
    from vp_engine.errors import ConfigError, VPError
    from vp_engine.lake.catalog import Catalog

    with Catalog(context.lake, context.specs) as catalog:
        for problem in catalog.left_out:
            context.note_damage(None, problem)
        if query is not None:
            found = catalog.sql(query)
            context.finish(
                _rows(found) if context.as_json else None, lambda console: _print_rows(console, found, limit)
            )
            return
        if context.as_json:
            raise ConfigError("`--json` needs a query")
        context.console.print("Views: days, datasets, bins, grid, runs_meta, runs, best, serving_specs. Ctrl-D ends.")
        while True:
            try:
                line = input("sql> ").strip()
            except EOFError:
                return
            try:
                if line:
                    _print_rows(context.console, catalog.sql(line), limit)
            except VPError as error:
                context.console.print(str(error), style="red")


def _print_rows(console: Any, found: Any, limit: int) -> None:
    """An Arrow table on a terminal."""
    numeric = tuple(field.name for field in found.schema if str(field.type) in _NUMERIC)
    shown = table("", *found.column_names, right=numeric)
    for row in _rows(found.slice(0, limit)):
        shown.add_row(*(_cell(value) for value in row.values()))
    console.print(shown)
    more = f", {limit} shown" if found.num_rows > limit else ""
    console.print(f"{found.num_rows:,} row{'' if found.num_rows == 1 else 's'}{more}.")


def _rows(found: Any) -> list[dict[str, Any]]:
    """Rows of an Arrow table; ConfigError for a time that Python has no value for, such as `infinity`."""
    from vp_engine.errors import ConfigError

    try:
        rows: list[dict[str, Any]] = found.to_pylist()
    except (OverflowError, ValueError) as error:
        raise ConfigError(f"SQL: a value cannot be shown ({error}); cast it to text with `::varchar`") from None
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)
