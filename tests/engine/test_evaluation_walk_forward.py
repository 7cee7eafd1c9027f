"""Choosing over days: train days decide, weighted by trades; test days only report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.evaluation.statistics import pooled_p
from vp_engine.evaluation.verdicts import verdict_of_test_days
from vp_engine.evaluation.walk_forward import DayResults, choose, leaders, pool
from vp_engine.lake.results import RUNS_META_SCHEMA, RUNS_SCHEMA
from vp_engine.specs import ExperimentSpec

_ZERO = {pa.string(): "", pa.float64(): 0.0, pa.int64(): 0}


def row(schema: pa.Schema, **values: Any) -> dict[str, Any]:
    return {field.name: values.get(field.name, _ZERO[field.type]) for field in schema}


def day(
    name: str,
    figures: dict[str, tuple[int, float]],
    *thresholds: float,
    evaluation: str = "{}",
    p_value: float = 0.2,
) -> DayResults:
    """A day with trials by name: (trades, net pnl), the same at every threshold."""
    meta = [
        row(RUNS_META_SCHEMA, run_id=f"{trial}@{name}", trial_id=trial, dt=name, evaluation=evaluation)
        for trial in figures
    ]
    runs = [
        row(
            RUNS_SCHEMA,
            run_id=f"{trial}@{name}",
            threshold=threshold,
            n_signals=n,
            net_mean_pnl_ticks=pnl,
            net_mean_low_ticks=pnl - 3.0,
            net_mean_high_ticks=pnl + 4.0,
            n_up_tp=n // 2,
            n_down_sl=n // 5,
            net_total_pnl_ticks=n * pnl,
            break_even_rate=0.4,
            n_effective=n / 2,
            p_value=p_value,
        )
        for trial, (n, pnl) in figures.items()
        for threshold in thresholds or (0.1,)
    ]
    return DayResults(name, name, pa.Table.from_pylist(meta, RUNS_META_SCHEMA), pa.Table.from_pylist(runs, RUNS_SCHEMA))


def experiment(**fields: Any) -> ExperimentSpec:
    return ExperimentSpec.parse({"name": "tried", "serving": "base", "selection": {"min_signals": 5}, **fields})


DAYS = {
    "2026-02-02": day("2026-02-02", {"a": (10, 1.0), "b": (10, 2.0), "c": (2, 90.0)}),
    "2026-02-03": day("2026-02-03", {"a": (30, 1.0), "b": (30, -1.0), "c": (2, 90.0)}),
    "2026-02-06": day("2026-02-06", {"a": (10, -5.0), "b": (10, 50.0), "c": (9, 99.0)}),
}
SPLIT = {"train": ["2026-02-02", "2026-02-03"], "test": ["2026-02-06"]}


def test_one_day_takes_its_best_row() -> None:
    chosen = choose(experiment(), {"2026-02-02": DAYS["2026-02-02"]})
    assert chosen.meta["trial_id"] == "b"
    assert [entry["role"] for entry in chosen.by_day] == ["train"]


def test_train_days_decide_weighted_by_trades_and_test_days_only_report() -> None:
    chosen = choose(experiment(days=SPLIT), DAYS)
    assert chosen.meta["run_id"] == "a@2026-02-03"
    assert [(entry["day"], entry["role"], entry["net_mean_pnl_ticks"]) for entry in chosen.by_day] == [
        ("2026-02-02", "train", 1.0),
        ("2026-02-03", "train", 1.0),
        ("2026-02-06", "test", -5.0),
    ]


def test_a_changed_test_day_changes_no_choice() -> None:
    other = {**DAYS, "2026-02-06": day("2026-02-06", {"a": (10, -99.0), "b": (10, 500.0), "c": (50, 990.0)})}
    assert choose(experiment(days=SPLIT), other).meta == choose(experiment(days=SPLIT), DAYS).meta


def test_less_is_better_where_it_is() -> None:
    spec = experiment(days=SPLIT, selection={"sort": "n_dropped", "min_signals": 5})
    assert choose(spec, DAYS).meta["trial_id"] in ("a", "b")


def test_a_named_run_is_taken_from_its_own_day() -> None:
    chosen = choose(experiment(days=SPLIT), DAYS, run_id="b@2026-02-06", threshold=0.1)
    assert (chosen.meta["dt"], chosen.run["net_mean_pnl_ticks"]) == ("2026-02-06", 50.0)


@pytest.mark.parametrize(
    ("held", "asked", "error", "words"),
    [
        ({}, {}, NotFoundError, "no results yet"),
        ({"2026-02-06": DAYS["2026-02-06"]}, {}, NotFoundError, "no results on its train days"),
        (DAYS, {"run_id": "z"}, NotFoundError, "no run `z`"),
        (DAYS, {"threshold": 0.7}, ConfigError, "no trial has 5 signals"),
    ],
)
def test_nothing_to_choose(held: dict[str, DayResults], asked: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        choose(experiment(days=SPLIT), held, **asked)


def test_a_calibrated_threshold_is_the_same_quantile_on_every_day() -> None:
    """Counted from the highest: a day on which the signal is 0 more often lacks the low quantiles."""
    calibrated = '{"calibration_fraction": 0.2}'
    days = {
        "2026-02-02": day("2026-02-02", {"a": (10, 1.0)}, 0.01, 0.123, evaluation=calibrated),
        "2026-02-03": day("2026-02-03", {"a": (10, 2.0)}, 0.345, evaluation=calibrated),
        "2026-02-06": day("2026-02-06", {"a": (10, -1.0)}, 0.02, 0.03, 0.567, evaluation=calibrated),
    }
    chosen = choose(experiment(days=SPLIT, selection={"min_signals": 20}), days)
    assert [row["threshold"] for row in chosen.by_day] == [0.123, 0.345, 0.567]
    assert chosen.run["threshold"] == 0.345  # of the latest train day


def test_days_of_one_role_together() -> None:
    chosen = choose(experiment(days=SPLIT), DAYS)
    train, test = pool(chosen.by_day, "train"), pool(chosen.by_day, "test")
    assert (train.n_days, train.n_signals, train.net_total_pnl_ticks, train.days_in_profit) == (2, 40, 40.0, 2)
    assert train.net_mean_pnl_ticks == 1.0
    assert (train.timeout_rate, train.barrier_tp_rate) == (pytest.approx(0.3), pytest.approx(5 / 7))
    weights = np.array([day["n_signals"] for day in chosen.by_day if day["role"] == "train"]) / 40
    assert train.net_mean_low_ticks == pytest.approx(1.0 - 3.0 * np.sqrt((weights**2).sum()))
    assert train.net_mean_high_ticks == pytest.approx(1.0 + 4.0 * np.sqrt((weights**2).sum()))
    assert (test.net_mean_low_ticks, test.net_mean_high_ticks) == (-8.0, -1.0)
    assert train.n_effective == 20.0
    assert (test.n_days, test.net_mean_pnl_ticks, test.days_in_profit) == (1, -5.0, 0)
    assert pool(choose(experiment(), {"2026-02-02": DAYS["2026-02-02"]}).by_day, "test") is None


def test_days_together_have_the_p_of_their_pooled_mean() -> None:
    figures = {"a": (10, 1.0)}
    days = {
        f"2026-02-0{at}": day(f"2026-02-0{at}", figures, p_value=p) for at, p in enumerate((0.04, 0.1, np.nan, 0.3), 2)
    }
    found = pool(choose(experiment(selection={"min_signals": 1}), days).by_day, "train")
    assert found.p_value == pytest.approx(stats.combine_pvalues([0.04, 0.1, 0.3], "stouffer").pvalue, rel=1e-9)
    alone = pool(choose(experiment(), {"2026-02-02": days["2026-02-02"]}).by_day, "train")
    assert alone.p_value == pytest.approx(0.04, rel=1e-9)
    unknown = pool(choose(experiment(), {"2026-02-04": days["2026-02-04"]}).by_day, "train")
    assert np.isnan(unknown.p_value)


def test_a_good_day_of_few_trades_when_a_day_of_many_loses_is_no_edge() -> None:
    """Fisher's method asks whether any day is good: it gives p 0.001 here."""
    days = {
        "2026-02-02": day("2026-02-02", {"a": (20, 5.0)}, p_value=1e-4),
        "2026-02-03": day("2026-02-03", {"a": (300, -2.0)}, p_value=1.0),
    }
    found = pool(choose(experiment(), days).by_day, "train")
    assert found.net_mean_pnl_ticks == pytest.approx(-1.5625)
    assert found.p_value > 0.99
    assert verdict_of_test_days(found).endswith("that is no proof of an edge at 5 %.")
    assert "no proof" in verdict_of_test_days(found._replace(p_value=0.001))  # a loss is none, whatever p says


@pytest.mark.parametrize("seed", range(3))
def test_p_of_days_without_an_edge_is_as_often_small_as_it_says(seed: int) -> None:
    """Normal means of days of unequal size and spread, their own p-values, twice the standard error as interval."""
    rng = np.random.default_rng(seed)
    n, spread = rng.integers(5, 500, (4000, 4)).astype(float), rng.uniform(1, 9, (4000, 4))
    error = spread / np.sqrt(n)
    mean = rng.normal(0, error)
    p = np.array([pooled_p(n[k], mean[k], (mean - 2 * error)[k], stats.norm.sf(mean / error)[k]) for k in range(4000)])
    direct = stats.norm.sf((n * mean).sum(1) / np.sqrt(((n * error) ** 2).sum(1)))
    assert np.allclose(p, direct, atol=1e-6)
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_leaders_are_ranked_by_the_train_days_and_carry_what_the_test_days_said() -> None:
    found = leaders(experiment(days=SPLIT), DAYS, 5)
    assert [choice.meta["trial_id"] for choice in found] == ["a", "b"]  # c has too few trades to be chosen
    assert [pool(choice.by_day, "train").net_mean_pnl_ticks for choice in found] == [1.0, pytest.approx(-0.25)]
    assert [pool(choice.by_day, "test").net_mean_pnl_ticks for choice in found] == [-5.0, 50.0]
    assert leaders(experiment(days=SPLIT), DAYS, 1)[0] == choose(experiment(days=SPLIT), DAYS)
