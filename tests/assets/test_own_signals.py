"""Own signals on the research road: VP_SIGNALS_PATH from the environment to list, sweep and promotion."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.assets.conftest import Vp
from vp_assets.settings import load_settings
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
