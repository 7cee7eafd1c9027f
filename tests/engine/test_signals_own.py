"""Own signals: the one that docs/signals.md shows, exactly as it stands there; loading, reloading, and mistakes."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from evaluation_lake import CONFIG, SERVING, experiment, make_lake, same_tables
from signal_market import random_market

from vp_engine.errors import ConfigError, SignalError
from vp_engine.evaluation import evaluate, expand, run_id, workers
from vp_engine.schema import GRID_F32_NAMES, BinBlock
from vp_engine.signals import get_signal, list_signals, load_signals, loaded_files, make_signal, own, run_signal
from vp_engine.signals import registry as registry_module
from vp_engine.signals.features import band_sums

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"
WIDE = CONFIG.model_copy(update={"grid_radius_ticks": 30})


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """What a test loads is forgotten after it."""
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
    monkeypatch.setattr(own, "_files", {})
    modules = set(sys.modules)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith("vp_own_"):
            del sys.modules[name]


def code_of_the_page() -> str:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]


@pytest.fixture
def tilt(tmp_path) -> Path:
    file = tmp_path / "signals" / "tilt.py"
    file.parent.mkdir()
    file.write_text(code_of_the_page(), encoding="utf-8")
    return file


def depth_market(seed: int, n: int, mirrored: bool = False) -> BinBlock:
    """A market whose depth columns swap names in a mirror."""
    market = random_market(seed, n)
    rng = np.random.default_rng(seed)
    bid, ask = (rng.integers(0, 50, market.score.shape).astype(np.float32) for _ in range(2))
    if mirrored:
        market, bid, ask = market.mirrored(), ask[:, ::-1], bid[:, ::-1]
    return market._replace(columns={"bid_depth": bid, "ask_depth": ask}).block(WIDE)


def values(block: BinBlock, size: int = 10_000) -> np.ndarray:
    n = len(block.bins)
    signal = make_signal("tilt", {"window_bins": 40}, WIDE)
    return run_signal(signal, [block.part(first, min(first + size, n)) for first in range(0, n, size)])


def test_the_signal_of_the_page_has_thirty_lines():
    lines = [line for line in code_of_the_page().splitlines() if line.strip()]
    assert len(lines) <= 30


@pytest.mark.parametrize("named", [lambda file: file, lambda file: file.parent, lambda file: str(file)])
def test_the_signal_of_the_page_joins_the_others(tilt, named):
    assert "tilt" not in [info.name for info in list_signals()]
    assert load_signals([named(tilt)]) == ("tilt",)
    info = next(info for info in list_signals() if info.name == "tilt")
    assert info.columns == ("bid_depth", "ask_depth")
    assert info.params == {"reach_ticks": 5, "alpha": 0.2, "window_bins": 300}
    assert info.description == "Resting contracts near the touch, bid against ask."
    assert loaded_files() == (tilt,)
    with pytest.raises(ConfigError, match="did you mean `alpha`"):
        make_signal("tilt", {"alfa": 0.1}, WIDE)


def test_the_signal_of_the_page_keeps_the_rules(tilt):
    load_signals([tilt])
    block = depth_market(1, 150)
    whole = values(block)
    valid = block.bins["book_valid"] != 0
    assert np.count_nonzero(whole) > 80
    assert not whole[~valid].any()
    assert values(block, 1).tobytes() == values(block, 17).tobytes() == whole.tobytes()
    assert values(block.part(0, 90)).tobytes() == whole[:90].tobytes()
    np.testing.assert_array_equal(values(depth_market(1, 150, mirrored=True)), -whole)
    bid, ask = (block.field(name)[149].astype(float) for name in ("bid_depth", "ask_depth"))
    bins, tick = block.bins[149], WIDE.tick_int
    k_bid, k_ask = (
        (int(bins[f"best_{side}_price_int"]) - int(bins["spot_ref_price_int"])) // tick + 30 for side in ("bid", "ask")
    )
    assert band_sums(block, "bid_depth", 1, 5, WIDE)[0][149] == bid[k_bid - 4 : k_bid + 1].sum()
    assert band_sums(block, "ask_depth", 1, 5, WIDE)[1][149] == ask[k_ask : k_ask + 5].sum()
    assert set(get_signal("tilt").columns) < set(GRID_F32_NAMES)


def test_an_own_signal_is_swept_in_other_processes_too(tilt, tmp_path, monkeypatch):
    load_signals([tilt])
    _, dataset = make_lake(tmp_path / "lake")
    spec = experiment(signals=["tilt"], sweep={"per_signal": {"tilt": {"alpha": [0.1, 0.5]}}})
    trials = expand(spec, SERVING, CONFIG)
    assert len(trials) == 8
    alone = evaluate(dataset, trials, experiment=spec, serving=SERVING, max_workers=1)
    monkeypatch.setattr(workers, "is_learning", lambda group: True)  # what learns goes to processes
    together = evaluate(dataset, trials, experiment=spec, serving=SERVING, max_workers=2)
    assert same_tables(alone.runs, together.runs)
    assert same_tables(alone.runs_meta, together.runs_meta)


def test_an_edited_file_is_loaded_anew_and_gives_new_runs(tilt):
    load_signals([tilt])
    before = get_signal("tilt")
    spec = experiment(signals=["tilt"], sweep={})
    runs = {run_id(trial, "ab" * 32) for trial in expand(spec, SERVING, CONFIG)}
    load_signals([tilt.parent, tilt])
    assert get_signal("tilt") is before
    tilt.write_text(code_of_the_page() + "\n# as it was\n", encoding="utf-8")
    load_signals([tilt])
    assert get_signal("tilt") is not before
    assert get_signal("tilt").code_version != before.code_version
    assert not runs & {run_id(trial, "ab" * 32) for trial in expand(spec, SERVING, CONFIG)}
    tilt.write_text(code_of_the_page(), encoding="utf-8")
    load_signals([tilt])
    assert get_signal("tilt").code_version == before.code_version


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_library_at_all", r"fails: ModuleNotFoundError.*\(line 1 of bad.py\)"),
        ("def update(:", "fails: SyntaxError"),
        ("x = 1", "defines no signal"),
        (code_of_the_page().replace('"tilt"', '"ads"'), "signal `ads` is already"),
        (code_of_the_page().replace('"bid_depth", "ask', '"bid_dept", "ask'), "reads `bid_dept`"),
        (code_of_the_page().replace("default_thresholds", "thresholds"), "`default_thresholds`"),
        (code_of_the_page().replace('"tilt"', '"../tilt"'), "`name` must be lower-case"),
        (code_of_the_page() + "\nTiltSignal.kind = 7\n", "`kind` must be one of statistical, ml"),
        (code_of_the_page() + "\nTiltSignal.default_thresholds = 'x'\n", "`default_thresholds` must be a tuple"),
        (code_of_the_page() + "\nTiltSignal.Params = None\n", "`Params` must be a subclass"),
        ("raise SystemExit(0)", "fails: SystemExit"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(tmp_path, code, words):
    file = tmp_path / "bad.py"
    file.write_text(code, encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        load_signals([file])
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert loaded_files() == ()


def test_paths_that_lead_nowhere_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no file or folder"):
        load_signals([tmp_path / "nothing"])
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match="no Python file"):
        load_signals([tmp_path / "notes.txt"])
    (tmp_path / "_helper.py").write_text("raise RuntimeError")
    assert load_signals([tmp_path]) == ()


def test_installed_packages_offer_signals(tilt, monkeypatch):
    monkeypatch.syspath_prepend(tilt.parent)
    for target in ("tilt:TiltSignal", "tilt"):
        entry = EntryPoint("tilt", target, own.ENTRY_POINTS)
        monkeypatch.setattr(own, "entry_points", lambda group, entry=entry: [entry])
        assert load_signals() == ("tilt",)
        assert get_signal("tilt").code_version == "1"
    for target, words in (("tilt:np", "names no Signal class"), ("tilt:nothing", "fails: AttributeError")):
        entry = EntryPoint("odd", target, own.ENTRY_POINTS)
        monkeypatch.setattr(own, "entry_points", lambda group, entry=entry: [entry])
        with pytest.raises(ConfigError, match=f"spymaster.signals:odd.*{words}"):
            load_signals()
    del sys.modules["tilt"]


LATE = """
import numpy as np
from vp_engine.signals import Signal, SignalParams


class Late(Signal):
    name, columns, Params, default_thresholds = "late", (), SignalParams, (0.5,)

    def update(self, block, scores=None):
        out = np.zeros(len(block.bins))
        return {wrong} if block.bins["bin_seq"][-1] >= 4000 else out
"""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("out[:-1]", r"returns shape \(599,\) for the 600 bins from 3,600 on"),
        ("out + np.inf", r"gives inf at bin 3,600; a value is a finite number or NaN"),
        ("out.astype(np.float32)", r"returns float32 for bin 3,600 on"),
        ("out.tolist()", r"returns list for bin 3,600 on"),
    ],
)
def test_a_signal_that_goes_wrong_late_is_stopped_in_that_block(tmp_path, wrong, words):
    """A value that is missing would move all that follow."""
    file = tmp_path / "late.py"
    file.write_text(LATE.format(wrong=wrong))
    load_signals([file])
    block = depth_market(1, 4800)
    with pytest.raises(SignalError, match=rf"signal `late` \({file}, line 9\) {words}"):
        run_signal(make_signal("late", {}, WIDE), [block.part(first, first + 600) for first in range(0, 4800, 600)])


def test_a_file_that_is_imported_from_beside_is_part_of_the_signals_version(tilt):
    tilt.write_text(code_of_the_page().replace("import numpy", "from _gains_of_tilt import GAIN\nimport numpy", 1))
    helper = tilt.with_name("_gains_of_tilt.py")
    helper.write_text("GAIN = 1.0\n")
    versions = []
    for text in ("GAIN = 1.0\n", "GAIN = 1.0\n", "GAIN = 25.0\n"):
        helper.write_text(text)
        load_signals([tilt.parent])
        module = sys.modules[get_signal("tilt").__module__]
        versions.append((get_signal("tilt").code_version, module.GAIN))
    assert versions[0] == versions[1] != versions[2]
    assert versions[2][1] == 25.0
    assert str(tilt.parent) not in sys.path
