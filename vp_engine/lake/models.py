"""Fitted models of a run, one file per refit, found by address and read back one at a time.

A folder holds the models of one signal with one set of parameters, trained along one dataset. Files are in formats
that run no code when they are read. Each is decoded only if it has the bytes that the manifest says, and only once a
process of its own has decoded it without harm (`model_check`).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.hashing import address as address_of
from vp_engine.hashing import sha256_bytes
from vp_engine.lake import paths
from vp_engine.lake.store import MANIFEST, Lake, LakePath, stored_file, write_json
from vp_engine.signals import get_signal
from vp_engine.signals.ml import Refit, WalkForwardSignal
from vp_engine.signals.ml.model_check import ModelFile, is_known, trust, why_refused
from vp_engine.signals.ml.models import Model

MODELS_VERSION = 1  # of the folder's layout
LIBRARIES = ("scikit-learn", "lightgbm", "xgboost-cpu", "skops", "numpy")  # recorded, for whoever wonders
_KEPT = 2  # models in memory: the one that speaks and the next
_CHECKED_FILES, _CHECKED_BYTES = 64, 64 << 20  # at most together: most runs have fewer, whole days have a thousand


def learning_signal(name: str) -> type[WalkForwardSignal] | None:
    """The signal's class if it learns, else None; NotFoundError for an unknown one."""
    found = get_signal(name)
    return found if issubclass(found, WalkForwardSignal) else None


def models_address(signal: str, parameters: Mapping[str, Any], dataset_address: str) -> str | None:
    """Address of the models of a run, parameters as in `runs_meta`; None for a signal that learns nothing."""
    kind = learning_signal(signal)
    if kind is None:
        return None
    params = {"signal": signal, "parameters": parameters}
    return address_of("models", f"{MODELS_VERSION}.{kind.code_version}", params, [dataset_address])


def models_dir(address: str) -> PurePosixPath:
    """Folder of a run's models, relative to the lake's root; ConfigError for what is no whole address."""
    if not paths.is_address(address) or len(address) != 64:
        raise ConfigError(f"`models` must be 64 hex digits, was {address!r}")
    return paths.MODELS / address


@contextmanager
def writing_models(
    lake: Lake, address: str, signal: str, parameters: Mapping[str, Any], dataset_address: str
) -> Iterator[tuple[Callable[[Refit], None], Callable[[], StoredModels]]]:
    """(keep, read): `keep` writes one refit, in order of time; `read` gives what was written so far, from its files.
    Committed when the body ends, nothing is left if it raises."""
    kind = learning_signal(signal)
    if kind is None:
        raise ConfigError(f"signal `{signal}` learns nothing, so it has no models")
    began = time.monotonic()
    refits: list[dict[str, Any]] = []
    with lake.commit_dir(lake.path(models_dir(address))) as folder:

        def keep(refit: Refit) -> None:
            content = refit.model.encode()
            name = f"refit_{len(refits):05d}.{refit.model.suffix}"
            (folder / name).write_bytes(content)
            told = {key: value for key, value in refit._asdict().items() if key != "model"}
            refits.append({**told, "file": name, "bytes": len(content), "sha256": sha256_bytes(content)})
            trust(type(refit.model).__name__, refits[-1]["sha256"])

        def read() -> StoredModels:
            return StoredModels(folder, kind, {"refits": refits})

        yield keep, read
        manifest = {
            "schema_version": MODELS_VERSION,
            "kind": "models",
            "address": address,
            "signal": signal,
            "code_version": kind.code_version,
            "parameters": dict(parameters),
            "dataset_address": dataset_address,
            "refits": refits,
            "libraries": {name: version(name) for name in LIBRARIES},
            "written": {
                "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - began, 3),
            },
        }
        write_json(folder / MANIFEST, manifest)


def open_models(lake: Lake, address: str, signal: str) -> StoredModels:
    """The models of a run. NotFoundError if they are not in the lake; LakeError or ConfigError if they are no models
    of this signal, or of another version of it."""
    folder = lake.path(models_dir(address))
    if not lake.exists(folder):
        raise NotFoundError(f"no models `{address[:12]}` in {lake.root}; promote the run again")
    manifest = lake.read_manifest(folder / MANIFEST)
    try:
        versions = (manifest["schema_version"], manifest["code_version"])
        sound = manifest["kind"] == "models" and manifest["address"] == address
        of, refits = manifest["signal"], list(manifest["refits"])
        sound = sound and all({"file", "sha256", "since_ns"} <= set(refit) for refit in refits)
        sound = sound and all(Path(refit["file"]).name == refit["file"] for refit in refits)
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise LakeError(f"{folder / MANIFEST}: not the manifest of models")
    kind = learning_signal(signal)
    if kind is None or of != signal:
        raise ConfigError(f"models `{address[:12]}` are of signal `{of}`, not `{signal}`")
    if versions != (MODELS_VERSION, kind.code_version):
        raise LakeError(f"models `{address[:12]}` are of another version of `{signal}`; promote the run again")
    return StoredModels(folder, kind, manifest, lake)


class StoredModels:
    """Models in a folder, decoded when their time comes. since_ns: int64 (models,), rising."""

    def __init__(
        self, folder: LakePath, kind: type[WalkForwardSignal], manifest: Mapping[str, Any], lake: Lake | None = None
    ) -> None:
        """`lake` None: the folder is being written, on this machine."""
        self._lake, self._folder, self._kind, self._manifest = lake, folder, kind, manifest
        refits: list[dict[str, Any]] = manifest["refits"]
        self._refits = refits
        self.since_ns = np.array([refit["since_ns"] for refit in refits], np.int64)
        if np.any(np.diff(self.since_ns) <= 0):
            raise LakeError(f"{folder}: models are not in order of time")
        self._decoded = lru_cache(maxsize=_KEPT)(self._decode)

    def __len__(self) -> int:
        """Number of refits."""
        return len(self._refits)

    def model(self, at: int) -> Model:
        """One model. LakeError if its file is not what the manifest says, or holds a type that is not trusted."""
        return self._decoded(at)

    def _decode(self, at: int) -> Model:
        path, file = self._file(at)
        kind = self._kind.model_type
        reason = why_refused(kind.__name__, file.sha256, self._from(at, file))
        try:
            if reason is not None:
                raise LakeError(f"not a model of `{self._kind.name}`: {reason}; delete the folder and promote again")
            return kind.decode(file.content)
        except LakeError as error:
            raise LakeError(f"{path}: {error}") from None

    def _file(self, at: int) -> tuple[LakePath, ModelFile]:
        """A file with the bytes that the manifest says; else LakeError."""
        path = stored_file(self._folder, self._manifest, self._refits[at]["file"])
        content = path.read_bytes() if self._lake is None else self._lake.read_bytes(path)
        if sha256_bytes(content) != self._refits[at]["sha256"]:
            raise LakeError(f"{path}: differs from its manifest; delete the folder and promote the run again")
        return path, ModelFile(self._refits[at]["sha256"], content)

    def _from(self, at: int, first: ModelFile) -> Iterator[ModelFile]:
        """A file and those behind it that have not been checked, to be checked together; what is wrong with a later
        one is said when its time comes."""
        yield first
        size, number = len(first.content), 1
        for later in range(at + 1, len(self)):
            if is_known(self._kind.model_type.__name__, self._refits[later]["sha256"]):
                continue
            try:
                file = self._file(later)[1]
            except (LakeError, OSError):
                continue
            size, number = size + len(file.content), number + 1
            if number > _CHECKED_FILES or size > _CHECKED_BYTES:
                return
            yield file
