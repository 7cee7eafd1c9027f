"""nautilus_trader's L3 book on the same file, fed from Python: it does the book alone, without kinetics.

It wants older packages than ours, so it lives in a virtual environment of its own, made on first use below the one
that runs this. Its records are decoded before the clock starts; ours are not counted differently.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import RUNS, Measure
from vp_engine.sample import SampleSpec, write_sample

NAME = "nautilus_trader L3 book, fed from Python"
_VERSION = "nautilus_trader==1.221.0"
_HOME = Path(sys.prefix) / "nautilus"
_FEED = """
import json, sys, time
from nautilus_trader.adapters.databento.loaders import DatabentoDataLoader
from nautilus_trader.core import nautilus_pyo3 as native
from nautilus_trader.model.identifiers import InstrumentId

path, name, runs = sys.argv[1], sys.argv[2] + ".GLBX", int(sys.argv[3])
deltas = DatabentoDataLoader().from_dbn_file(
    path, instrument_id=InstrumentId.from_str(name), price_precision=2, as_legacy_cython=False, include_trades=False
)
seconds = []
for _ in range(runs + 1):
    book = native.OrderBook(native.InstrumentId.from_str(name), native.BookType.L3_MBO)
    apply = book.apply_delta
    began = time.perf_counter()
    for delta in deltas:
        apply(delta)
    seconds.append(time.perf_counter() - began)
print(json.dumps(seconds[1:]))
"""


def interpreter() -> Path:
    """Python of the environment, installed if it is not there. OSError or CalledProcessError if it cannot be."""
    python = _HOME / "bin" / "python"
    if not (_HOME / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(_HOME)], check=True, capture_output=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", _VERSION], check=True, capture_output=True)
        (_HOME / ".ready").touch()
    return python


def run() -> Iterator[Measure]:
    """One row, or none with the reason on stderr. Events are all records of the file, of which it sees most."""
    try:
        python = interpreter()
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        print(f"{NAME}: left out, {_VERSION} cannot be installed ({said.decode().strip()[-200:]})", file=sys.stderr)
        return
    spec = SampleSpec()
    with tempfile.TemporaryDirectory() as folder:
        raw = write_sample(Path(folder) / "day.mbo.dbn.zst", spec)
        command = [str(python), "-c", _FEED, str(raw.path), spec.symbol, str(RUNS)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = sorted(json.loads(done.stdout.splitlines()[-1]))
    yield Measure(NAME, "events", raw.records, statistics.median(seconds), seconds[0], seconds[-1], RUNS)


if __name__ == "__main__":
    for row in run():
        print(f"{row.name}: {row.rate:,.0f} {row.unit}/s")
