"""The research chain without Dagster: what each asset of a day needs, and the address it will have.

An address is a function of spec, day and raw bytes alone, so any reader can find what any writer made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from vp_assets.research.calendar import session_in_utc_day, session_of
from vp_assets.settings import Settings
from vp_engine.book.checkpoint import BOOK_CODE_VERSION, BookCheckpoint
from vp_engine.errors import ConfigError, LakeError, NotFoundError, VPError
from vp_engine.evaluation.trials import expand, experiment_address, experiment_signals
from vp_engine.lake import DatasetInfo, Lake, RawDay, book_address, dataset_address, find_raw, list_raw, open_dataset
from vp_engine.lake.admission import NoSession, find_no_session
from vp_engine.lake.books import find_book
from vp_engine.lake.paths import promoted_serving_dir
from vp_engine.lake.raw_checks import require_admissible, require_coverage
from vp_engine.lake.results import ResultsDB
from vp_engine.signals import get_signal, load_signals
from vp_engine.specs import (
    Capture,
    ExperimentSpec,
    PipelineSpec,
    ServingSpec,
    SpecBook,
    VPRuntimeConfig,
    load_instrument,
    load_yaml_spec,
)
from vp_engine.specs.book import Skipped
from vp_engine.stream import BINS_CODE_VERSION
from vp_engine.units import parse_date

_ANY_DAY = "2024-01-10"  # a day without pitfalls, to check a daily pipeline's clock times on


class BookRequest(NamedTuple):
    """What a book cache is made of: one raw day, replayed up to the capture's warm-up."""

    config: VPRuntimeConfig
    capture: Capture
    raw: RawDay
    address: str


class BinsRequest(NamedTuple):
    """What a dataset is made of: the raw days of the capture on top of its book cache."""

    pipeline: PipelineSpec
    config: VPRuntimeConfig
    capture: Capture
    raws: tuple[RawDay, ...]
    book: BookRequest
    address: str


class SweepRequest(NamedTuple):
    """What a day's results are made of: an experiment's trials over one dataset."""

    experiment: ExperimentSpec
    serving: ServingSpec
    config: VPRuntimeConfig
    bins: BinsRequest
    address: str

    @property
    def day(self) -> str:
        """Eastern date of the dataset."""
        return self.bins.capture.dt.isoformat()


def load_specs(settings: Settings, lake: Lake, lock: VPRuntimeConfig) -> SpecBook:
    """Authored and promoted specs of the locked instrument."""
    book = SpecBook.load(settings.config_dir, promoted_serving_dir(lake), lock)
    for name, spec in list(book.experiments.items()):
        try:
            for signal in experiment_signals(spec, book.serving[spec.serving]):
                get_signal(signal)
        except VPError as error:
            book.leave_out(name, str(error))
    return book


def spec_by_name_or_path(book: SpecBook, given: str, kind: Literal["pipeline", "experiment"]) -> str:
    """Name of the pipeline or experiment (`kind`) that a user means by a name or a YAML file.

    A file outside the config folder joins the book for this run; NotFoundError or ConfigError in one line otherwise.
    """
    known: Mapping[str, PipelineSpec | ExperimentSpec] = book.pipelines if kind == "pipeline" else book.experiments
    if not (given.endswith((".yaml", ".yml")) or "/" in given):
        return given if kind == "experiment" and given in book.families else known[given].name
    spec = (
        load_yaml_spec(Path(given), PipelineSpec) if kind == "pipeline" else load_yaml_spec(Path(given), ExperimentSpec)
    )
    if kind == "experiment" and spec.name in book.families:
        if book.path(spec.name).resolve() != Path(given).resolve():
            raise ConfigError(f"{given}: the name `{spec.name}` is taken by {book.path(spec.name)}; rename one")
        return spec.name
    if spec.name in known:
        if known[spec.name] != spec:
            raise ConfigError(f"{given}: the name `{spec.name}` is taken by {book.path(spec.name)}; rename one")
        return spec.name
    try:
        if isinstance(spec, PipelineSpec):
            spec.resolve(book.lock, spec.capture.dt or _ANY_DAY)
            book.pipelines[spec.name] = spec
        else:
            book.pipeline_of(spec.serving)
            book.add_experiment(spec)
    except VPError as error:
        raise type(error)(f"{given}: {error}") from None
    return spec.name


class Chain:
    """One lake, one instrument, its specs: every request that an asset makes of the engine."""

    def __init__(self, settings: Settings, lake: Lake | None = None, specs: SpecBook | None = None) -> None:
        self.settings = settings
        self.broken_signals: list[Skipped] = []  # own signals that cannot be loaded: everything else is
        load_signals(
            settings.signals_path, lambda error: self.broken_signals.append(Skipped("own signals", str(error)))
        )
        self.lock = specs.lock if specs is not None else load_instrument(settings.instrument)
        self.lake = lake if lake is not None else Lake(settings.lake_root, settings.cache_dir, settings.cache_bytes)
        self._specs = specs

    @cached_property
    def specs(self) -> SpecBook:
        """Specs as they were when the chain was opened."""
        return self._specs if self._specs is not None else load_specs(self.settings, self.lake, self.lock)

    @property
    def first_day(self) -> dt.date:
        """First daily partition: the settings' own, or the day before the earliest capture with a fixed day."""
        fixed = [parse_date(spec.capture.dt) for spec in self.specs.pipelines.values() if spec.capture.dt]
        return min([self.settings.first_day, *(day - dt.timedelta(days=1) for day in fixed)])

    def raw(self, utc_day: dt.date) -> RawDay:
        """The raw day in the lake; NotFoundError that says what to run."""
        found = find_raw(self.lake, self.lock, utc_day)
        if found is None:
            closed = find_no_session(self.lake, self.lock, utc_day)
            if closed is not None:
                raise NotFoundError(f"{utc_day} (UTC) of {self.lock.symbol} had no session: {closed.reason}")
            if session_in_utc_day(utc_day) is None:
                raise NotFoundError(
                    f"no raw day {utc_day} (UTC, a {utc_day:%A}) of {self.lock.symbol} in {self.lake.root}, and the "
                    "exchange's calendar has no session on it; choose another day"
                )
            raise NotFoundError(
                f"no raw day {utc_day} (UTC) of {self.lock.symbol} in {self.lake.root}; "
                f"`vp download --from {utc_day} --to {utc_day}` with a Databento key, `vp import FILE` with its DBN "
                f"file, or `vp sample --day {utc_day}` for a synthetic one"
            )
        return require_admissible(found)

    def capture(self, pipeline: str, day: str | dt.date | None) -> Capture:
        """Window of a pipeline on one Eastern day."""
        return self.specs.pipelines[pipeline].resolve(self.lock, day)

    def closed(self, utc_day: dt.date, reason: str) -> NoSession:
        """A day without a session by the calendar, which is advice and not noted in the lake."""
        return NoSession(
            source="calendar", dataset=self.lock.dataset, symbol=self.lock.symbol, day=utc_day, reason=reason
        )

    def no_session(self, pipeline: str, day: str | dt.date | None) -> NoSession | None:
        """Why a pipeline's day has nothing to compute: raw data that it reads is absent, and a note in the lake or the
        exchange's calendar says that nothing traded. None for a day with data, or one that must have some."""
        capture = self.capture(pipeline, day)
        absent = [utc_day for utc_day in capture.utc_days() if find_raw(self.lake, self.lock, utc_day) is None]
        if not absent:
            return None
        notes = [find_no_session(self.lake, self.lock, utc_day) for utc_day in absent]
        noted = next((note for note in notes if note is not None), None)
        if noted is not None:
            return noted
        return self.closed(absent[0], "the calendar has no session in its window") if not session_of(capture) else None

    def is_read(self, utc_day: dt.date) -> bool:
        """Whether a session that some pipeline's window touches needs a UTC day; also true where there is no daily
        pipeline, since then nothing says that the day is of no use."""
        daily = [name for name, spec in self.specs.pipelines.items() if spec.capture.dt is None]
        near = [utc_day + dt.timedelta(days=offset) for offset in (-1, 0, 1)]
        captures = [self.capture(name, day) for name in daily for day in near]
        captures += [self.capture(name, None) for name in self.specs.pipelines.keys() - set(daily)]
        return not daily or any(utc_day in one.utc_days() and session_of(one) is not None for one in captures)

    def book(self, pipeline: str, day: str | dt.date | None) -> BookRequest:
        """The book cache that a pipeline's day starts from."""
        spec = self.specs.pipelines[pipeline]
        config, capture = spec.config(self.lock), spec.resolve(self.lock, day)
        raw = self.raw(capture.book_day())
        at = book_address(config, capture, raw.manifest.address, code_version=BOOK_CODE_VERSION)
        return BookRequest(config, capture, raw, at)

    def bins(self, pipeline: str, day: str | dt.date | None) -> BinsRequest:
        """The dataset of a pipeline's day."""
        book = self.book(pipeline, day)
        raws = tuple(self.raw(utc_day) for utc_day in book.capture.utc_days())
        require_coverage(raws, book.capture)
        roots = [raw.manifest.address for raw in raws]
        at = dataset_address(book.config, book.capture, book.address, roots, code_version=BINS_CODE_VERSION)
        return BinsRequest(self.specs.pipelines[pipeline], book.config, book.capture, raws, book, at)

    def stored_book(self, request: BookRequest) -> BookCheckpoint:
        """The committed book cache; NotFoundError if nobody has made it."""
        found = find_book(self.lake, request.capture, request.address)
        if found is None:
            raise NotFoundError(
                f"no book cache {request.address[:12]} in {self.lake.root}; generate the pipeline first"
            )
        return found

    def stored_dataset(self, request: BinsRequest) -> DatasetInfo:
        """The committed dataset, whatever pipeline made it; NotFoundError if nobody has."""
        return open_dataset(self.lake, request.address).info

    def sweep(self, experiment: str, day: str | dt.date | None) -> SweepRequest:
        """The results of an experiment's day."""
        spec = self.specs.experiments[experiment]
        serving, config = self.specs.serving[spec.serving], self.specs.serving_config(spec.serving)
        bins = self.bins(serving.pipeline, day)
        address = experiment_address(spec, serving, config, [bins.address], bins.capture.dt.isoformat())
        return SweepRequest(spec, serving, config, bins, address)

    def swept(self, experiment: str, day: str) -> SweepRequest | None:
        """The same if its results are committed, else None; a day without raw data, or with damaged ones, has none."""
        try:
            request = self.sweep(experiment, day)
        except (NotFoundError, LakeError):
            return None
        return request if self.results.exists(request.address) else None

    @cached_property
    def results(self) -> ResultsDB:
        """Results of every sweep in the lake."""
        return ResultsDB(self.lake)

    def swept_days(self, experiment: str) -> list[str]:
        """Eastern days of an experiment that have results, in order."""
        spec, pipeline = self.specs.experiments[experiment], self.specs.pipeline_of(experiment)
        if spec.days is not None:
            days = self.days(experiment)
        elif pipeline.capture.dt is not None:
            days = [pipeline.capture.dt]
        else:  # a capture reads the UTC days around its Eastern date
            held = list_raw(self.lake, self.lock, lambda where, error: None)  # a damaged day has no results to read
            near = {one.manifest.day + dt.timedelta(days=n) for one in held for n in (-1, 0)}
            days = [day.isoformat() for day in near]
        return [day for day in sorted(days) if self.swept(experiment, day) is not None]

    def check_experiment(self, experiment: str) -> None:
        """Expand an experiment; ConfigError or NotFoundError for an axis or signal that does not exist."""
        spec = self.specs.experiments[experiment]
        expand(spec, self.specs.serving[spec.serving], self.specs.serving_config(spec.serving))

    def days(self, experiment: str, asked: str | None = None) -> list[str]:
        """Eastern days that an experiment sweeps: those it lists, its capture's own, or the one asked for."""
        spec = self.specs.experiments[experiment]
        pipeline = self.specs.pipeline_of(experiment)
        if asked is not None or spec.days is None:
            return [pipeline.day(parse_date(asked, "--day") if asked else None).isoformat()]
        return [pipeline.day(day).isoformat() for day in (*spec.days.train, *spec.days.test)]
