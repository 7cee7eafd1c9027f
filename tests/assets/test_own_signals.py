"""Own signals on the research road: VP_SIGNALS_PATH from the environment to list, sweep and promotion."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.assets.conftest import Said, Vp, World
from vp_assets.defs import writers
from vp_assets.research import promotion
from vp_assets.settings import load_settings
from vp_engine.evaluation import contracts
from vp_engine.signals import own
from vp_engine.signals import registry as registry_module

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"
EXPERIMENT = """
name: tilt_sweep
serving: minute_signal
signals: [tilt]
eval: {tp_ticks: [2], sl_ticks: [2], max_hold_bins: 100, warmup_bins: 60, cooldown_bins: [5], min_signals: 2}
sweep: {per_signal: {tilt: {alpha: [0.1, 0.5], window_bins: [60]}}}
selection: {sort: n_signals, min_signals: 2}
tracking: {backend: none}
"""


@pytest.fixture
def signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the signal of docs/signals.md, named in the environment."""
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
    monkeypatch.setattr(own, "_files", {})
    folder = tmp_path / "signals"
    folder.mkdir()
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    (folder / "tilt.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("VP_SIGNALS_PATH", str(folder))
    return folder


def test_paths_are_separated_as_in_path() -> None:
    text = os.pathsep.join(["/signals/a.py", "", "~/more", "here"])
    home = Path.home()
    assert load_settings(environ={"VP_SIGNALS_PATH": text}).signals_path == (
        Path("/signals/a.py"), home / "more", Path("here").absolute(),
    )  # fmt: skip
    assert load_settings(environ={}).signals_path == ()


def test_signals_are_listed_with_what_they_read_and_take(vp: Vp, signals: Path) -> None:
    listed = {entry["name"]: entry for entry in vp("list-signals", "--json").data}
    tilt = listed["tilt"]
    assert (tilt["kind"], tilt["columns"], tilt["default_thresholds"]) == (
        "statistical", ["bid_depth", "ask_depth"], [1.0, 2.0, 3.0],
    )  # fmt: skip
    assert listed["ads"]["params"]["slope_windows"] == [10, 25, 50]
    said = vp("list-signals").out
    for words in ("slope_windows [10, 25, 50]", "quantiles", "0.03 0.05", "state5_code", "ads_pfp_svac"):
        assert words in " ".join(said.split())


def test_an_own_signal_is_swept_promoted_and_compared(vp: Vp, signals: Path, tmp_path: Path) -> None:
    file = tmp_path / "tilt_sweep.yaml"
    file.write_text(EXPERIMENT)
    said = vp("run", file, "--json")
    assert said.code == 0, said.err
    assert {row["signal"] for row in said.data["best"]} == {"tilt"}
    rows = vp("compare", "--signal", "tilt", "--min-signals", "0", "--json").data
    assert {row["parameters"]["alpha"] for row in rows} == {0.1, 0.5}


def test_a_path_that_leads_nowhere_is_named_where_signals_are_and_stops_nothing(
    vp: Vp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VP_SIGNALS_PATH", "/no/such/folder")
    for command in (("list-signals",), ("compare",)):
        said = vp(*command)
        assert (said.code, said.err.count("\n")) == (0, 1)
        assert "/no/such/folder" in said.err
    assert vp("run", "minute_sweep").code == 0
    asked = vp("compare", "--signal", "tilt_of_nowhere")
    assert asked.code == 2
    assert "/no/such/folder" in asked.err


LOOKS_AHEAD = """
import numpy as np
from vp_engine.signals import Signal, SignalParams


class Peek(Signal):
    name, columns, Params, default_thresholds = "peek", (), SignalParams, (0.5,)

    def update(self, block, scores=None):
        mids = block.bins["mid_price"]
        return np.append(mids[50:], np.repeat(mids[-1], min(50, mids.size))) - mids
"""


@pytest.fixture
def peek(signals: Path) -> Path:
    """An own signal that reads the mid 50 bins ahead, and an experiment that sweeps it."""
    (signals / "peek.py").write_text(LOOKS_AHEAD)
    file = signals / "peek_sweep.yaml"
    file.write_text(
        EXPERIMENT.replace("tilt_sweep", "peek_sweep")
        .replace("[tilt]", "[peek]")
        .replace("{per_signal: {tilt: {alpha: [0.1, 0.5], window_bins: [60]}}}", "{}")
    )
    return file


def _assert_refused(said: Said, peek: Path) -> None:
    assert (said.code, said.err.count("\n")) == (2, 1), said.err
    assert f"signal `peek` ({peek.with_name('peek.py')}, line 9) looks ahead: bin 1,399 is " in said.err


def test_run_when_a_signal_looks_ahead_then_nothing_is_swept(vp: Vp, world: World, peek: Path) -> None:
    results = world.lake / "research/vp_harness/results/runs"
    before = sorted(results.iterdir())
    _assert_refused(vp("run", peek), peek)
    assert sorted(results.iterdir()) == before


def minute_id(world: World) -> str:
    """The dataset of the shared lake that is long enough; tests of other files may have made more."""
    return next(str(step["metadata"]["dataset_id"]) for step in world.run["steps"] if step["asset"] == "minute/bins")


def test_online_sim_when_a_signal_looks_ahead_then_ends_with_2(vp: Vp, world: World, peek: Path) -> None:
    _assert_refused(vp("online-sim", "--signal", "peek", "--dataset-id", minute_id(world)), peek)


def test_promote_when_a_signal_looks_ahead_then_nothing_is_promoted(
    vp: Vp, world: World, peek: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writers, "require_contract", lambda *_: None)  # as a sweep from before there was a check
        assert vp("run", peek).code == 0
    _assert_refused(vp("promote", peek), peek)
    assert not list((world.lake / "research/vp_harness/configs/serving").glob("peek_sweep*"))


def test_promote_again_when_the_signal_looks_ahead_then_the_stored_spec_is_not_taken_as_proof(
    vp: Vp, peek: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # swept and promoted before there was a check
        patch.setattr(writers, "require_contract", lambda *_: None)
        patch.setattr(promotion, "require_contract", lambda *_: ())
        for command in ("run", "promote"):
            said = vp(command, peek)
            assert said.code == 0, said.err
    for _ in range(2):
        _assert_refused(vp("promote", peek), peek)


def test_promote_again_when_the_signal_has_been_edited_then_it_is_refused(
    vp: Vp, signals: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tilt_sweep.yaml"
    file.write_text(EXPERIMENT.replace("tilt_sweep", "edited_sweep"))
    for command in ("run", "promote", "promote"):
        said = vp(command, file)
        assert said.code == 0, said.err
    source = signals / "tilt.py"
    source.write_text(source.read_text() + "\n# edited\n")
    said = vp("promote", file)
    assert (said.code, said.err.count("\n")) == (2, 1), said.err


def test_online_sim_when_a_late_value_depends_on_blocks_then_ends_with_2(
    vp: Vp, world: World, peek: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "require_contract", lambda *_: None)
    said = vp("online-sim", "--signal", "peek", "--bins", "300", "--dataset-id", minute_id(world))
    assert said.code == 2
    assert "depends on how its input is cut: bin 0 is 0.0 one at a time and " in said.err
