"""The words for result rows: net pnl against 0, and break-even only of the trades that ended at a barrier."""

from __future__ import annotations

from typing import Any

import pytest

from vp_engine.evaluation.verdicts import barrier_text, net_side, net_text, verdict, verdict_text

NAN = float("nan")


def row(**changes: Any) -> dict[str, Any]:
    """300 trades, of which 36 ended at a barrier."""
    return {
        "n_signals": 300, "n_up_tp": 12, "n_down_tp": 9, "n_up_sl": 8, "n_down_sl": 7, "break_even_rate": 0.375,
        "net_mean_pnl_ticks": 0.35, "net_mean_low_ticks": -0.41, "net_mean_high_ticks": 1.11, "p_value": 0.21,
        "p_holm": 1.0, "deflated_sharpe": 0.2, **changes,
    }  # fmt: skip


def test_a_row_whose_trades_time_out_is_told_by_its_net_pnl_and_what_its_break_even_applies_to() -> None:
    said = verdict_text(row(), 96)
    assert said == (
        "Not significant: p 0.210 alone, Holm p 1.00 after 96 trials. "
        "Net pnl +0.35 ticks a trade, 95 % interval −0.41 to +1.11, which contains 0 before correction. "
        "12.0 % of 300 trades ended at a barrier, 88.0 % timed out; of those at a barrier 58.3 % took profit, and they "
        "break even at 37.5 % after fees. "
        "Deflated Sharpe 0.20, 0.95 would be needed."
    )


@pytest.mark.parametrize(
    ("low", "high", "side", "words"),
    [
        (0.2, 0.5, "above", "wholly above 0"),
        (-0.5, -0.2, "below", "wholly below 0"),
        (-0.5, 0.2, "around", "which contains 0"),
        (0.0, 0.2, "around", "interval 0.00 to +0.20, which contains 0"),
        (NAN, NAN, None, "without an interval"),
        (None, None, None, "an older version"),
    ],
)
def test_an_interval_is_held_against_zero(low: float | None, high: float | None, side: str | None, words: str) -> None:
    judged = row(net_mean_low_ticks=low, net_mean_high_ticks=high)
    assert net_side(judged) == side
    assert words in net_text(judged)


def test_a_row_of_an_older_version_has_words_too() -> None:
    old = {name: value for name, value in row().items() if not name.startswith("net_mean_l")}
    assert net_side(old) is None
    assert "without an interval" in verdict_text(old, 96)


def test_break_even_is_not_applied_where_every_trade_timed_out() -> None:
    none = dict.fromkeys(("n_up_tp", "n_down_tp", "n_up_sl", "n_down_sl"), 0)
    assert barrier_text(row(**none)) == "All of 300 trades timed out, so break-even does not apply."
    assert barrier_text(row(**none, n_signals=1)) == "All of 1 trade timed out, so break-even does not apply."
    assert "timed out" not in barrier_text(row(n_signals=36))


def test_a_row_without_trades_is_not_judged() -> None:
    undefined = dict.fromkeys(("net_mean_pnl_ticks", "net_mean_low_ticks", "net_mean_high_ticks", "p_holm"), None)
    empty = row(n_signals=0, **undefined)
    assert (verdict(empty), net_text(empty), barrier_text(empty)) == ("too_few", "", "")
    assert verdict_text(empty, 96).startswith("Not judged: 0 trades")


def test_only_the_corrected_p_makes_a_row_significant() -> None:
    assert verdict(row(net_mean_low_ticks=0.1, p_holm=0.2)) == "not_significant"
    assert verdict(row(p_holm=0.05)) == "significant"
    assert verdict_text(row(p_holm=0.012), 1).startswith("Survives correction: Holm p 0.012 after 1 trial.")
