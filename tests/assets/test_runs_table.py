"""What a walk-forward says on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vp_assets.cli.runs_table import _verdict, print_choice, print_leaders
from vp_engine.evaluation.walk_forward import Choice

_DAY = {
    "tp_rate_low": 0.4, "tp_rate_high": 0.6, "break_even_rate": 0.45, "n_down_tp": 0, "p_value": 0.2,
    "spa_p_value": float("nan"),
}  # fmt: skip


def day(name: str, role: str, n: int, net: float) -> dict:
    return {
        **_DAY, "day": name, "role": role, "n_signals": n, "n_up_tp": n // 2, "tp_rate": 0.5 if n else float("nan"),
        "net_mean_pnl_ticks": net, "net_total_pnl_ticks": net * n,
    }  # fmt: skip


TRAIN = [day("2026-02-02", "train", 100, 2.0), day("2026-02-03", "train", 100, 1.0)]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ([], "flatter"),
        ([day("2026-02-06", "test", 0, 0.0)], "did not trade"),
        ([day("2026-02-06", "test", 50, -1.5)], "-1.50 ticks a trade over 50 trades, in profit on 0 of 1"),
        ([day("2026-02-06", "test", 5000, 1.5)], "is above break even"),
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
    ("nets", "words"), [((-1.5, 0.5), "1 of these 2 earned anything"), ((-1.5, -0.1), "None of these earned anything")]
)
def test_leaders_stand_beside_what_became_of_them(nets: tuple[float, float], words: str) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    meta = {
        "signal": "ads", "run_id": "ab" * 8, "parameters": '{"zscore_window_bins": 600}', "tp_ticks": 8.0,
        "sl_ticks": 4.0, "cooldown_bins": 20, "dt": "2026-02-03",
    }  # fmt: skip
    choices = [Choice(meta, {"threshold": 0.1}, [*TRAIN, day("2026-02-06", "test", 50, net)]) for net in nets]
    print_leaders(console, "Best", choices)
    said = console.export_text()
    assert words in said
    assert "zscore_window_bins 600, tp 8, sl 4, cooldown 20" in said
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
        ([judged(0.01, 0.0001), judged(1.0, 0.0001)], ["1 of 2 rows is significant", "p <0.001"], "Nothing"),
        ([judged(0.01, NAN), judged(0.02, NAN)], ["2 of 2 rows are significant", "too short"], "Nothing"),
        ([judged(0.4, 0.5)], ["its Holm p is 0.400 of 40 trials"], "none of"),
        ([judged(NAN, 0.5)], ["too few trades to be judged"], "none of"),
        ([judged(1.0, 0.5, str(at)) for at in range(6)], ["2 more above"], "unlikely"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_is_proved_and_what_is_not(rows: list, words: list[str], not_said: str) -> None:
    said = _verdict(rows)
    for word in words:
        assert word in said
    assert not_said not in said
