"""The README followed word by word: each of its commands in order, in one lake, as a new user types them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
USERS_FILE = "glbx-mdp3-20260206.mbo.dbn.zst"
NEEDS_A_KEY = ("download", "live")  # tests/assets/arrivals and test_live.py follow them against a gateway of their own
PORT = 8793


def blocks() -> list[list[str]]:
    """Commands of each code block that holds some, without their comments."""
    found = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [[line.split("  #")[0].strip() for line in block.splitlines() if line.strip()] for block in found]
    return [block for block in lines if block[0].startswith(("make ", "vp "))]


def run(command: list[str], environ: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A new user's environment: the programs on the PATH, one lake."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VP_") and name != "DAGSTER_HOME"}
    programs = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{programs}{os.pathsep}{kept['PATH']}", "VP_LAKE_ROOT": str(tmp_path / "lake")}


def serves(environ: dict[str, str]) -> None:
    """`vp-serve` answers with a page; it is ended afterwards."""
    process = subprocess.Popen(["vp-serve", "--port", str(PORT)], cwd=ROOT, env=environ)
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
                    assert answer.status == 200
                    return
            except OSError:
                assert process.poll() is None
                time.sleep(0.2)
        raise AssertionError("vp-serve does not answer")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def test_readme_when_its_commands_are_typed_in_order_then_each_works(tmp_path: Path, environ: dict[str, str]) -> None:
    setup, week, own = blocks()
    assert [line.split()[:2] for line in setup] == [["make", "demo"], ["make", "test"]]
    run(["make", "demo", "SERVE=0", f"LAKE={environ['VP_LAKE_ROOT']}"], environ)
    raw = next((tmp_path / "lake" / "raw").rglob("*20260206*.dbn.zst"))
    file = tmp_path / USERS_FILE
    file.write_bytes(raw.read_bytes())
    for line in [*week, *own]:
        command = shlex.split(line.replace(USERS_FILE, str(file)))
        if command[0] == "vp-serve":
            serves(environ)
        elif command[1] not in NEEDS_A_KEY:
            run(command, environ)
