"""A learning signal of one's own: the one that docs/learning.md shows, exactly as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from ml_kit import CONFIG, ml_block, portions

from vp_engine.lake import Lake
from vp_engine.lake.models import models_address, open_models, writing_models
from vp_engine.signals import load_signals, make_signal, own, run_signal
from vp_engine.signals import registry as registry_module

PAGE = Path(__file__).parents[2] / "docs" / "learning.md"
QUICK = {"first_bins": 120, "refit_bins": 60, "label_ticks": 2, "label_hold_bins": 50}


@pytest.fixture(autouse=True)
def _drift(tmp_path, monkeypatch):
    """The page's signal, forgotten after the test."""
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
    monkeypatch.setattr(own, "_files", {})
    modules = set(sys.modules)
    (tmp_path / "drift.py").write_text(
        re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0], encoding="utf-8"
    )
    assert "drift" in load_signals([tmp_path / "drift.py"])
    yield
    for name in set(sys.modules) - modules:
        if name.startswith("vp_own_"):
            del sys.modules[name]


def test_it_trains_is_kept_and_streams(tmp_path):
    block = ml_block(41)
    lake = Lake(tmp_path / "lake")
    signal = make_signal("drift", QUICK, CONFIG)
    address = models_address("drift", QUICK, "ab" * 32)
    with writing_models(lake, address, "drift", QUICK, "ab" * 32) as (keep, _):
        signal.on_refit = keep
        trained = run_signal(signal, portions(block, 50))
    assert signal.n_refits == 4
    assert np.isfinite(trained).sum() > 150
    again = run_signal(make_signal("drift", QUICK, CONFIG), portions(block, 1))
    stored = run_signal(make_signal("drift", QUICK, CONFIG, open_models(lake, address, "drift")), portions(block, 7))
    assert again.tobytes() == stored.tobytes() == trained.tobytes()
