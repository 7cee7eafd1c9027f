"""One small world for all tests of the assets: a minute of synthetic market, its specs, and the chain run once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vp_assets import cli

PIPELINE = """
name: minute
description: One minute
capture: {product_type: future_mbo, symbol: MNQH6, dt: "2026-02-06", start_time: "09:30", end_time: "09:31"}
pipeline: {warmup_hours: 0.02}
"""
DAILY = """
name: every_day
capture: {product_type: future_mbo, symbol: MNQH6, dt: null, start_time: "09:30", end_time: "09:30:20"}
pipeline: {warmup_hours: 0.02}
"""
SERVING = """
name: minute_signal
pipeline: minute
signal: {name: derivative, params: {zscore_window_bins: 60, zscore_min_periods: 20}, threshold: null, cooldown_bins: 5}
"""
EXPERIMENT = """
name: minute_sweep
serving: minute_signal
eval: {tp_ticks: [2], sl_ticks: [2], max_hold_bins: 100, warmup_bins: 60, cooldown_bins: [5, 10], min_signals: 2}
sweep: {per_signal: {derivative: {d1_weight: [0.5, 1.0], d2_weight: [0.0, 0.5]}}}
selection: {sort: net_mean_pnl_ticks, min_signals: 2}
tracking: {backend: none}
"""
FOREIGN = """
name: other_contract
capture: {product_type: future_mbo, symbol: ESH4, dt: "2023-12-25", start_time: "18:00", end_time: "19:00"}
"""


class Said(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)


class World(NamedTuple):
    """A lake, its specs, and what the first run of the whole chain said."""

    root: Path
    lake: Path
    configs: Path
    sample: Any
    run: Any
    promoted: Any


Vp = Callable[..., Said]


def write_configs(folder: Path) -> Path:
    """The specs above, as files."""
    for kind, name, text in (
        ("pipelines", "minute", PIPELINE),
        ("pipelines", "every_day", DAILY),
        ("pipelines", "other_contract", FOREIGN),
        ("serving", "minute_signal", SERVING),
        ("experiments", "minute_sweep", EXPERIMENT),
    ):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{name}.yaml").write_text(text)
    return folder


def say(capsys: Any, *argv: str | Path) -> Said:
    """Run `vp` in this process."""
    capsys.readouterr()
    code = cli.run([str(part) for part in argv])
    out, err = capsys.readouterr()
    return Said(code, out, err)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine do not reach the tests."""
    for name in [
        name for name in os.environ if name.startswith("VP_") or name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI")
    ]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The chain from sample to promoted spec, run once through the command line."""
    import contextlib
    import io

    root = tmp_path_factory.mktemp("world")
    lake, configs = root / "lake", write_configs(root / "configs")

    def vp(*argv: str) -> Any:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = cli.run([*argv, "--lake-root", str(lake), "--config-dir", str(configs), "--json"])
        assert code == 0, argv
        return json.loads(out.getvalue())

    sample = vp("sample", "--start", "09:28", "--end", "09:32", "--events-per-s", "300")
    run = vp("run", "minute_sweep")
    promoted = vp("promote", "minute_sweep")
    return World(root, lake, configs, sample, run, promoted)


@pytest.fixture
def vp(world: World, capsys: pytest.CaptureFixture[str]) -> Vp:
    """`vp` over the world's lake and specs."""
    return lambda *argv: say(capsys, *argv, "--lake-root", world.lake, "--config-dir", world.configs)
