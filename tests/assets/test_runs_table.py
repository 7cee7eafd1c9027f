"""What a walk-forward says on a terminal."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from vp_assets.cli.runs_table import _overlap, _spread, print_choice, print_leaders, print_runs
from vp_engine.evaluation.verdicts import verdict_of_table
from vp_engine.evaluation.walk_forward import Choice
from vp_engine.signals import list_signals

_DAY = {
    "barrier_tp_rate": 0.6, "break_even_rate": 0.45, "n_down_tp": 0, "n_up_sl": 0, "n_down_sl": 0, "p_value": 0.2,
    "spa_p_value": float("nan"), "n_effective": 1.0,
}  # fmt: skip


def day(name: str, role: str, n: int, net: float, p_value: float = 0.2) -> dict:
    return {
        **_DAY, "day": name, "role": role, "n_signals": n, "n_up_tp": n // 2, "p_value": p_value,
        "timeout_rate": 0.5 if n else float("nan"), "net_mean_pnl_ticks": net, "net_total_pnl_ticks": net * n,
        "net_mean_low_ticks": net - 2.0, "net_mean_high_ticks": net + 2.0,
    }  # fmt: skip


_NET = {"net_mean_low_ticks": -0.41, "net_mean_high_ticks": 0.61}
TRAIN = [day("2026-02-02", "train", 100, 2.0), day("2026-02-03", "train", 100, 1.0)]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ([], "flatter"),
        ([day("2026-02-06", "test", 0, 0.0)], "did not trade"),
        (
            [day("2026-02-06", "test", 50, -1.5)],
            "+0.50, which contains 0. 50 trades, in profit on 0 of 1 day, p 0.200",
        ),
        ([day("2026-02-06", "test", 5000, 1.5)], "that is no proof of an edge at 5 %"),
        ([day("2026-02-06", "test", 50, 1.5, 0.001)], "p 0.001. The choice was made without them"),
        ([day("2026-02-06", "test", 50, 1.5, 0.1), day("2026-02-07", "test", 50, 1.5, 0.02)], "that is an edge"),
    ],
)
def test_train_and_test_days_are_told_apart(test: list, words: str) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    print_choice(console, Choice({"signal": "ads", "run_id": "ab" * 8}, {"threshold": 0.1}, [*TRAIN, *test]))
    said = console.export_text()
    assert words in " ".join(said.split())
    assert "2 days" in said
    assert "+1.50" in said


@pytest.mark.parametrize(
    ("width", "nets", "words"),
    [
        (200, (-1.5, 0.5), "1 of these 2 earned anything on the days that had no say, 0 with an interval above 0"),
        (200, (-1.5, 2.5), "1 with an interval above 0"),
        (200, (-1.5, -0.1), "None of these earned anything"),
        (100, (-1.5, 0.5), "ads: zscore_window_bins 600"),
    ],
)
def test_leaders_stand_beside_what_became_of_them(width: int, nets: tuple[float, float], words: str) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    meta = {
        "signal": "ads", "run_id": "ab" * 8, "parameters": '{"zscore_window_bins": 600}', "tp_ticks": 8.0,
        "sl_ticks": 4.0, "cooldown_bins": 20, "dt": "2026-02-03", "max_hold_bins": 600, "fill": "mid", "fee_ticks": 0.0,
        "tick_dollars": 0.5,
        "pipeline": "mnq_20m",
    }  # fmt: skip
    choices = [Choice(meta, {"threshold": 0.1}, [*TRAIN, day("2026-02-06", "test", 50, net)]) for net in nets]
    print_leaders(console, "Best", choices)
    said = console.export_text()
    assert words in said
    assert width < 200 or "zscore_window_bins 600, tp 8, sl 4, cooldown 20" in said
    assert "+1.50" in said
    assert "-1.50" in said


def judged(p_holm: float, spa: float, sweep: str = "ab", n_trials: int = 40) -> dict:
    return {
        "p_holm": p_holm, "spa_p_value": spa, "sweep_address": sweep, "n_trials": n_trials,
        "experiment": f"sweep_{sweep}", "dt": "2026-02-06",
    }  # fmt: skip


NAN = float("nan")


@pytest.mark.parametrize(
    ("rows", "words", "not_said"),
    [
        ([judged(1.0, 0.6)] * 3, ["Nothing here is significant: none of 3 rows", "p 0.600", "may be luck"], "unlikely"),
        ([judged(0.2, 0.01)] * 2, ["No single row", "Something in this sweep is unlikely to be luck"], "Nothing"),
        ([judged(0.2, 0.011), judged(1.0, 0.9, "cd")],
         ["p by sweep: sweep_ab 2026-02-06 0.011, sweep_cd 2026-02-06 0.900", "in sweep_ab 2026-02-06 is"], "all"),
        ([judged(0.2, 0.03), judged(1.0, 0.9, "cd")], ["Nothing here is significant"], "unlikely to be luck"),
        ([judged(0.03, 0.5), judged(1.0, 0.9, "cd")], ["none of 2 rows", "for 80 trials in 2 sweeps"], "rows is sig"),
        ([judged(0.02, 0.5), judged(1.0, 0.9, "cd")], ["1 of 2 rows is significant", "80 trials in 2"], "Nothing"),
        ([judged(1.0, 0.5, n_trials=200_000)] * 2, ["among 200,000 trials no p can be small enough"], "none of"),
        ([judged(1.0, 0.001, n_trials=200_000)] * 2, ["Hansen's SPA does", "Something in this sweep"], "none of"),
        ([judged(0.04, 0.5, n_trials=100_000)], ["1 of 1 rows is significant"], "no p can"),
        ([judged(0.01, 0.0001), judged(1.0, 0.0001)], ["1 of 2 rows is significant", "p <0.001"], "Nothing"),
        ([judged(0.01, NAN), judged(0.02, NAN)], ["2 of 2 rows are significant", "too short"], "Nothing"),
        ([judged(0.4, 0.5)], ["its Holm p is 0.400 of 40 trials"], "none of"),
        ([judged(NAN, 0.5)], ["too few trades to be judged"], "none of"),
        ([judged(1.0, 0.5, str(at)) for at in range(6)], ["2 more above"], "unlikely"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_is_proved_and_what_is_not(rows: list, words: list[str], not_said: str) -> None:
    said = verdict_of_table(rows)
    for word in words:
        assert word in said
    assert not_said not in said


@pytest.mark.parametrize(("worth", "warned"), [(26.0, True), (800.0, False)])
def test_overlapping_trades_are_told_where_they_flatter_the_interval(worth: float, warned: bool) -> None:
    said = _overlap([{"n_signals": 840, "n_effective": worth, "run_id": "ab" * 8}])
    assert ("the 840 of run abababababababab are worth 26 that do not" in said) is warned
    assert bool(said) is warned


def test_a_rate_is_not_held_against_break_even_where_a_spread_is_paid() -> None:
    assert _spread([{"fill": "mid"}]) == ""
    assert "net pnl counts both" in _spread([{"fill": "mid"}, {"fill": "cross"}])


def test_runs_are_told_apart_by_what_differs_between_them() -> None:
    """Fill and pipeline among them; what all have, and what scoring has by default, stands below or nowhere."""
    scoring = {
        "zscore_window_bins": 300, "zscore_min_periods": 75, "derivative_weights": [0.55, 0.3, 0.15], "tanh_scale": 3.0,
        "threshold_neutral": 0.15,
    }  # fmt: skip
    info = next(info for info in list_signals() if info.name == "erd")
    row = {
        **judged(1.0, 0.5), "signal": "erd", "parameters": json.dumps({**info.params, "scoring": scoring}),
        "threshold": 0.1, "n_signals": 9, "n_effective": 9.0, **_NET, "timeout_rate": 0.88, "barrier_tp_rate": 0.6,
        "break_even_rate": 0.5, "net_mean_pnl_ticks": 0.1, "p_value": 0.4, "tp_ticks": 8.0, "sl_ticks": 4.0,
        "cooldown_bins": 20, "max_hold_bins": 600, "fill": "mid", "fee_ticks": 0.5, "pipeline": "one",
        "tick_dollars": 0.5,
    }  # fmt: skip
    rows = [
        {**row, "run_id": "a" * 16},
        {**row, "run_id": "b" * 16, "fill": "cross"},
        {**row, "run_id": "c" * 16, "pipeline": "two"},
    ]
    console = Console(width=200, record=True, file=io.StringIO())
    print_runs(console, "Runs", rows, rows, 5)
    lines = console.export_text().splitlines()
    for run, words in (
        ("a", "fill mid, pipeline one"),
        ("b", "fill cross, pipeline one"),
        ("c", "fill mid, pipeline two"),
    ):
        assert words in next(line for line in lines if run * 16 in line)
    said = " ".join(" ".join(lines).split())
    assert "All of them: tp 8, sl 4, cooldown 20, hold 600, fee 0.5, day 2026-02-06." in said
    assert "scoring" not in said
    assert "Fill cross: break even counts fees alone" in said
    assert "-0.41 to +0.61 +0.05 12.0 % 60.0 % 50.0 %" in said  # net pnl against 0; break-even beside its own trades


@pytest.mark.parametrize(("width", "words"), [(100, "msd: tp 4"), (160, "msd")])
def test_a_narrow_table_still_names_the_signals(width: int, words: str) -> None:
    row = {
        **judged(1.0, 0.5), "parameters": "{}", "threshold": 0.1, "n_signals": 9, "n_effective": 9.0, **_NET,
        "timeout_rate": 0.88, "barrier_tp_rate": 0.6, "break_even_rate": 0.5, "net_mean_pnl_ticks": 0.1, "p_value": 0.4,
        "sl_ticks": 4.0, "cooldown_bins": 20, "max_hold_bins": 600, "fill": "mid", "fee_ticks": 0.5, "pipeline": "one",
        "tick_dollars": 0.5,
    }  # fmt: skip
    rows = [
        {**row, "run_id": "a" * 16, "signal": "msd", "tp_ticks": 4.0},
        {**row, "run_id": "b" * 16, "signal": "ads", "tp_ticks": 8.0},
    ]
    console = Console(width=width, record=True, file=io.StringIO())
    print_runs(console, "Runs", rows, rows, 5)
    assert words in next(line for line in console.export_text().splitlines() if "a" * 16 in line)
