"""What a result row may be called, in one word and in sentences: the one home of this wording, for the command line,
the service and the page. Only a p-value of the net pnl, corrected for the number of trials, makes a row significant.
Beside it stand the net pnl with its interval against 0, and what ended at a barrier against the break-even of those
trades.

A row is a mapping with the columns of `runs`; an undefined figure is None or NaN, a column that an older version of the
evaluation did not write may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from vp_engine.evaluation.bootstrap import draws_for

if TYPE_CHECKING:
    from vp_engine.evaluation.walk_forward import Pooled

Verdict = Literal["significant", "not_significant", "too_few"]
Side = Literal["above", "around", "below"]
SIGNIFICANT = 0.05
DEFLATED_NEEDS = 0.95
_SWEEPS_TOLD = 4
_BARRIER_EXITS = ("n_up_tp", "n_up_sl", "n_down_tp", "n_down_sl")


def figure(row: Mapping[str, Any], name: str) -> float | None:
    """A figure of a row, or None where it is not defined."""
    value = row.get(name)
    return None if value is None or math.isnan(value) else value


def verdict(row: Mapping[str, Any]) -> Verdict:
    """The word for a row."""
    p_holm = figure(row, "p_holm")
    if p_holm is None:
        return "too_few"
    return "significant" if p_holm <= SIGNIFICANT else "not_significant"


def net_side(row: Mapping[str, Any]) -> Side | None:
    """Where the interval of the net pnl lies against 0, before correction; None without an interval."""
    low, high = figure(row, "net_mean_low_ticks"), figure(row, "net_mean_high_ticks")
    if low is None or high is None:
        return None
    return "above" if low > 0 else "below" if high < 0 else "around"


def net_text(row: Mapping[str, Any], one_of_many: bool = True) -> str:
    """Net pnl of a trade with its interval; empty without trades. one_of_many: many were tried, so that the interval
    would have to be corrected for them."""
    net, side = figure(row, "net_mean_pnl_ticks"), net_side(row)
    if net is None:
        return ""
    said = f"Net pnl {_signed(net)} ticks a trade"
    if side is None:
        return f"{said}, without an interval: the capture is too short, or an older version judged it."
    where = {"above": "wholly above 0", "below": "wholly below 0", "around": "which contains 0"}[side]
    low, high = _signed(row["net_mean_low_ticks"]), _signed(row["net_mean_high_ticks"])
    return f"{said}, 95 % interval {low} to {high}, {where}{' before correction' if one_of_many else ''}."


def barrier_text(row: Mapping[str, Any]) -> str:
    """What ended at a barrier, against the break-even of those trades alone; empty without trades."""
    n, ended = row["n_signals"], sum(row[name] for name in _BARRIER_EXITS)
    if n == 0:
        return ""
    if ended == 0:
        return f"All of {_counted(n, 'trade')} timed out, so break-even does not apply."
    hits = row["n_up_tp"] + row["n_down_tp"]
    timeouts = f", {_percent(1 - ended / n)} timed out" if ended < n else ""
    return (
        f"{_percent(ended / n)} of {_counted(n, 'trade')} ended at a barrier{timeouts}; of those at a barrier "
        f"{_percent(hits / ended)} took profit, and they break even at {_percent(row['break_even_rate'])} after fees."
    )


def verdict_text(row: Mapping[str, Any], n_trials: int) -> str:
    """The verdict with the figures it rests on."""
    trials, word = _counted(n_trials, "trial"), verdict(row)
    if word == "too_few":
        return f"Not judged: {_counted(row['n_signals'], 'trade')} are too few, or the capture is too short."
    if word == "significant":
        said = f"Survives correction: Holm p {row['p_holm']:.3f} after {trials}. Other days must repeat it."
    else:
        said = f"Not significant: p {row['p_value']:.3f} alone, Holm p {row['p_holm']:.2f} after {trials}."
    parts = [said, net_text(row), barrier_text(row)]
    deflated = figure(row, "deflated_sharpe")
    if deflated is not None:
        parts.append(f"Deflated Sharpe {deflated:.2f}, {DEFLATED_NEEDS} would be needed.")
    return " ".join(part for part in parts if part)


def looks(rows: Sequence[Mapping[str, Any]]) -> int:
    """Sweeps behind these rows: each was a look of its own, and a p has to pay for all of them (Bonferroni)."""
    return len({row["sweep_address"] for row in rows})


def verdict_of_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What rows with the columns of both tables prove together, in a sentence or two."""
    n_looks = looks(rows)
    trials = {row["sweep_address"]: row["n_trials"] for row in rows}
    winners = sum(row["p_holm"] * n_looks <= SIGNIFICANT for row in rows)
    corrected = f"{sum(trials.values()):,} trials"
    if n_looks > 1:
        corrected += f" in {n_looks} sweeps"
    sweeps = _sweeps(rows)
    told = _spa_words(sweeps)
    if winners:
        are = "is" if winners == 1 else "are"
        said = f"{winners} of {len(rows):,} rows {are} significant at 5 % after Holm's correction for {corrected}."
        return f"{said} {told}"
    none = f"none of {len(rows):,} rows passes at 5 % after Holm's correction for {corrected}."
    if all(n * n_looks / (draws_for(n) + 1) > SIGNIFICANT for n in trials.values()):
        none = (
            f"among {corrected} no p can be small enough for Holm's correction, which decides nothing here; "
            "Hansen's SPA does."
        )
    elif len(rows) == 1:
        p_holm = figure(rows[0], "p_holm")
        none = "it has too few trades to be judged."
        if p_holm is not None:
            none = f"its Holm p is {p_text(p_holm)} of {corrected}."
    if sweeps and sweeps[0][1] * n_looks <= SIGNIFICANT:
        where = "this sweep" if n_looks == 1 else sweeps[0][0]
        return (
            f"No single row is significant: {none} {told} Something in {where} is unlikely to be luck, but which "
            "row is not said; other days must tell."
        )
    return f"Nothing here is significant: {none} {told} These runs may be luck."


def verdict_of_test_days(test: Pooled | None) -> str:
    """What the test days say of a choice that was made without them."""
    if test is None:
        return "No test day has results: these figures are those it was chosen by, and flatter it."
    if test.n_signals == 0:
        return "It did not trade on its test days, which say nothing about it."
    proved = "an edge" if test.p_value <= SIGNIFICANT and test.net_mean_pnl_ticks > 0 else "no proof of an edge"
    net, trades = net_text(test._asdict(), one_of_many=False), _counted(test.n_signals, "trade")
    return (
        f"Test days alone: {net} {trades}, in profit on {test.days_in_profit} of "
        f"{_counted(test.n_days, 'day')}, p {p_text(test.p_value)}. The choice was made without them; "
        f"for one look at them, which is all this p pays for, that is {proved} at 5 %."
    )


def verdict_of_leaders(tests: Sequence[Pooled]) -> str:
    """What became on the test days of the best trials of the train days."""
    earned = sum(test.net_mean_pnl_ticks > 0 for test in tests)
    surely = sum(net_side(test._asdict()) == "above" for test in tests)
    some = f"{earned} of these {len(tests)}" if earned else "None of these"
    more = f", {surely} with an interval above 0" if earned else ""
    return f"{some} earned anything on the days that had no say{more}."


def _sweeps(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """(experiment and day, Hansen's SPA p) of the sweeps behind these rows that have one, least p first."""
    found = {row["sweep_address"]: (f"{row['experiment']} {row['dt']}", row["spa_p_value"]) for row in rows}
    return sorted((sweep for sweep in found.values() if sweep[1] == sweep[1]), key=lambda sweep: sweep[1])


def _spa_words(sweeps: Sequence[tuple[str, float]]) -> str:
    """Hansen's SPA in words."""
    if not sweeps:
        return "Hansen's SPA: the datasets are too short for it (under 20 holding times)."
    if len(sweeps) == 1:
        return f"Hansen's SPA over the whole sweep: p {p_text(sweeps[0][1])}."
    told = ", ".join(f"{name} {p_text(p)}" for name, p in sweeps[:_SWEEPS_TOLD])
    more = f", {len(sweeps) - _SWEEPS_TOLD} more above" if len(sweeps) > _SWEEPS_TOLD else ""
    return f"Hansen's SPA, p by sweep: {told}{more}."


def p_text(value: float) -> str:
    """A p-value; one that rounds to nothing is told to be small, not 0."""
    if math.isnan(value):
        return "–"
    return "<0.001" if value < 0.0005 else f"{value:.3f}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _signed(value: float) -> str:
    """Two digits with a sign; a true minus, as the page writes it, and no sign before a bare zero."""
    said = f"{value:+.2f}".replace("-", "−")
    return said[1:] if said in ("+0.00", "−0.00") else said


def _counted(n: int, one: str) -> str:
    return f"{n:,} {one}{'' if n == 1 else 's'}"
