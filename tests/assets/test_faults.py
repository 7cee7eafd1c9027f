"""Whatever an asset, a signal or this project raises ends a command in one line; nothing hangs and nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from tests.assets.conftest import Vp, World
from vp_assets import cli, errors
from vp_assets.errors import user_line
from vp_engine.errors import DataError, causes
from vp_engine.signals import own
from vp_engine.signals import registry as registry_module
from vp_engine.signals.blame import own_signal_line

SIGNAL = """\
from typing import ClassVar

import numpy as np

from vp_engine.signals.base import Signal, SignalParams


class Broken(Signal):
    \"\"\"Raises what it is told to.\"\"\"

    name = "broken"
    columns = ("v_add",)
    Params: ClassVar[type[SignalParams]] = SignalParams
    default_thresholds = (0.5,)

    def update(self, block, scores=None):
        {statement}
"""
LINE = 17  # of the statement
EXPERIMENT = """
name: broken_sweep
serving: minute_signal
signals: [broken]
eval: {tp_ticks: [2], sl_ticks: [2], max_hold_bins: 100, warmup_bins: 60, cooldown_bins: [5], min_signals: 2}
tracking: {backend: none}
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an own signal lies that raises; a test writes it."""
    monkeypatch.setattr(registry_module, "_SIGNALS", dict(registry_module._SIGNALS))
    monkeypatch.setattr(own, "_files", {})
    monkeypatch.setenv("VP_SIGNALS_PATH", str(tmp_path / "broken.py"))
    (tmp_path / "broken_sweep.yaml").write_text(EXPERIMENT)
    return tmp_path / "broken.py"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("return {}['x']", "KeyError: 'x'"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("return self.update(block)", "RecursionError: maximum recursion depth exceeded"),
        ("open('/nowhere')", "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere'"),
    ],
)
def test_run_when_an_own_signal_raises_then_ends_in_one_line_with_its_file_and_line(
    vp: Vp, broken: Path, statement: str, words: str
) -> None:
    broken.write_text(SIGNAL.format(statement=statement))
    said = vp("run", broken.with_name("broken_sweep.yaml"))
    assert said.code == 2, said
    assert said.err.count("\n") == 1, said.err
    assert f"{broken}, line {LINE}" in said.err
    assert words in said.err


def test_causes_when_the_chain_is_a_cycle_then_each_is_given_once() -> None:
    first, second = KeyError("a"), ValueError("b")
    first.__cause__, second.__context__ = second, first
    assert list(causes(first)) == [first, second]
    assert list(causes(second)) == [second, first]


def test_user_line_when_a_known_error_is_deep_in_a_cycle_then_says_its_words() -> None:
    outer, inner = RuntimeError("step failed"), DataError("day.dbn: holds ESM4, not ESH4")
    outer.__cause__, inner.__context__ = inner, outer
    assert user_line(outer) == "day.dbn: holds ESM4, not ESH4"


def test_user_line_when_a_fault_comes_while_a_known_error_is_handled_then_names_the_log() -> None:
    try:
        try:
            raise DataError("the day is cut")
        except DataError:
            {}["a fault of the engine"]
    except KeyError as error:
        said = user_line(error)
    assert said.startswith("this is a fault of Spymaster (KeyError: 'a fault of the engine')"), said
    assert "the day is cut" in Path(said.rsplit(" is in ", 1)[1]).read_text()


def test_user_line_when_a_member_of_a_group_is_known_then_says_its_words() -> None:
    group = ExceptionGroup("several", [KeyError("x"), DataError("the day is cut")])
    assert user_line(group) == "the day is cut"


def test_user_line_when_the_project_itself_fails_then_names_a_log_with_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "_log_folder", tmp_path / "logs")
    try:
        {}["missing"]
    except KeyError as error:
        line = user_line(error)
    assert "\n" not in line
    assert "KeyError: 'missing'" in line
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in line
    assert "test_user_line_when_the_project_itself_fails" in log.read_text()


def test_user_line_when_the_log_cannot_be_written_then_still_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(errors, "_log_folder", tmp_path / "file" / "logs")
    monkeypatch.setattr(errors.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert "KeyError: 'x'" in user_line(KeyError("x"))


def test_own_signal_line_when_a_worker_raised_then_reads_the_place_from_its_traceback(broken: Path) -> None:
    broken.write_text(SIGNAL.format(statement="return {}['x']"))
    own.load_signals([broken])

    class _RemoteTraceback(Exception):
        """As concurrent.futures has it."""

    error = KeyError("x")
    error.__cause__ = _RemoteTraceback(f"Traceback\n  File \"{broken}\", line {LINE}, in update\nKeyError: 'x'")
    line = own_signal_line(error)
    assert line is not None
    assert re.search(rf"{re.escape(str(broken))}, line {LINE}: ", line)


def test_run_when_the_engine_fails_then_leaves_a_log_in_the_lake(
    vp: Vp, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise AssertionError("never so")

    monkeypatch.setattr("vp_engine.lake.results.ResultsDB.query_runs", fails)
    said = vp("compare")
    assert (said.code, said.err.count("\n")) == (2, 1), said
    log = Path(re.search(r"its traceback is in (\S+)", said.err)[1])  # type: ignore[index]
    assert log.parent == world.lake / "logs"
    assert "never so" in log.read_text()


def test_run_when_a_signal_ends_it_then_one_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Dagster turns Ctrl-C and SIGTERM during a run into an exception of its own."""

    def interrupted(**_: object) -> None:
        raise dg.DagsterExecutionInterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "app", interrupted)
        assert cli.run(["run", "x"]) == 130
    assert capsys.readouterr().err == "vp: interrupted\n"
