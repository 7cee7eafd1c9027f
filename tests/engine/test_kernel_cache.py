"""Compiled kernels on disk: compiled anew when anything they are made of changes, safe when processes start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vp_engine import kernel_cache
from vp_engine.kernel_cache import PACKAGE, kernel_folder, prune, reached, source_digest

# A user's own source with one kernel of many signatures: what a process says is what it computed.
OWN = '''
import sys
import numpy as np
from vp_engine.jit import kernel

@kernel
def total_nb(values, scale):
    """Sum of values (n,), times scale."""
    out = values[0] * 0
    for at in range(values.size):
        out += values[at] * scale
    return out

def main():
    for turn in sys.argv[1].split(","):
        values = np.arange(1, 6).astype(turn)
        print(turn, float(total_nb(values, np.dtype(turn).type(2))), len(total_nb.stats.cache_hits), flush=True)
'''
TYPES = ("f8", "f4", "i8", "u2")
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); import own; print('ready', flush=True); input(); own.main()"


def start(folder: Path, cache: Path, types: tuple[str, ...], *flags: str) -> subprocess.Popen[str]:
    """A process that waits for a line before it compiles or loads."""
    paths = {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(PACKAGE.parent)}
    environment = os.environ | paths | dict(flag.split("=") for flag in flags)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), ",".join(types)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> dict[str, float]:
    """What it computed by type."""
    out, err = process.communicate("go\n", timeout=120)
    assert process.returncode == 0, err
    return {line.split()[0]: float(line.split()[1]) for line in out.splitlines() if line != "ready"}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Folder with a source that uses the package."""
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def test_processes_that_start_at_once_share_a_fresh_cache(own: Path, tmp_path: Path) -> None:
    """Each compiles the signatures in another order, all at the same time; every answer is right, then and later."""
    cache = tmp_path / "cache"
    orders = [TYPES, TYPES[::-1], TYPES[2:] + TYPES[:2]]
    together = [start(own, cache, order) for order in orders]
    for process in together:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    expected = dict.fromkeys(TYPES, 30.0)
    assert [finish(process) for process in together] == [expected] * 3
    assert finish(start(own, cache, TYPES[1:])) == {name: 30.0 for name in TYPES[1:]}
    pieces = [path.name for path in (cache / "kernels" / "own.own").rglob("*.nbc")]
    assert len(pieces) >= len(TYPES)
    assert not [path for path in cache.rglob("*.tmp.*")]
    hits = start(own, cache, TYPES)
    out, _ = hits.communicate("go\n", timeout=120)
    assert int(out.split()[-1]) >= len(TYPES) - 1  # what the first three lost of the index the fourth made good
    assert out.count("30.0") == len(TYPES)


def test_checked_code_is_kept_apart(own: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    finish(start(own, cache, ("f8",)))
    finish(start(own, cache, ("f8",), "NUMBA_BOUNDSCHECK=1"))
    assert sorted(path.name for path in cache.iterdir()) == ["kernels", "kernels-checked"]


def package(folder: Path) -> Path:
    """A small package: `a` reaches `b` and, through it, `c`; `d` stands alone."""
    for name, text in {
        "a.py": "from vp_engine.b import (\n    one,\n)", "b.py": "import vp_engine.low.c as c", "d.py": "x = 1",
        "low/c.py": "y = 2", "low/e.py": "from vp_engine import a",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def forget() -> Iterator[Callable[[], None]]:
    """Sources and digests are remembered for a process; a test that changes sources forgets them."""

    def clear() -> None:
        kernel_cache._text.cache_clear()
        source_digest.cache_clear()

    yield clear
    clear()


def test_a_source_is_keyed_by_all_that_it_reaches(tmp_path: Path, forget: Callable[[], None]) -> None:
    root = package(tmp_path)
    assert reached(root / "a.py", root) == [root / "a.py", root / "b.py", root / "low" / "c.py"]
    before = {name: source_digest(root / name, root) for name in ("a.py", "b.py", "d.py")}
    (root / "low" / "c.py").write_text("y = 3")
    forget()
    after = {name: source_digest(root / name, root) for name in before}
    assert [name for name in before if before[name] != after[name]] == ["a.py", "b.py"]


def test_constants_of_other_files_count() -> None:
    """The bins' kernel has column numbers of the schema and units compiled into it."""
    names = {path.relative_to(PACKAGE).as_posix() for path in reached(PACKAGE / "spectrum" / "bins.py")}
    assert {"schema.py", "units.py", "book/order_book.py", "field/kinetics.py", "spectrum/rollup.py"} <= names
    assert not {name for name in names if name.startswith(("signals/", "lake/", "sample/", "evaluation/"))}


def test_a_folder_of_files_is_all_of_them(tmp_path: Path) -> None:
    root = package(tmp_path)
    (root / "f.py").write_text("from vp_engine.low import c")
    assert root / "low" / "e.py" in reached(root / "f.py", root)


def test_older_states_are_pruned(tmp_path: Path) -> None:
    states = [tmp_path / "field.kinetics" / f"{n:016x}" for n in range(6)]
    for n, state in enumerate(states):
        state.mkdir(parents=True)
        os.utime(state, (1_700_000_000 + n, 1_700_000_000 + n))
    other = tmp_path / "field.forces" / "0"
    other.mkdir(parents=True)
    prune(states[0], kept=3)
    assert sorted(path for path in states if path.exists()) == [states[0], states[4], states[5]]
    assert other.exists()


def test_every_kernel_of_the_engine_is_kept_in_its_own_folder() -> None:
    """And under a name that no other process gives."""
    from vp_engine.field.tick_engine import consume_nb

    source = PACKAGE / "field" / "tick_engine.py"
    assert Path(consume_nb._cache.cache_path) == kernel_folder(source)
    names = {consume_nb._cache._cache_file._data_name(1) for _ in range(3)}
    assert len(names) == 3
