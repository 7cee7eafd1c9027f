"""Damaged model files end a process of their own and nothing else, each in a line; sound ones are checked once."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ml_kit import QUICK, learn, ml_block

from tests.support.model_damage import DAMAGES, SIGNALS, forge, mutation
from vp_engine.errors import LakeError
from vp_engine.hashing import sha256_bytes
from vp_engine.lake import Lake
from vp_engine.lake.models import models_address, models_dir, open_models, writing_models
from vp_engine.signals.ml import Refit, model_check, model_probe
from vp_engine.signals.ml.model_check import ModelFile, is_known, why_refused

DATASET = "cd" * 32
# A booster of each library, and one of the four kinds that share a reader; the others are slow.
OFTEN = ("gbm_mf", "xgb_snap", "knn_cl")
# A process that decodes files as `models` does and predicts many rows with each.
USER = """
import os, sys
from vp_engine.signals.ml import model_probe, models
kind, out = getattr(models, sys.argv[1]), os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
for content in model_probe.files(sys.stdin.buffer):
    model = kind.decode(content)
    for seed in range(1, 20):
        model.predict(model_probe.sample_rows(model.n_features, seed))
    print("predicted", file=out, flush=True)
"""


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file has been checked yet, and a reader that spins is ended soon."""
    monkeypatch.setattr(model_check, "_reasons", {})
    monkeypatch.setattr(model_check, "CPU_SECONDS", 1.0)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files each process that checks was given."""
    counts: list[int] = []
    plain = model_check._check

    def counted(kind: str, files: list[ModelFile]) -> None:
        counts.append(len(files))
        plain(kind, files)

    monkeypatch.setattr(model_check, "_check", counted)
    return counts


@cache
def sound_model(kind: str) -> bytes:
    """A small model of a class of `models`, as its file has it."""
    return learn(SIGNALS[kind], ml_block(28))[1][0].model.encode()


def as_file(content: bytes) -> ModelFile:
    return ModelFile(sha256_bytes(content), content)


def reason_of(kind: str, content: bytes) -> str | None:
    file = as_file(content)
    return why_refused(kind, file.sha256, [file])


def used(kind: str, contents: list[bytes]) -> tuple[int, int]:
    """(exit code, files predicted with) of a process that decodes and uses these files without any check."""
    sent = b"".join(len(content).to_bytes(8, "big") + content for content in contents)
    run = subprocess.run([sys.executable, "-c", USER, kind], input=sent, capture_output=True, timeout=120)
    return run.returncode, run.stdout.decode().count("predicted")


def stored(lake: Lake, name: str, refits: list[Refit]) -> str:
    """Put models into the lake; their address."""
    address = models_address(name, QUICK[name], DATASET)
    assert address is not None
    with writing_models(lake, address, name, QUICK[name], DATASET) as (keep, _):
        for refit in refits:
            keep(refit)
    return address


@pytest.mark.parametrize("kind", SIGNALS)
def test_files_that_crash_or_hold_the_reader_are_refused_in_a_line_each(kind: str) -> None:
    reasons = {name: reason_of(kind, damage(sound_model(kind))) for name, damage in DAMAGES[kind].items()}
    assert None not in reasons.values(), reasons
    assert not [reason for reason in reasons.values() if "\n" in str(reason)]
    assert [reason for reason in reasons.values() if "its reader crashes (SIG" in str(reason)], reasons
    assert reason_of(kind, sound_model(kind)) is None
    spins = reasons["a child that is its own parent"]
    assert spins is not None
    assert "does not end within 1 s" in spins or "crashes" in spins


def test_a_reader_called_directly_takes_its_process_along() -> None:
    """Why there is a check at all; once no library does, it may go."""
    damage = DAMAGES["LightGbm"]["a child out of the tree"]
    assert used("LightGbm", [damage(sound_model("LightGbm"))])[0] == -signal.SIGSEGV


@pytest.mark.parametrize("name", [n if n in OFTEN else pytest.param(n, marks=pytest.mark.slow) for n in sorted(QUICK)])
def test_sound_models_of_every_kind_pass_and_are_checked_together_and_once(
    name: str, tmp_path: Path, checks: list[int]
) -> None:
    refits = learn(name, ml_block(30))[1]
    lake = Lake(tmp_path)
    address = stored(lake, name, refits)
    assert [open_models(lake, address, name).model(at).n_features for at in range(len(refits))]
    assert checks == []  # this process has fitted them itself
    model_check._reasons.clear()
    models = open_models(lake, address, name)
    rows = np.zeros((1, refits[0].model.n_features), np.float32)
    assert np.array_equal(models.model(0).predict(rows), refits[0].model.predict(rows))
    open_models(lake, address, name).model(len(refits) - 1)
    assert checks == [len(refits)]


@pytest.mark.parametrize("kind", SIGNALS)
def test_a_forged_file_is_told_when_its_time_comes_and_spoils_no_other(kind: str, tmp_path: Path) -> None:
    name, lake = SIGNALS[kind], Lake(tmp_path)
    refits = learn(name, ml_block(30))[1]
    address = stored(lake, name, refits)
    path = forge(lake, address, 1, DAMAGES[kind]["a child out of the tree"])
    model_check._reasons.clear()
    models = open_models(lake, address, name)
    assert models.model(0).n_features == refits[0].model.n_features
    for _ in range(2):
        with pytest.raises(LakeError) as caught:
            models.model(1)
        said = re.sub(r"\(SIG[A-Z]+\)", "(a signal)", str(caught.value))
        assert said == (
            f"{path}: not a model of `{name}`: its reader crashes (a signal); delete the folder and promote again"
        )
    assert models.model(2).n_features == refits[2].model.n_features


def test_bytes_that_are_not_those_of_the_manifest_are_not_even_checked(tmp_path: Path, checks: list[int]) -> None:
    lake = Lake(tmp_path)
    address = stored(lake, "gbm_mf", learn("gbm_mf", ml_block(30))[1])
    model_check._reasons.clear()
    folder = Path(str(lake.path(models_dir(address))))
    for path in folder.glob("refit_*"):
        path.write_bytes(path.read_bytes().replace(b"left_child=", b"left_child=9", 1))
    with pytest.raises(LakeError, match="differs from its manifest"):
        open_models(lake, address, "gbm_mf").model(0)
    assert checks == []


def test_a_file_is_known_by_its_digest_and_what_it_was_read_as() -> None:
    content = sound_model("LightGbm")
    assert reason_of("LightGbm", content) is None
    assert is_known("LightGbm", sha256_bytes(content))
    assert not is_known("XgBoost", sha256_bytes(content))
    assert "XGBoostError" in str(reason_of("XgBoost", content))
    assert reason_of("LightGbm", content + b"\n") is None
    assert is_known("LightGbm", sha256_bytes(content + b"\n"))


def test_a_check_that_cannot_be_made_says_so_and_condemns_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = sound_model("LightGbm")
    monkeypatch.setattr(model_probe, "__file__", "/nowhere/model_probe.py")
    with pytest.raises(LakeError, match=r"cannot check model files in a process of its own .*nowhere"):
        reason_of("LightGbm", content)
    monkeypatch.undo()
    assert reason_of("LightGbm", content) is None


@pytest.mark.parametrize("ended", ["SIGKILL", "SIGTERM"])
def test_a_check_that_is_killed_from_outside_condemns_no_file(
    ended: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = sound_model("LightGbm")
    probe = tmp_path / "killed.py"
    usual = "" if ended == "SIGKILL" else f"signal.signal(signal.{ended}, signal.SIG_DFL)\n"  # whatever is inherited
    probe.write_text(f"import os, signal\n{usual}print('ready', flush=True)\nos.kill(os.getpid(), signal.{ended})\n")
    monkeypatch.setattr(model_probe, "__file__", str(probe))
    with pytest.raises(LakeError, match=f"ended from outside .{ended}."):
        reason_of("LightGbm", content)
    assert not is_known("LightGbm", sha256_bytes(content))


@pytest.mark.slow
@pytest.mark.parametrize("kind", SIGNALS)
def test_of_120_mutations_none_that_passes_harms_its_user(kind: str) -> None:
    contents = [mutation(kind, sound_model(kind), seed) for seed in range(120)]

    def unknown(first: int) -> Iterator[ModelFile]:
        files = map(as_file, contents[first:])
        return (file for file in files if not is_known(kind, file.sha256))

    reasons = [why_refused(kind, sha256_bytes(content), unknown(at)) for at, content in enumerate(contents)]
    assert [reason for reason in reasons if reason is not None and "its reader" in reason]
    passed = [content for content, reason in zip(contents, reasons, strict=True) if reason is None]
    assert used(kind, passed) == (0, len(passed))
