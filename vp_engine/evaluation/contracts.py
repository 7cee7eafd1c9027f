"""Signals are checked before they are believed: before a first sweep, before promotion, before a live simulation.

A check that a signal has passed is noted in the lake under the digest of its source, so it is made once. A shipped
signal is checked with the parameters of its first trial, on a made-up market. An own signal is checked with its
defaults and with its first trial's parameters, on the made-up market and on the dataset if that is long enough; every
other set of parameters that is tried has a shorter check. The bins of the dataset are such that the signal fires before
every cut, if it fires anywhere in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vp_engine.evaluation.groups import BLOCK_BINS, sweep_input
from vp_engine.evaluation.scored import dataset_scores, score_blocks
from vp_engine.evaluation.trials import Trial
from vp_engine.hashing import address
from vp_engine.lake.datasets import Dataset
from vp_engine.lake.paths import signal_proof_path
from vp_engine.lake.store import Lake
from vp_engine.schema import BinBlock
from vp_engine.signals import get_signal, make_signal, run_signal
from vp_engine.signals.check_market import check_market
from vp_engine.signals.contract import CHECK_BINS, CONTRACT_VERSION, FIRST_CUT, Subject, check_contract, firing_bins
from vp_engine.signals.first_run import require_first_run
from vp_engine.signals.source import is_shipped, place_of_signal, source_digest
from vp_engine.specs.runtime import VPRuntimeConfig, build_config_with_overrides

_MOST_BINS = 24_000  # of a check of a signal that is silent for long
_ROOM_BINS = 300  # from when a signal may speak to the first cut, at least
_BEFORE_FIRING = 0.47  # share of the bins of a check about a firing that lie before it; it comes before the first cut
Progress = Callable[[int, int], None]


class Asked(NamedTuple):
    """One set of parameters of a signal, with the scoring fields that differ from the dataset's. thresholds None: the
    signal's own."""

    signal: str
    params: Mapping[str, Any]
    scoring: Mapping[str, Any]
    thresholds: tuple[float, ...] | None = None


def asked_by(trials: Sequence[Trial]) -> list[Asked]:
    """What trials ask of their signals, each set once, in order."""
    sets: dict[str, Asked] = {}
    for trial in trials:
        sets.setdefault(trial.values_key, Asked(trial.signal, trial.params, trial.scoring, trial.thresholds))
    return list(sets.values())


def require_contract(
    lake: Lake, dataset: Dataset, asked: Sequence[Asked], on_progress: Progress | None = None
) -> tuple[str, ...]:
    """SignalError in one line for the first signal that breaks its contract. What has been proven before is not run
    again. Names of signals that passed without a firing in what was checked, which proves little of them: they are
    checked again the next time."""
    silent = []
    jobs = [job for name in dict.fromkeys(one.signal for one in asked) for job in _jobs(dataset, name, asked)]
    for done, job in enumerate(jobs):
        if on_progress is not None:
            on_progress(done, len(jobs))
        if not _prove(lake, job):
            silent.append(job.sets[0].signal)
    if on_progress is not None and jobs:
        on_progress(len(jobs), len(jobs))
    return tuple(dict.fromkeys(silent))


class _Job(NamedTuple):
    """Sets of parameters of one signal that are checked, and noted, together."""

    dataset: Dataset
    sets: tuple[Asked, ...]
    whole: bool


def _jobs(dataset: Dataset, name: str, asked: Sequence[Asked]) -> list[_Job]:
    sets = [one for one in asked if one.signal == name]
    first = sets[0]
    if is_shipped(get_signal(name)):
        return [_Job(dataset, (first,), True)]
    default = get_signal(name).Params().model_dump(mode="json")
    whole = [first._replace(params=default)] if dict(first.params) not in ({}, default) else []
    jobs = [_Job(dataset, (one,), True) for one in (*whole, first)]
    return [*jobs, _Job(dataset, tuple(sets[1:]), False)] if sets[1:] else jobs


def _prove(lake: Lake, job: _Job) -> bool:
    """Run one job and note that it passed, unless that is noted. False if no firing was seen, which is not noted."""
    kind = get_signal(job.sets[0].signal)
    digest, shipped = source_digest(kind), is_shipped(kind)
    facts = {
        "signal": kind.name,
        "parameters": [] if shipped else sorted(_key(one) for one in job.sets),
        "whole": job.whole,
        "config": job.dataset.config.config_version,  # of which bins, ticks and windows a signal may make its own
        "dataset_checked": any(_reaches(job, one) for one in job.sets),
    }
    proof = address("signal_proof", CONTRACT_VERSION, facts, [digest])
    path = lake.path(signal_proof_path(proof))
    if lake.exists(path):
        return True
    fired = {"made-up market": 0, job.dataset.dataset_id: 0}
    for one in job.sets:
        config = build_config_with_overrides(job.dataset.config, dict(one.scoring))
        n_bins = bins_needed(one, config)
        if job.whole and not shipped:
            require_first_run(one.signal, one.params, config, n_bins)
        fired["made-up market"] += _checked(one, config, check_market(n_bins, config), job.whole)
        if _reaches(job, one) and (not shipped or not fired["made-up market"]):
            fired[job.dataset.dataset_id] += _checked_on_dataset(one, config, job, n_bins)
    noted = any(fired.values()) or not job.whole
    if noted:
        lake.commit_document(
            path, {"kind": "signal_proof", **facts, "source": digest, "place": place_of_signal(kind), "fired": fired}
        )
    return noted


def _reaches(job: _Job, one: Asked) -> bool:
    """Whether the dataset is long enough for a check of its own, where one is made."""
    config = build_config_with_overrides(job.dataset.config, dict(one.scoring))
    return job.whole and job.dataset.n_bins >= bins_needed(one, config)


def _key(one: Asked) -> str:
    return address("signal_parameters", "1", {"params": dict(one.params), "scoring": dict(one.scoring)}, [])


def _checked(one: Asked, config: VPRuntimeConfig, block: BinBlock, whole: bool) -> int:
    return check_contract(Subject(one.signal, one.params, config, block), one.thresholds, whole)


def _checked_on_dataset(one: Asked, config: VPRuntimeConfig, job: _Job, n_bins: int) -> int:
    """Check on the first bins of the dataset, and if nothing fires there before the first cut, on those about the first
    firing of a run over all of it."""
    fired = _checked(one, config, stretch(job.dataset, 0, n_bins), job.whole)
    kind = get_signal(one.signal)
    if fired or kind.kind == "ml":  # which is checked on a schedule of its own, unlike that of the run
        return fired
    source = sweep_input(job.dataset, [one.signal])
    scores = score_blocks(dataset_scores(config, source.blocks()), BLOCK_BINS) if kind.reads_scores else None
    signal = make_signal(one.signal, dict(one.params), config)
    fires = np.flatnonzero(firing_bins(kind, run_signal(signal, source.blocks(reader=kind), scores), one.thresholds))
    if not fires.size:
        return 0
    first = int(np.clip(fires[0] - int(_BEFORE_FIRING * n_bins), 0, job.dataset.n_bins - n_bins))
    return 1 + _checked(one, config, stretch(job.dataset, first, n_bins), job.whole)


def bins_needed(one: Asked, config: VPRuntimeConfig) -> int:
    """Bins of a check: CHECK_BINS, or more for a signal that says it needs more before it speaks."""
    kind = get_signal(one.signal)
    if kind.kind == "ml":
        return CHECK_BINS  # its schedule is shortened
    needed = kind(kind.Params.parse(dict(one.params), f"signal `{kind.name}`"), config).needed_bins
    blocks = math.ceil((needed + _ROOM_BINS) / FIRST_CUT / BLOCK_BINS)
    return int(np.clip(blocks * BLOCK_BINS, CHECK_BINS, _MOST_BINS))


def stretch(dataset: Dataset, first: int, n_bins: int) -> BinBlock:
    """Bins [first, first + n_bins) of a dataset, every column read."""
    size = dataset.row_group_bins
    begin = first // size
    groups = [dataset.group(at) for at in range(begin, -(-(first + n_bins) // size))]
    return BinBlock(
        np.concatenate([group.bins for group in groups]),
        np.concatenate([group.grid for group in groups], axis=1),
        np.concatenate([group.state5 for group in groups]),
        np.concatenate([group.last_event_id for group in groups]),
    ).part(first - begin * size, first - begin * size + n_bins)
