"""Models of a run to be kept: trained once more along its dataset, and committed if they repeat its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vp_engine.errors import DataError
from vp_engine.evaluation.sweep import SweepInput, sweep_input
from vp_engine.lake.datasets import Dataset
from vp_engine.lake.models import models_address, models_dir, writing_models
from vp_engine.lake.store import Lake
from vp_engine.signals import make_signal, run_signal
from vp_engine.signals.base import FittedModels
from vp_engine.signals.ml import WalkForwardSignal
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides


def keep_models(lake: Lake, dataset: Dataset, signal: str, parameters: Mapping[str, Any]) -> str | None:
    """Address of a run's models in the lake, which are made if they are not there; None for a signal that learns
    nothing. parameters as in `runs_meta`. DataError if what was written does not give the values of training.
    """
    address = models_address(signal, parameters, dataset.address)
    if address is None or lake.exists(lake.path(models_dir(address))):
        return address
    params = dict(parameters)
    source = sweep_input(dataset, [signal])
    config = build_config_with_overrides(source.config, params.pop("scoring", {}))
    with writing_models(lake, address, signal, parameters, dataset.address) as (keep, read):
        learner = make_signal(signal, params, config)
        assert isinstance(learner, WalkForwardSignal)
        learner.on_refit = keep
        trained = run_signal(learner, source.blocks())
        if replayed(source, signal, params, config, read()).tobytes() != trained.tobytes():
            raise DataError(f"the models of `{signal}` do not repeat the values of their training; nothing was kept")
    return address


def replayed(
    source: SweepInput, signal: str, params: dict[str, Any], config: VPRuntimeConfig, models: FittedModels
) -> np.ndarray:
    """Values float64 (n_bins,) of a signal that speaks by fitted models."""
    return run_signal(make_signal(signal, params, config, models), source.blocks())
