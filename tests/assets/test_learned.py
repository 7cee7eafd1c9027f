"""A learning signal's winner: promoted with its models, which repeat what the sweep judged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.assets.conftest import World, say
from vp_assets.research.promotion import differences, read_promoted, replay
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.errors import LakeError
from vp_engine.lake import Lake
from vp_engine.lake.models import models_dir

EXPERIMENT = """
name: minute_ml
serving: minute_signal
signals: [svm_sp, gbm_mf]
eval: {tp_ticks: [2, 3], sl_ticks: [2], max_hold_bins: 60, warmup_bins: 60, cooldown_bins: [5], min_signals: 2}
sweep:
  per_signal:
    svm_sp: {first_bins: [150], refit_bins: [100]}
    gbm_mf: {first_bins: [150], refit_bins: [200], rounds: [5]}
selection: {sort: n_signals, min_signals: 2}
parallel: {max_workers: 1}
tracking: {backend: none}
"""


@pytest.fixture(scope="module")
def learned(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(lake, configs): the world's, with one more experiment."""
    root = tmp_path_factory.mktemp("learned")
    shutil.copytree(world.lake, root / "lake")
    shutil.copytree(world.configs, root / "configs")
    (root / "configs" / "experiments" / "minute_ml.yaml").write_text(EXPERIMENT)
    return root / "lake", root / "configs"


def test_run_promote_replay(learned: tuple[Path, Path], capsys: Any) -> None:
    lake, configs = learned
    where = ("--lake-root", str(lake), "--config-dir", str(configs), "--json")
    run = say(capsys, "run", "minute_ml", *where)
    assert run.code == 0, run.err
    said = say(capsys, "promote", "minute_ml", *where)
    assert said.code == 0, said.err
    chain = Chain(load_settings(lake, configs, environ={}))
    path = lake / "research" / "vp_harness" / "configs" / "serving" / f"{said.data['serving']}.yaml"
    spec = read_promoted(path)
    assert spec.promoted is not None
    assert spec.promoted.models is not None
    assert spec.signal is not None
    assert (spec.signal.params["label_ticks"], spec.signal.params["label_hold_bins"]) == (2.0, 60)
    folder = lake / models_dir(spec.promoted.models)
    assert Lake(lake).read_json(folder / "manifest.json")["signal"] == spec.signal.name
    figures = replay(Lake(lake), chain.specs, spec)
    assert figures["n_signals"][0] > 0
    assert differences(figures) == []

    again = say(capsys, "promote", "minute_ml", *where)
    assert again.data["steps"][-1]["store_hit"]
    shutil.rmtree(folder)
    third = say(capsys, "promote", "minute_ml", *where)
    assert third.code == 0, third.err
    assert not third.data["steps"][-1]["store_hit"]
    assert (folder / "manifest.json").is_file()

    damaged = next(folder.glob("refit_*"))
    damaged.write_bytes(damaged.read_bytes() + b" ")
    with pytest.raises(LakeError, match="differs from its manifest"):
        replay(Lake(lake), chain.specs, spec)
