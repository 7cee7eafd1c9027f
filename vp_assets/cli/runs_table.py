"""Runs as tables: what was tried, how it went, and in one plain sentence what it proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vp_assets.cli.common import count, fitting, narrow, number, table

if TYPE_CHECKING:
    from vp_engine.evaluation.walk_forward import Choice

_NUMBERS = (
    "θ", "n", "worth", "net pnl", "95 % interval", "$ a trade", "at barrier", "tp there", "break even", "p", "Holm p",
)  # fmt: skip
_AT_BARRIER = (
    "At barrier: share of the trades that ended at take-profit or stop-loss. `tp there` and break even speak of these "
    "alone; the other trades timed out. Net pnl and its interval count all."
)
_DENSE = 1.5  # trades for what one is worth, from where on it is said
_BARRIERS = {"tp": "tp_ticks", "sl": "sl_ticks", "cooldown": "cooldown_bins"}  # by the words that name them
_SETTING = {
    **_BARRIERS,
    "hold": "max_hold_bins",
    "fill": "fill",
    "fee": "fee_ticks",
    "pipeline": "pipeline",
    "day": "dt",
}
_DAY_NUMBERS = ("n", "net pnl", "95 % interval", "at barrier", "tp there", "break even", "p", "SPA p")


def most_trades(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Trades of the busiest threshold, by run."""
    most: dict[str, int] = {}
    for row in rows:
        most[row["run_id"]] = max(most.get(row["run_id"], 0), int(row["n_signals"]))
    return most


def signals_without_trades(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Signals that fired in no row, by name."""
    fired: dict[str, bool] = {}
    for row in rows:
        fired[row["signal"]] = fired.get(row["signal"], False) or int(row["n_signals"]) > 0
    return sorted(name for name, any_fired in fired.items() if not any_fired)


def best_per_run(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first row of each run, in the order of the rows."""
    best: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        best.setdefault(row["run_id"], row)
    return list(best.values())


def print_runs(
    console: Any,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    min_signals: int | None,
    trades: Mapping[str, int] | None = None,
) -> None:
    """The table of `rows` and one plain sentence on what all that were `judged` prove. trades: where there are no rows,
    the most trades of a threshold by run, of the runs that have too few."""
    from vp_engine.evaluation.verdicts import SIGNIFICANT, looks, p_text, verdict_of_table

    if not rows:
        least = "as many trades as its experiment wants" if min_signals is None else f"{min_signals} trades"
        if trades:
            said = (
                f"No run of {len(trades):,} has {least}; the most is {max(trades.values()):,}. A signal whose values "
                "are NaN or never reach a threshold makes no trade; `vp compare --min-signals 0` shows them all."
            )
        else:
            said = "There is no run to rank; `vp run EXPERIMENT` makes runs."
        console.print(said, soft_wrap=True)
        return
    usual = _usual()
    own = [_own(row) for row in rows]
    shared = _common(own)
    alike = {signal: _common([o for r, o in zip(rows, own, strict=True) if r["signal"] == signal]) for signal in usual}

    def apart(signal: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What a run does not share with all others, nor with all of its signal as that signal usually is."""
        default = usual.get(signal, {})
        expected = {name: value for name, value in alike.get(signal, {}).items() if default.get(name, value) == value}
        kept = {name: value for name, value in parameters.items() if name not in shared}
        return {name: value for name, value in kept.items() if name in _SETTING or expected.get(name) != value}

    cells = [
        fitting(
            {
                "run": row["run_id"],
                "signal": row["signal"],
                "parameters": _apart_words(row["signal"] if narrow(console) else "", apart(row["signal"], parameters)),
                "θ": f"{row['threshold']:g}",
                "n": count(row["n_signals"]),
                "worth": count(row["n_effective"]),
                "net pnl": number(row["net_mean_pnl_ticks"], 2, sign=True),
                "95 % interval": _net_interval(row),
                "$ a trade": number(row["net_mean_pnl_ticks"] * row["tick_dollars"], 2, sign=True),
                "at barrier": _percent(1 - row["timeout_rate"]),
                "tp there": _percent(row["barrier_tp_rate"]),
                "break even": _percent(row["break_even_rate"]),
                "p": p_text(row["p_value"]),
                "Holm p": number(row["p_holm"], 2),
            },
            console,
            wide_only=("signal", "$ a trade", "at barrier", "tp there", "break even", "p", "worth"),
        )
        for row, parameters in zip(rows, own, strict=True)
    ]
    shown = table(title, *cells[0], right=_NUMBERS, whole=("run", "signal"))
    n_looks = looks(judged)
    for row, line in zip(rows, cells, strict=True):
        shown.add_row(*line.values(), style="bold" if row["p_holm"] * n_looks <= SIGNIFICANT else None)
    console.print(shown)
    if "at barrier" in cells[0]:
        console.print(_AT_BARRIER, style="dim")
    told = {name: value for name, value in shared.items() if usual.get(rows[0]["signal"], {}).get(name) != value}
    if told:
        console.print(f"All of them: {_words(told)}.", style="dim")
    for warning in (_overlap(rows), _spread(rows)):
        if warning:
            console.print(warning)
    console.print(verdict_of_table(judged))


def _overlap(rows: Sequence[Mapping[str, Any]]) -> str:
    """A note where trades overlap so much that their number says too much; empty where they do not."""
    dense = max(rows, key=lambda row: row["n_signals"] / max(row["n_effective"], 1.0))
    if dense["n_signals"] < _DENSE * dense["n_effective"]:
        return ""
    return (
        f"Trades overlap: the {dense['n_signals']:,} of run {dense['run_id']} are worth {dense['n_effective']:,.0f} "
        "that do not. The interval of the net pnl and p take that into account."
    )


def _spread(rows: Sequence[Mapping[str, Any]]) -> str:
    """What a rate cannot say of trades that pay the spread; empty where none does."""
    if all(row["fill"] == "mid" for row in rows):
        return ""
    return "Fill cross: break even counts fees alone; the spread is paid on top of it, and net pnl counts both."


def _common(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of these runs have alike."""
    return {name: value for name, value in (runs[0] if runs else {}).items() if all(r.get(name) == value for r in runs)}


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    """What sets a run apart from others of its signal: parameters and scoring, barriers, day."""
    import json

    params = json.loads(row["parameters"])
    scoring = {f"scoring.{name}": value for name, value in params.pop("scoring", {}).items()}
    return {**params, **scoring, **{name: row[column] for name, column in _SETTING.items()}}


def _usual() -> dict[str, dict[str, Any]]:
    """Defaults of every signal, those of scoring included, in the words of `_own`."""
    from vp_engine.signals.registry import list_signals
    from vp_engine.specs.runtime import SCORING_FIELDS, VPRuntimeConfig

    held = {name: VPRuntimeConfig.model_fields[name].default for name in SCORING_FIELDS}
    scoring = {f"scoring.{name}": list(v) if isinstance(v, tuple) else v for name, v in held.items()}
    return {info.name: {**info.params, **scoring} for info in list_signals()}


def _apart_words(signal: str, parameters: Mapping[str, Any]) -> str:
    """What sets a run apart, after its signal where there is no column for that."""
    return ": ".join(word for word in (signal, _words(parameters)) if word) or "–"


def _words(parameters: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in parameters.items()
    )


def _net_interval(row: Mapping[str, Any]) -> str:
    low, high = row["net_mean_low_ticks"], row["net_mean_high_ticks"]
    return "–" if low != low else f"{number(low, 2, sign=True)} to {number(high, 2, sign=True)}"


def _percent(value: float) -> str:
    return "–" if value != value else f"{100 * value:.1f} %"


def print_leaders(console: Any, title: str, choices: Sequence[Choice]) -> None:
    """The best trials over the train days, and what became of each on the test days."""
    from vp_engine.evaluation.verdicts import p_text, verdict_of_leaders
    from vp_engine.evaluation.walk_forward import pool

    usual = _usual()
    numbers = ("θ", "train n", "train net", "test n", "test net", "95 % interval", "test p")
    tests, lines = [], []
    for choice in choices:
        signal = choice.meta["signal"]
        own = {name: value for name, value in _own(choice.meta).items() if name in _BARRIERS or name not in _SETTING}
        default = usual.get(signal, {})
        apart = {name: value for name, value in own.items() if name in _BARRIERS or default.get(name) != value}
        train, test = (pool(choice.by_day, role) for role in ("train", "test"))
        assert train is not None
        cells = dict.fromkeys(("signal", "parameters", *numbers), "–") | {
            "signal": signal,
            "parameters": _apart_words(signal if narrow(console) else "", apart),
            "θ": f"{choice.run['threshold']:g}",
            "train n": count(train.n_signals),
            "train net": number(train.net_mean_pnl_ticks, 2, sign=True),
        }
        if test is not None:
            tests.append(test)
            cells |= {
                "test n": count(test.n_signals),
                "test net": number(test.net_mean_pnl_ticks, 2, sign=True),
                "95 % interval": _net_interval(test._asdict()),
                "test p": p_text(test.p_value),
            }
        lines.append(fitting(cells, console, wide_only=("signal", "train n", "test p")))
    shown = table(title, *lines[0], right=numbers, whole=("signal",))
    for line in lines:
        shown.add_row(*line.values())
    console.print(shown)
    if tests:
        console.print(verdict_of_leaders(tests))


def print_choice(console: Any, choice: Choice) -> None:
    """How a choice did, day by day, with its train and its test days together."""
    from vp_engine.evaluation.verdicts import p_text, verdict_of_test_days
    from vp_engine.evaluation.walk_forward import pool

    shown = table(
        f"{choice.meta['signal']}, run {choice.meta['run_id']} at {choice.run['threshold']:g}, day by day",
        "day", "role", *_DAY_NUMBERS, right=_DAY_NUMBERS,
    )  # fmt: skip
    for row in choice.by_day:
        shown.add_row(row["day"], row["role"], *_day_cells(row), p_text(row["p_value"]), p_text(row["spa_p_value"]))
    totals = {role: pool(choice.by_day, role) for role in ("train", "test")}
    for role, total in totals.items():
        if total is not None and total.n_days > 1:
            p = p_text(total.p_value) if role == "test" else ""  # chosen by it, a train day's p says nothing
            shown.add_row(f"{total.n_days} days", role, *_day_cells(total._asdict()), p, "", style="bold")
    console.print(shown)
    console.print(verdict_of_test_days(totals["test"]))


def _day_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        count(row["n_signals"]), number(row["net_mean_pnl_ticks"], 2, sign=True), _net_interval(row),
        _percent(1 - row["timeout_rate"]), _percent(row["barrier_tp_rate"]), _percent(row["break_even_rate"]),
    )  # fmt: skip
