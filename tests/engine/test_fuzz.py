"""Never a crash, a hang, a negative depth or a number that is not finite; always a typed error with the record's index.

Hypothesis runs here, atheris in processes of its own for a few seconds (`python -m tests.engine.fuzz_dbn` for longer).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dbn_kit as kit
import fuzz_dbn
import numpy as np
import pytest
import streams
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_engine.errors import DataError
from vp_engine.feed import MBO_DTYPE, DbnFile

ROOT = Path(__file__).parents[2]
SECONDS = 6
FILES = fuzz_dbn.seeds("reader")
RECORDS = streams.play(streams.random_moves(3, 40)).records


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to be written again and again."""
    return tmp_path_factory.mktemp("fuzz") / "input.dbn"


@settings(max_examples=120, deadline=None)
@given(data=st.binary(max_size=600))
def test_any_bytes(path: Path, data: bytes) -> None:
    fuzz_dbn.check_reader(data, path)
    fuzz_dbn.check_reader(b"DBN\x03" + data, path)


@settings(max_examples=200, deadline=None)
@given(
    data=st.sampled_from(FILES),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    cut=st.floats(0, 1),
    packed=st.booleans(),
)
def test_a_damaged_file(path: Path, data: bytes, places: list[tuple[float, int]], cut: float, packed: bool) -> None:
    """Bytes overwritten, the end lost, and the damage packed into sound zstd."""
    made = bytearray(data)
    for at, value in places:
        if made:
            made[int(at * len(made))] = value
    made = made[: int(len(made) * min(1.0, 2 * cut))]
    fuzz_dbn.check_reader(zstandard.ZstdCompressor().compress(bytes(made)) if packed else bytes(made), path)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=fuzz_dbn.ROW_BYTES, max_size=200 * fuzz_dbn.ROW_BYTES))
def test_any_records(data: bytes) -> None:
    fuzz_dbn.check_kernels(data)


def test_records_reach_every_branch() -> None:
    """What the bytes are made into has every action, clocks that run back, prices that are none."""
    made = fuzz_dbn.records_of(np.random.default_rng(1).integers(0, 256, 60_000, np.uint8).tobytes())
    assert set(b"ACMRTFN") <= set(made["action"].tolist())
    assert set(b"BAN") <= set(made["side"].tolist())
    assert (made["price"] == fuzz_dbn.UNDEF_PRICE).any()
    assert (made["flags"] & 32 != 0).any()
    assert (np.diff(made["ts_event"].astype(np.int64)) < 0).any()
    assert {0, (1 << 32) - 1} <= set(made["size"].tolist())


@pytest.mark.parametrize("suffix", [".dbn", ".dbn.zst"])
@pytest.mark.parametrize("at", [0, 1, 7, len(RECORDS) - 1])
def test_errors_name_the_record(tmp_path: Path, suffix: str, at: int) -> None:
    """A length that cannot be, a record cut short, each at its index; other records count too."""
    others = [kit.other("status")] * at
    for length in (0, 1, 3, 13):
        made = RECORDS.copy()
        made["length"][at] = length
        data = kit.interleaved(others, kit.rows(made))
        with pytest.raises(DataError, match=rf"record {2 * at} has an impossible length"):
            read(kit.write_file(tmp_path / f"day{suffix}", kit.header(), data))
    cut = kit.interleaved(others, kit.rows(RECORDS[: at + 1]))[:-5]
    with pytest.raises(DataError, match=rf"ends inside record {2 * at}\b"):
        read(kit.write_file(tmp_path / f"day{suffix}", kit.header(), cut))


@pytest.mark.parametrize("number", ["4294967296", "99999999999999999999", "-1", ""])
def test_a_mapping_to_no_id_is_no_mapping(tmp_path: Path, number: str) -> None:
    """Ids are unsigned 32-bit; whatever else stands there maps nothing."""
    head = kit.header(mappings={"ESH4": number})  # type: ignore[dict-item]
    source = DbnFile(kit.write_file(tmp_path / "day.dbn", head, RECORDS))
    assert source.symbol_intervals() == []
    assert source.instrument_ids("ESH4") == {streams.INSTRUMENT_ID}


def read(path: Path) -> np.ndarray:
    """All records."""
    return np.concatenate([np.zeros(0, MBO_DTYPE), *DbnFile(path).batches()])


def start(kind: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """A short run of atheris."""
    command = [sys.executable, "-m", "tests.engine.fuzz_dbn", kind, "--seconds", str(SECONDS), "--keep", str(folder)]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
def test_atheris(tmp_path: Path) -> None:
    """Coverage-guided, both targets side by side; the kernels check their indices in a build that is kept apart."""
    pytest.importorskip("atheris")
    runs = [start("reader", tmp_path), start("kernels", tmp_path, NUMBA_BOUNDSCHECK="1")]
    for run in runs:
        out, _ = run.communicate(timeout=540)  # the first checked build takes minutes
        assert run.returncode == 0, out[-3000:]
        assert "DONE" in out
    assert not list(tmp_path.iterdir())


def test_checked_kernels_do_check(tmp_path: Path) -> None:
    """An index too far is an error in that build, so its silence means something."""
    (tmp_path / "far.py").write_text(
        "import numpy as np\nfrom vp_engine.jit import kernel\n\n@kernel\ndef far_nb(values, at):\n"
        '    """One value."""\n    return values[at]\n\nfar_nb(np.zeros(3), 7)\n'
    )
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "far.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "IndexError" in done.stderr
