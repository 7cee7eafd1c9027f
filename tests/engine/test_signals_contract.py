"""The contract of a signal: one signal for each way to break it is refused in words, honest ones pass."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pytest
from evaluation_lake import SERVING, experiment, make_dataset, make_lake

from vp_engine.errors import SignalError
from vp_engine.evaluation import expand
from vp_engine.evaluation.contracts import Asked, asked_by, bins_needed, require_contract, stretch
from vp_engine.lake import Lake
from vp_engine.schema import BinBlock
from vp_engine.signals import (
    Signal,
    SignalParams,
    first_run,
    get_signal,
    list_signals,
    load_signals,
    own,
    register_signal,
)
from vp_engine.signals import contract as contract_module
from vp_engine.signals import registry as registry_module
from vp_engine.signals.check_market import check_market
from vp_engine.signals.contract import Subject, check_contract
from vp_engine.signals.registry import make_signal
from vp_engine.specs import build_config_with_overrides, load_instrument

CONFIG = build_config_with_overrides(load_instrument(), {"grid_radius_ticks": 12})
MARKET = check_market(contract_module.CHECK_BINS, CONFIG)
_REMEMBERED: dict[int, float] = {}
_TOTAL = [0.0]


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
    monkeypatch.setattr(own, "_files", {})
    _REMEMBERED.clear()
    _TOTAL[0] = 0.0


class _Params(SignalParams):
    ahead_bins: int = 0


class Toy(Signal):
    """Change of the mid since the bin before, an honest signal that the others spoil."""

    name, columns, Params = "toy", ("pressure_variant",), _Params
    default_thresholds = (0.25,)

    def __init__(self, params: Any, config: Any) -> None:
        super().__init__(params, config)
        self.last = 0.0

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        mids = block.bins["mid_price"]
        values = np.diff(mids, prepend=self.last)
        self.last = float(mids[-1])
        return values


class Shifted(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        mids = block.bins["mid_price"]
        return np.append(mids[50:], np.repeat(mids[-1], min(50, mids.size))) - mids


class ShiftedByParameter(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        mids, ahead = block.bins["mid_price"], self.params.ahead_bins
        return np.append(mids[ahead:], np.repeat(mids[-1], min(ahead, mids.size))) - mids


class Standardised(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        values = super().update(block)
        return (values - values.mean()) / (values.std() + 1e-9)


class Remembering(Toy):
    """Looks up a later bin in what an earlier run has left."""

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        seq, mids = block.bins["bin_seq"].tolist(), block.bins["mid_price"].tolist()
        values = np.array([_REMEMBERED.get(at + 50, mid) - mid for at, mid in zip(seq, mids, strict=True)])
        _REMEMBERED.update(zip(seq, mids, strict=True))
        return values


class OfTheClass(Toy):
    seen: list[float] = []  # noqa: RUF012

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        self.seen.extend(block.bins["mid_price"].tolist())
        return super().update(block) + len(self.seen)


class ResetByEach(Toy):
    """Two runs one after the other are alike; two at the same time share a global."""

    def __init__(self, params: Any, config: Any) -> None:
        super().__init__(params, config)
        _TOTAL[0] = 0.0

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        sums = _TOTAL[0] + np.cumsum(super().update(block))
        _TOTAL[0] = float(sums[-1])
        return sums


class Random(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block) + np.random.default_rng().normal(size=len(block.bins))


class Timed(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block) + time.gmtime(time.time()).tm_mon


class Writing(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        values = super().update(block)
        block.field("pressure_variant")[:] *= 2
        return values


class WritingBins(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        values = super().update(block)
        block.bins["mid_price"][-1] += 1
        return values


class Overwriting(Toy):
    def __init__(self, params: Any, config: Any) -> None:
        super().__init__(params, config)
        self.out = np.zeros(5000)

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        self.out[: len(block.bins)] = super().update(block)
        return self.out[: len(block.bins)]


class Undeclared(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block) + block.field("v_add")[:, 3]


class UndeclaredLate(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        late = block.bins["bin_seq"] > 2000
        return super().update(block) + (block.field("v_add")[:, 3] if late.any() else 0) * late


class UndeclaredByIndex(Toy):
    """Goes round `field`."""

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        late = block.bins["bin_seq"] > 2000
        return super().update(block) + block.grid[4, :, 3] * late


class UndeclaredState(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block) + block.state5[:, 0]


class Short(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block)[1:]


class Column(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block)[:, None]


class Objects(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return super().update(block).astype(object)


class Listed(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> Any:
        return super().update(block).tolist()


class Infinite(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        values = super().update(block)
        values[block.bins["bin_seq"] == 1234] = np.inf
        return values


class Silent(Toy):
    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        return np.full(len(block.bins), np.nan)


class TooFew(Toy):
    """Only in blocks of one bin does it go wrong."""

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        values = super().update(block)
        return values if len(values) > 1 else values[:0]


BROKEN = [
    (Shifted, r"looks ahead: bin 1,\d+ is \S+ with the bins that follow and \S+ with the bins from 1,449 on dropped"),
    (Standardised, "looks ahead"),
    (Remembering, "is not the same each time.*keep state in the instance"),
    (OfTheClass, "is not the same each time"),
    (ResetByEach, "shares memory between instances"),
    (Random, "is not the same each time.*seed what is random"),
    (Timed, "is not the same each time.*do not read the clock"),
    (Writing, "writes to its input: `grid` of the block that begins at bin 0"),
    (WritingBins, "writes to its input: `bins`"),
    (Overwriting, "returns an array that it writes to later"),
    (Undeclared, "reads column `v_add`, which its `columns` do not declare"),
    (UndeclaredLate, "reads column `v_add`, which its `columns` do not declare"),
    (UndeclaredByIndex, r"reads column `fill_mass`, which its `columns` do not declare: bin 2,\d+ is"),
    (UndeclaredState, "reads column `state5_code`"),
    (Short, r"returns shape \(599,\) for the 600 bins from 0 on"),
    (Column, r"returns shape \(600, 1\)"),
    (Objects, "returns object .* float64 is needed"),
    (Listed, "returns list .* float64 is needed"),
    (Infinite, "gives inf at bin 1,234"),
    (Silent, "gives no number: all 3,000 bins are NaN"),
    (TooFew, r"returns shape \(0,\) for the 1 bins"),
]


@pytest.mark.parametrize(("kind", "words"), BROKEN, ids=[kind.__name__ for kind, _ in BROKEN])
def test_a_signal_that_breaks_the_contract_is_refused_with_file_line_bin_and_values(kind, words):
    register_signal(kind)
    with pytest.raises(SignalError, match=words) as caught:
        check_contract(Subject("toy", {}, CONFIG, MARKET))
    said = str(caught.value)
    assert "\n" not in said
    assert re.match(rf"signal `toy` \({re.escape(__file__)}, line \d+\) ", said)


def test_an_honest_signal_passes_and_fires():
    register_signal(Toy)
    assert check_contract(Subject("toy", {}, CONFIG, MARKET)) > 100


LEARNING = {"max_iterations": 20, "label_ticks": 2}


def test_a_learning_signal_whose_features_look_ahead_is_refused():
    class Ahead(get_signal("svm_sp")):
        name = "svm_ahead"

        def features(self, view):
            return [np.roll(column, -5, axis=0) for column in super().features(view)]

    register_signal(Ahead)
    with pytest.raises(SignalError, match=r"signal `svm_ahead` \(.*line \d+\) looks ahead: bin 1,4\d\d is"):
        check_contract(Subject("svm_ahead", LEARNING, CONFIG, MARKET))


def test_a_learning_signal_whose_labels_are_of_later_prices_is_refused():
    class Told(get_signal("svm_sp")):
        """Learns the sign of the next move of the mid, from the block it is given."""

        name = "svm_told"

        def update(self, block, scores=None):
            self.moves = np.sign(np.diff(block.bins["mid_price"], append=0.0))
            return super().update(block, scores)

        def fit(self, rows, labels, step):
            return super().fit(rows, np.where(np.resize(self.moves, len(rows)) > 0, 1, -1).astype(np.int8), step)

    register_signal(Told)
    with pytest.raises(SignalError, match=r"looks ahead|depends on how its input is cut"):
        check_contract(Subject("svm_told", LEARNING, CONFIG, MARKET))


def test_a_learning_signal_is_checked_over_several_fits():
    params = contract_module.short_schedule(get_signal("gbm_mf"), {"rounds": 200})
    assert (params["first_bins"], params["refit_bins"], params["rounds"]) == (900, 600, 40)
    assert contract_module.short_schedule(get_signal("pca_ad"), {})["refit_bins"] == 100  # shorter than that already


def test_the_clock_runs_on_after_a_check():
    register_signal(Timed)
    before = time.time
    with pytest.raises(SignalError):
        check_contract(Subject("toy", {}, CONFIG, MARKET))
    assert time.time is before
    assert abs(time.time() - before()) < 5


@pytest.mark.parametrize("name", [info.name for info in list_signals() if info.kind == "statistical"])
def test_every_shipped_statistical_signal_keeps_the_contract(name):
    assert check_contract(Subject(name, {}, CONFIG, MARKET)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [info.name for info in list_signals() if info.kind == "ml"])
def test_every_shipped_learning_signal_keeps_the_contract(name):
    config = build_config_with_overrides(load_instrument(), {})
    assert check_contract(Subject(name, {}, config, check_market(contract_module.CHECK_BINS, config))) > 0


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A lake and its dataset of 3,000 bins."""
    return make_lake(tmp_path_factory.mktemp("contract") / "lake")


@pytest.fixture
def checks(monkeypatch):
    """Checks that are really run, as (bins, whole)."""
    from vp_engine.evaluation import contracts

    run, real = [], check_contract

    def counted(subject, thresholds, whole):
        run.append((dict(subject.params), whole))
        return real(subject, thresholds, whole)

    monkeypatch.setattr(contracts, "check_contract", counted)
    return run


def test_a_proof_is_kept_in_the_lake_and_costs_nothing_again(house, checks):
    lake, dataset = house
    trials = expand(experiment(), SERVING, dataset.config)
    require_contract(lake, dataset, asked_by(trials))
    assert len(checks) == 1  # a shipped signal: its first trial's parameters
    require_contract(lake, dataset, asked_by(trials[::-1]))
    assert len(checks) == 1


def test_an_own_signal_is_checked_by_its_defaults_its_first_trial_and_shortly_by_every_other(house, checks):
    lake, dataset = house
    register_signal(ShiftedByParameter)
    asked = [Asked("toy", {"ahead_bins": 0}, {}), Asked("toy", {"ahead_bins": 3}, {})]
    ShiftedByParameter.default_thresholds = (0.0,)
    with pytest.raises(SignalError, match="looks ahead"):
        require_contract(lake, dataset, asked)
    assert [(params["ahead_bins"], whole) for params, whole in checks][-1] == (3, False)


def test_a_signal_with_another_source_is_checked_anew(house, checks, tmp_path):
    lake, dataset = house
    file = tmp_path / "mine.py"
    code = """
import numpy as np
from vp_engine.signals import Signal, SignalParams
class Mine(Signal):
    name, columns, Params, default_thresholds = "mine", (), SignalParams, (1.0,)
    def update(self, block, scores=None):
        return block.bins["best_bid_price_int"] * 1e-9
"""
    for text, n_runs in ((code, 2), (code, 0), (code.replace("1e-9", "2e-9"), 2)):
        file.write_text(text)
        load_signals([file])
        checks.clear()
        require_contract(lake, dataset, [Asked("mine", {}, {})])
        assert len(checks) == n_runs  # on the made-up market and on the dataset
    file.write_text(code.replace('"] * 1e-9', '"][::-1] * 1e-9'))
    load_signals([file])
    with pytest.raises(SignalError, match=rf"signal `mine` \({file}, line 6\) looks ahead"):
        require_contract(lake, dataset, [Asked("mine", {}, {})])


class AheadWhenItFires(Toy):
    """Silent on the made-up market and until late on a dataset, then right about what follows in its block."""

    name = "ahead_late"

    def update(self, block: BinBlock, scores: Any = None) -> np.ndarray:
        """Zeros, then changes to the end of the block."""
        bids = block.bins["best_bid_price_int"] * 1e-9
        return np.where(block.bins["bin_seq"] >= 7_000, bids[-1] - bids, 0.0)


def test_a_signal_that_looks_ahead_only_where_it_fires_is_caught_at_its_first_firing(tmp_path):
    lake = Lake(tmp_path / "lake")
    dataset = make_dataset(lake, end_time="09:45")
    register_signal(AheadWhenItFires)
    with pytest.raises(SignalError, match=r"looks ahead: bin 7,\d\d\d is"):
        require_contract(lake, dataset, [Asked("ahead_late", {}, {})])


def test_a_signal_that_fires_nowhere_is_named_until_it_has_fired(tmp_path):
    lake, dataset = make_lake(tmp_path / "lake")
    register_signal(Toy)
    assert require_contract(lake, dataset, [Asked("toy", {}, {}, (1e9,))]) == ("toy",)
    assert require_contract(lake, dataset, [Asked("toy", {}, {}, (0.25,))]) == ()


def test_a_signal_that_fires_nowhere_is_checked_again_the_next_time(house, checks):
    lake, dataset = house
    register_signal(Toy)
    for _ in range(2):
        require_contract(lake, dataset, [Asked("toy", {}, {}, (1e9,))])
    assert len(checks) == 4


def test_a_signal_that_is_silent_for_long_is_checked_on_more_bins(house):
    _, dataset = house

    class Late(Toy):
        needed_bins = 4000

    register_signal(Late)
    assert bins_needed(Asked("toy", {}, {}), dataset.config) == 9_000
    whole = np.concatenate([block.bins for block in dataset.blocks()])
    np.testing.assert_array_equal(stretch(dataset, 0, 1500).bins, whole[:1500])
    np.testing.assert_array_equal(stretch(dataset, 1700, 900).bins, whole[1700:2600])


ENDS = [
    ("os._exit(0)", r"ends the process that runs it \(exit code 0\)"),
    ("sys.exit()", r"asks the process to end \(SystemExit: None\) in the block that begins at bin 0"),
    ("raise KeyboardInterrupt", r"ends the process that runs it \(KeyboardInterrupt\)"),
    ("os.abort()", r"ends the process that runs it \(SIGABRT\)"),
    ("while True: pass", r"does not end within 8 s on 3,000 bins"),
]


@pytest.mark.parametrize(("line", "words"), ENDS, ids=[line for line, _ in ENDS])
def test_a_signal_that_ends_its_process_or_never_returns_is_refused_in_one_line(
    house, tmp_path, monkeypatch, line, words
):
    lake, dataset = house
    monkeypatch.setattr(first_run, "WALL_SECONDS", 8.0 if "while" in line else 120.0)
    file = tmp_path / "ending.py"
    file.write_text(f"""
import os, sys
from vp_engine.signals import Signal, SignalParams
class Ending(Signal):
    name, columns, Params, default_thresholds = "ending", (), SignalParams, (1.0,)
    def update(self, block, scores=None):
        print("said by the signal")
        {line}
""")
    load_signals([file])
    with pytest.raises(SignalError, match=rf"signal `ending` \({re.escape(str(file))}, line [68]\) {words}") as caught:
        require_contract(lake, dataset, [Asked("ending", {}, {})])
    assert "\n" not in str(caught.value)


def test_a_signal_that_exits_late_in_a_sweep_is_an_error_that_names_file_line_and_bin(tmp_path):
    file = tmp_path / "late_exit.py"
    file.write_text("""
import sys
from vp_engine.signals import Signal, SignalParams
class LateExit(Signal):
    name, columns, Params, default_thresholds = "late_exit", (), SignalParams, (1.0,)
    def update(self, block, scores=None):
        sys.exit()
""")
    load_signals([file])
    with pytest.raises(SignalError, match=rf"`late_exit` \({re.escape(str(file))}, line 7\) asks .* at bin 1,200;"):
        make_signal("late_exit", {}, CONFIG).update(MARKET.part(1200, 1800))
