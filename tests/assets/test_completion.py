"""Shell completion knows the commands and their options; every command explains itself and speaks JSON."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

from tests.assets.conftest import say
from vp_assets.cli import app

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def completed(words: str) -> list[str]:
    """What the shell offers after these words."""
    variables = {"_VP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "vp_assets.cli"], env={**os.environ, **variables}, capture_output=True, text=True
    )
    return done.stdout.split()


def test_the_shell_completes_commands_and_options() -> None:
    assert sorted(completed("vp list-")) == [name for name in COMMANDS if name.startswith("list-")]
    assert "--lake-root" in completed("vp sql --la")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "bench"])  # it touches no lake
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, name, "--help")
    assert said.code == 0
    assert "--json" in said.out
    assert "--lake-root" in said.out
    assert not said.err
