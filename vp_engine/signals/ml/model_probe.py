"""Decode model files one after the other and predict with each, in a process of its own: LightGBM's and XGBoost's
readers abort, crash or spin on some damaged files, and no exception can be caught of that. `model_check` runs it by its
path, with no import of the package, so that it starts in a third of a second for the two.

`python -P model_probe.py KIND CPU_SECONDS MEMORY_BYTES` reads files from stdin, each behind its length (8 bytes,
big-endian). It writes a line `ready`, and after each file a line of JSON: null, or the reason why it is no model of
this kind. Each file has so much processor time, and all of them so much memory beyond what the libraries take.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

ROWS = 64  # predicted with each model: zeros, not-a-number, and numbers of every size
_NOT_NEEDED = ("pandas", "dask", "matplotlib", "graphviz", "polars", "cupy", "datatable", "cffi")
_PARAMETER = re.compile(r"\[\w+: .*\]")  # a line of LightGBM's parameters
_NOT_BY_BOOSTERS = ("sklearn", "pyarrow")


def sample_rows(n_features: int, seed: int = 0) -> Any:
    """Rows float32 (ROWS, n_features) that lead to many of a tree's leaves."""
    import numpy as np

    random = np.random.default_rng(seed)
    sizes = 10.0 ** random.uniform(-4, 4, (ROWS, 1))
    rows = (random.standard_normal((ROWS, n_features)) * sizes).astype(np.float32)
    rows[0], rows[1] = 0.0, np.nan
    return rows


def check_lightgbm_text(text: str) -> None:
    """ValueError for a text whose parameters LightGBM would read beyond their end: with harm at one time, at another
    without, so that trying it shows nothing."""
    lines = text.partition("\nparameters:")[2].partition("\nend of parameters")[0].splitlines()
    for line in lines:
        if line and not _PARAMETER.fullmatch(line):
            raise ValueError(f"not a parameter: {line[:60]!r}")


def lightgbm_probe() -> Callable[[bytes], object]:
    """Decodes LightGBM's text and predicts."""
    from lightgbm import Booster

    def probe(content: bytes) -> object:
        text = content.decode("utf-8", "replace")
        check_lightgbm_text(text)
        booster = Booster(model_str=text)
        return booster.predict(sample_rows(booster.num_feature()), raw_score=True, num_threads=1)

    return probe


def xgboost_probe() -> Callable[[bytes], object]:
    """Decodes XGBoost's UBJSON and predicts."""
    from xgboost import Booster

    def probe(content: bytes) -> object:
        booster = Booster({"nthread": 1})
        booster.load_model(bytearray(content))
        booster.set_param({"nthread": 1})
        booster.get_dump()  # goes through every node
        return booster.inplace_predict(sample_rows(booster.num_features()), predict_type="margin")

    return probe


def package_probe(kind: str) -> Callable[[bytes], object]:
    """Decodes by the class of this name in `models`, and predicts. What it reads is imported before limits count."""
    import numba
    import sklearn.decomposition
    import sklearn.linear_model
    import sklearn.neighbors
    import sklearn.pipeline
    import sklearn.svm  # noqa: F401
    import skops.io  # noqa: F401

    sys.path.append(str(Path(__file__).resolve().parents[3]))
    numba.config.DISABLE_JIT = True  # type: ignore[attr-defined]  # a few rows: compiling would take longer
    from vp_engine.signals.ml import models

    decode = getattr(models, kind).decode

    def probe(content: bytes) -> object:
        model = decode(content)
        return model.predict(sample_rows(model.n_features)[2:])  # neighbours of NaN are not defined

    return probe


def files(source: BinaryIO) -> Iterator[bytes]:
    """The files of the stream, until it ends."""
    while head := source.read(8):
        yield source.read(int.from_bytes(head, "big"))


def limit_memory(n_bytes: int) -> None:
    """Allow so many bytes beyond what is taken now, and no core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no such file outside Linux, where the limit has little effect
        return
    resource.setrlimit(resource.RLIMIT_AS, (taken + n_bytes, taken + n_bytes))


def main(kind: str, cpu_seconds: float, memory_bytes: int) -> None:
    """Probe what stdin has."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the libraries print
    native = {"LightGbm": lightgbm_probe, "XgBoost": xgboost_probe}
    for name in (*_NOT_NEEDED, *(_NOT_BY_BOOSTERS if kind in native else ())):
        sys.modules[name] = None  # type: ignore[assignment]
    probe = native[kind]() if kind in native else package_probe(kind)
    limit_memory(memory_bytes)
    print("ready", file=answers, flush=True)
    for content in files(sys.stdin.buffer):
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # its signal ends the process, in native code too
        try:
            probe(content)
            reason = None
        except Exception as error:
            first_line = str(error).strip().split("\n")[0]
            reason = f"{type(error).__name__}: {' '.join(first_line.split())[:200]}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(reason), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
