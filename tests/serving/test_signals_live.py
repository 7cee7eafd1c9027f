"""Every statistical signal streamed: the values on the wire are the offline ones, bit for bit. Own signals too."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_house import House
from structlog.testing import capture_logs
from wire_client import Server, serving

from vp_engine.evaluation import Detector, Trial
from vp_engine.evaluation.sweep import signal_values, sweep_input
from vp_engine.evaluation.trials import Evaluation
from vp_engine.lake import open_dataset
from vp_engine.signals import get_signal, list_signals, own
from vp_engine.signals import registry as registry_module
from vp_engine.specs import SpecBook, load_instrument
from vp_engine.specs.runtime import SCORING_FIELDS
from vp_serving.server.cli import settings_from
from vp_serving.server.service import Service

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"
PARAMS = {
    "ads": "slope_windows: [5, 10, 20], zscore_window_bins: 60",
    "ads_pfp_svac": "zscore_window_ms: 6000, warmup_ms: 3000",
    "erd": "entropy_window_bins: 60",
    "jad": "zscore_window_bins: 60",
    "tilt": "window_bins: 60",
}
STATISTICAL = [info.name for info in list_signals() if info.kind == "statistical"]
THRESHOLDS = {"iirc": 0.001, "msd": 20.0, "pfp": 0.05, "spg": 0.5, "tilt": 0.5}
ANY_EVALUATION = Evaluation(
    tp_ticks=8, sl_ticks=4, max_hold_bins=100, warmup_bins=0, cooldown_bins=0, entry_delay_bins=1,
    fill="mid", fee_ticks=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the signal of docs/signals.md; what is loaded from it is forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
        patch.setattr(own, "_files", {})
        folder = tmp_path_factory.mktemp("signals")
        code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
        (folder / "tilt.py").write_text(code, encoding="utf-8")
        yield folder


@pytest.fixture(scope="module")
def configs(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small house's specs, and one serving spec per signal."""
    folder = tmp_path_factory.mktemp("configs")
    shutil.copytree(house.configs, folder, dirs_exist_ok=True)
    for name in [*STATISTICAL, "tilt"]:
        threshold = THRESHOLDS.get(name, 0.05)
        (folder / "serving" / f"live_{name}.yaml").write_text(
            f"name: live_{name}\npipeline: short\nscoring: {{zscore_window_bins: 120, zscore_min_periods: 30}}\n"
            f"signal: {{name: {name}, params: {{{PARAMS.get(name, '')}}}, threshold: {threshold}, cooldown_bins: 5}}\n"
        )
    return folder


@pytest.fixture(scope="module")
def live(house: House, configs: Path, signals: Path) -> Iterator[Server]:
    with serving(house.settings({"VP_CONFIG_DIR": str(configs), "VP_SIGNALS_PATH": str(signals)})) as running:
        yield running


@pytest.mark.parametrize("name", [*STATISTICAL, "tilt"])
def test_live_values_are_the_offline_ones(live: Server, house: House, configs: Path, name: str) -> None:
    stream = live.stream(f"serving=live_{name}&speed=0")
    assert stream.last is not None
    assert stream.last["reason"] == "complete"
    sent = [update["signal"] for update in stream.updates]
    dataset = open_dataset(house.lake, house.dataset_id)
    specs = SpecBook.load(configs, None, load_instrument())
    signal, config = specs.serving[f"live_{name}"].signal, specs.serving_config(f"live_{name}")
    assert signal is not None
    scoring = {field: getattr(config, field) for field in SCORING_FIELDS} if get_signal(name).reads_scores else {}
    trial = Trial(name, signal.params, scoring, (signal.threshold,), ANY_EVALUATION)
    values = signal_values(sweep_input(dataset, [name]), trial)
    assert np.array([item["value"] for item in sent]).tobytes() == values.tobytes()
    assert np.count_nonzero(values) > 50
    detector = Detector(signal.threshold, 5, 300)
    fired = detector.update(values, np.ascontiguousarray(dataset.bins["book_valid"]), np.arange(len(values)))
    assert [item["fired"] for item in sent] == fired.tolist()
    assert fired.any()


def test_own_signals_are_listed(live: Server) -> None:
    listed = {entry["name"]: entry for entry in live.get("/v1/signals").json()["signals"]}
    assert set(STATISTICAL) < set(listed)
    assert listed["tilt"]["columns"] == ["bid_depth", "ask_depth"]
    assert listed["tilt"]["default_thresholds"] == [1.0, 2.0, 3.0]


def test_own_signals_that_are_not_there_are_logged_and_the_service_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VP_SIGNALS_PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(registry_module, "_left_out", [])
    with capture_logs() as logged:
        Service(settings_from([])).close()
    assert [str(tmp_path / "nowhere") in entry["reason"] for entry in logged] == [True]


def test_a_promoted_spec_whose_signal_has_changed_since_is_not_streamed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(house.settings())
    spec = service.catalog.specs().serving[house.promoted]
    assert spec.promoted is not None
    assert spec.signal is not None
    kind = get_signal(spec.signal.name)
    assert spec.promoted.signal_version == kind.code_version
    assert service.serving_reason(spec) is None
    monkeypatch.setattr(kind, "code_version", "1.0a1b2c3d")
    reason = service.serving_reason(spec)
    assert reason is not None
    assert f"has changed since `{house.promoted}` was judged" in reason
    assert "is 1.0a1b2c3d; run and promote the experiment again" in reason
    assert service.run_reason(spec.promoted.run_id) is not None
    service.close()
