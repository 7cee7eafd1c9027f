"""An own signal's first run, in a process of its own under limits of time and memory: code that ends its process, or
never returns, would take a whole sweep along without a word.

`python -m vp_engine.signals.first_run` reads what to run from stdin and writes a line `ready`, then `done` or the name
of what asked the process to end. Other errors are left to the check of the contract, which names file and line.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from vp_engine.errors import SignalError
from vp_engine.signals.check_market import check_market
from vp_engine.signals.contract import Subject, check_reference
from vp_engine.signals.ml.model_probe import limit_memory
from vp_engine.signals.own import is_from_file, load_signals, loaded_files
from vp_engine.signals.registry import get_signal
from vp_engine.signals.source import place_of_signal
from vp_engine.specs.runtime import VPRuntimeConfig

WALL_SECONDS = 120.0  # of a first run, of which an honest signal takes a few
MEMORY_BYTES = 4 << 30  # of a first run, beyond what the libraries take


def require_first_run(name: str, params: Mapping[str, Any], config: VPRuntimeConfig, n_bins: int) -> None:
    """SignalError in one line that names the signal's file if its run over n_bins made-up bins ends the process or does
    not end in time. Nothing for a signal that is not from a file."""
    kind = get_signal(name)
    if not is_from_file(kind):
        return
    place = place_of_signal(kind)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "vp_engine.signals.first_run"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(pickle.dumps((loaded_files(), name, dict(params), config, n_bins)), WALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise SignalError(
            f"signal `{name}` ({place}) does not end within {WALL_SECONDS:g} s on {n_bins:,} bins"
        ) from None
    finally:
        process.kill()
        process.wait()
    ready, *said = out.decode().split() or [""]
    if said == ["done"]:
        return
    if ready != "ready":
        last = err.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise SignalError(f"signal `{name}` ({place}) cannot be run in a process of its own ({last[-1]})")
    code = process.returncode
    how = said[0] if said else signal.Signals(-code).name if code < 0 else f"exit code {code}"
    raise SignalError(f"signal `{name}` ({place}) ends the process that runs it ({how}); raise an error instead")


def main() -> None:
    """Run what stdin says."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # signals may print
    files, name, params, config, n_bins = pickle.loads(sys.stdin.buffer.read())
    load_signals(files, on_problem=lambda _: None)
    subject = Subject(name, params, config, check_market(n_bins, config))
    limit_memory(MEMORY_BYTES)
    print("ready", file=answers, flush=True)
    try:
        check_reference(subject)
        word = "done"
    except Exception:
        word = "done"
    except BaseException as error:
        word = type(error).__name__
    print(word, file=answers, flush=True)
    os._exit(0)  # threads of the signal are not waited for


if __name__ == "__main__":
    main()
