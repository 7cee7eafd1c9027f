"""Addresses of derived things. Each covers exactly what its numbers depend on.

A stage's code version is a constant beside its code; stages above the lake pass theirs in. Raw files are the roots:
their address is their sha256.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.hashing import address
from vp_engine.specs.capture import Capture
from vp_engine.specs.experiment import DayRole, ExperimentSpec
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.specs.serving import ServingSpec


def book_address(
    config: VPRuntimeConfig, capture: Capture, raw_address: str, *, code_version: str = BOOK_CODE_VERSION
) -> str:
    """The book at the warm-up's start, from the raw file of `capture.book_day()`."""
    params = {
        "symbol": config.symbol,
        "tick_int": config.tick_int,
        "n_absolute_ticks": config.n_absolute_ticks,
        "warmup_start_ns": capture.warmup_start_ns,
    }
    return address("book_cache", code_version, params, [raw_address])


def dataset_address(
    config: VPRuntimeConfig,
    capture: Capture,
    book_address: str,
    raw_addresses: Sequence[str],
    *,
    code_version: str,
) -> str:
    """The bins of one capture; raw addresses in order of `capture.utc_days()`. Scoring and state model do not enter."""
    params = {**config.dataset_params(), "start_ns": capture.start_ns, "end_ns": capture.end_ns}
    return address("dataset", code_version, params, [book_address, *raw_addresses])


def sweep_address(
    experiment: ExperimentSpec,
    serving: ServingSpec,
    config: VPRuntimeConfig,
    dataset_addresses: Sequence[str],
    *,
    code_version: str,
    day_role: DayRole = "whole",
) -> str:
    """The results of one experiment over these datasets; names, selection, workers and tracking do not enter. A day's
    role does: results keep the role that they were computed for."""
    params = sweep_params(experiment, serving, config)
    if day_role != "whole":
        params["day_role"] = day_role
    return address("sweep", code_version, params, list(dataset_addresses))


def sweep_params(experiment: ExperimentSpec, serving: ServingSpec, config: VPRuntimeConfig) -> dict[str, Any]:
    """What a sweep's rows depend on besides its datasets."""
    chosen = experiment.model_dump(mode="json", include={"signals", "eval", "sweep"})
    signal = serving.signal.model_dump(mode="json") if serving.signal is not None else None
    # A state model that the spec spells out sets the `derivative` signal's parameters, even to the config's own values.
    named = {"serving_signal": signal, "serving_state_model": serving.state_model}
    return {**chosen, **named, "config": config.parameters()}
