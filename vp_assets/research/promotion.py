"""A winner on its way to a serving spec: the YAML, where it goes, and the proof that it does what it claims.

The proof replays the spec as it will be read back, not the rows it was made from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from vp_assets.research.requests import Chain
from vp_engine.errors import ConfigError, DataError, SignalError
from vp_engine.evaluation.contracts import Asked, require_contract
from vp_engine.evaluation.learned import keep_models
from vp_engine.evaluation.promotion import promoted_spec, require_same_signal
from vp_engine.evaluation.sweep import replay_trades
from vp_engine.evaluation.walk_forward import Choice, pool
from vp_engine.hashing import sha256_text, signed_text
from vp_engine.lake import Dataset, Lake, open_dataset
from vp_engine.lake.models import models_dir, open_models
from vp_engine.lake.paths import promoted_serving_path
from vp_engine.lake.promoted import commit_promoted
from vp_engine.lake.store import LakePath
from vp_engine.signals import get_signal
from vp_engine.signals.source import place_of_signal
from vp_engine.specs import ExperimentSpec, ServingSpec, SpecBook, dump_yaml, load_yaml_spec
from vp_engine.specs.runtime import SCORING_FIELDS
from vp_engine.specs.serving import PromotionRecord

_TOLERANCE = 1e-9  # relative: figures pass through YAML, which keeps every bit


class PromotedSpec(NamedTuple):
    """A committed promoted spec and its address, the sha256 of its text."""

    spec: ServingSpec
    path: Path
    address: str


class Promotion:
    """A serving spec still to be written."""

    def __init__(self, chain: Chain, experiment: ExperimentSpec, choice: Choice) -> None:
        self._chain = chain
        self.choice = choice
        base = chain.specs.serving[experiment.serving]
        days = {role: [row["day"] for row in choice.by_day if row["role"] == role] for role in ("train", "test")}
        test = pool(choice.by_day, "test")
        split = experiment.days is not None
        self.spec = promoted_spec(
            base,
            choice.meta,
            choice.run,
            experiment,
            days if split else None,
            test._asdict() if split and test else None,
        )

    @property
    def _record(self) -> PromotionRecord:
        assert self.spec.promoted is not None
        return self.spec.promoted

    @cached_property
    def text(self) -> str:
        """The spec as YAML."""
        return dump_yaml(self.spec)

    @property
    def address(self) -> str:
        """sha256 of the YAML."""
        return sha256_text(self.text)

    @property
    def path(self) -> LakePath:
        """Where it goes."""
        return promoted_serving_path(self._chain.lake, self.spec.name)

    def stored(self) -> PromotedSpec | None:
        """The committed spec if it says the same, else None. ConfigError if an authored spec has its name, SignalError
        for a signal that breaks its contract: the spec may be older than the check."""
        taken = self._chain.specs.serving.get(self.spec.name)
        if taken is not None and taken.promoted is None:
            raise ConfigError(f"the name `{self.spec.name}` is taken by an authored serving spec; rename that one")
        lake, models = self._chain.lake, self._record.models
        if models is not None and not lake.exists(lake.path(models_dir(models))):
            return None
        if lake.entry(self.path) is not None and lake.read_bytes(self.path) == signed_text(self.text).encode():
            self.require_contract()
            return PromotedSpec(self.spec, self.path, self.address)
        return None

    def require_contract(self) -> Dataset:
        """SignalError for a signal that breaks its contract, whether its spec is stored or not; the dataset that it was
        judged on."""
        dataset = open_dataset(self._chain.lake, self.choice.meta["dataset_address"])
        for name in require_contract(self._chain.lake, dataset, [asked_of(self.choice.meta, self._record.threshold)]):
            raise SignalError(
                f"signal `{name}` ({place_of_signal(get_signal(name))}) fires nowhere in dataset {dataset.dataset_id} "
                f"at threshold {self._record.threshold:g}, so nothing shows that it keeps its contract; promote a row "
                f"that has trades"
            )
        return dataset

    def commit(self) -> PromotedSpec:
        """Check the signal, keep the models of one that learns, replay, then write. SignalError for a signal that
        breaks its contract, DataError if the replay does not give the claimed figures."""
        lake = self._chain.lake
        dataset = self.require_contract()
        if self._record.models is not None:
            kept = keep_models(lake, dataset, self.choice.meta["signal"], json.loads(self.choice.meta["parameters"]))
            assert kept == self._record.models
        require_replay(lake, self._chain.specs, self.spec)
        return PromotedSpec(self.spec, commit_promoted(lake, self.spec.name, self.text), self.address)


def asked_of(meta_row: Mapping[str, Any], threshold: float) -> Asked:
    """What a row of `runs_meta` asks of its signal."""
    params = meta_row["parameters"]
    params = dict(json.loads(params) if isinstance(params, str) else params)
    scoring = params.pop("scoring", {})
    return Asked(meta_row["signal"], params, scoring, (threshold,))


def read_promoted(path: Path) -> ServingSpec:
    """A promoted spec from its file; ConfigError if it is none."""
    spec = load_yaml_spec(path, ServingSpec)
    if spec.promoted is None or spec.signal is None or spec.signal.threshold is None:
        raise ConfigError(f"{path}: not a promoted spec")
    return spec


def replay(lake: Lake, specs: SpecBook, spec: ServingSpec) -> dict[str, tuple[float, float]]:
    """Claimed and replayed figure by name, where both exist, of a promoted spec over the dataset it was judged on."""
    record, signal = spec.promoted, spec.signal
    if record is None or signal is None or signal.threshold is None:
        raise ConfigError(f"serving spec `{spec.name}` is not a promoted one")
    if signal.cooldown_bins != record.eval.get("cooldown_bins") or signal.threshold != record.threshold:
        raise DataError(f"`{spec.name}`: threshold or cooldown are not those it was judged with")
    require_same_signal(spec)
    dataset = open_dataset(lake, record.dataset_address)
    parameters: dict[str, Any] = dict(signal.params)
    if get_signal(signal.name).reads_scores:
        config = spec.config(specs.lock, specs.pipelines[spec.pipeline])
        parameters["scoring"] = {name: getattr(config, name) for name in SCORING_FIELDS}
    models = open_models(lake, record.models, signal.name) if record.models is not None else None
    _, counted = replay_trades(dataset, signal.name, parameters, record.eval, signal.threshold, models)
    return {name: (float(claimed), float(counted[name])) for name, claimed in record.figures.items() if name in counted}


def differences(figures: dict[str, tuple[float, float]]) -> list[str]:
    """Names of the figures that the replay does not confirm."""
    return [
        name
        for name, (claimed, counted) in figures.items()
        if not math.isclose(claimed, counted, rel_tol=_TOLERANCE, abs_tol=1e-12)
    ]


def require_replay(lake: Lake, specs: SpecBook, spec: ServingSpec) -> None:
    """DataError unless the spec replays to the figures it claims."""
    figures = replay(lake, specs, spec)
    wrong = differences(figures)
    if wrong or "n_signals" not in figures:
        name = wrong[0] if wrong else "n_signals"
        claimed, counted = figures.get(name, (math.nan, math.nan))
        raise DataError(
            f"`{spec.name}` claims {name} {claimed:g}, its replay gives {counted:g}; run the experiment again"
        )
