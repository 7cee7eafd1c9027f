"""One family of IO managers over the lake: a thing is written once, at its address, and read from there.

An asset hands over either what its address already holds or a stream still to be made. Only the manager writes.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar, cast

import dagster as dg

from vp_assets.defs import metadata
from vp_assets.defs.writers import BookReplay, DatasetStream, NewRawDay, SweepRun
from vp_assets.research.gates import require_whole_sweep
from vp_assets.research.promotion import PromotedSpec, Promotion
from vp_assets.research.requests import Chain
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.errors import NotFoundError
from vp_engine.evaluation.walk_forward import DayResults
from vp_engine.lake import Dataset, DatasetInfo, RawDay, open_dataset, write_dataset
from vp_engine.lake.admission import NoSession
from vp_engine.lake.books import find_book_file, write_book
from vp_engine.stream import BINS_CODE_VERSION
from vp_engine.units import parse_date

Stored = TypeVar("Stored")
Stream = TypeVar("Stream")
Loaded = TypeVar("Loaded")


class HashAddressedIOManager(dg.IOManager, ABC, Generic[Stored, Stream, Loaded]):
    """Commits streams of `stream_type`, takes anything else as already stored, and says which in the metadata."""

    stream_type: type[Any] | None

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    @abstractmethod
    def commit(self, stream: Stream) -> Stored:
        """Make the thing and write it, all or nothing."""

    @abstractmethod
    def describe(self, context: dg.OutputContext, stored: Stored) -> dict[str, Any]:
        """Metadata of a stored thing; `address` is one of the keys."""

    @abstractmethod
    def load(self, context: dg.InputContext, day: str | None) -> Loaded:
        """The thing of one asset and day, for an asset downstream."""

    def handle_output(self, context: dg.OutputContext, obj: Stored | Stream | NoSession) -> None:
        """Commit if needed, then describe. A day without a session has nothing to commit."""
        if isinstance(obj, NoSession):
            context.add_output_metadata({**metadata.raw(obj), "store_hit": True})
            return
        hit = self.stream_type is None or not isinstance(obj, self.stream_type)
        began = time.perf_counter()
        stored = cast(Stored, obj) if hit else self.commit(cast(Stream, obj))
        seconds = time.perf_counter() - began
        context.add_output_metadata(
            {
                **self.describe(context, stored),
                "store_hit": hit,
                "seconds": round(seconds, 3),
                **self.speed(obj, seconds),
            }
        )

    def speed(self, obj: Stored | Stream, seconds: float) -> dict[str, Any]:
        """Throughput of what was made just now; nothing for what was there."""
        return {}

    def load_input(self, context: dg.InputContext) -> Loaded | dict[str, Loaded]:
        """One day's thing, or several days' by partition key. The input is asked for its partitions, never the run:
        a run over one day may hold readers of all days."""
        if not context.has_asset_partitions:
            return self.load(context, None)
        days = list(context.asset_partition_keys)
        return self.load(context, days[0]) if len(days) == 1 else {day: self.load(context, day) for day in days}


class RawIOManager(HashAddressedIOManager[RawDay | NoSession, NewRawDay, RawDay]):
    """Raw days: what writes them is an import or a download; here they are described."""

    stream_type = NewRawDay

    def commit(self, stream: NewRawDay) -> RawDay:
        """A raw day is in the lake before its asset sees it."""
        return stream.day

    def describe(self, context: dg.OutputContext, stored: RawDay | NoSession) -> dict[str, Any]:
        return metadata.raw(stored)

    def load(self, context: dg.InputContext, day: str | None) -> RawDay:
        return self.chain.raw(parse_date(day or "", "partition key"))


class BookIOManager(HashAddressedIOManager[BookCheckpoint, BookReplay, BookCheckpoint | NoSession]):
    """Book caches, as Arrow files."""

    stream_type = BookReplay

    def commit(self, stream: BookReplay) -> BookCheckpoint:
        checkpoint = stream.checkpoint()
        request = stream.request
        write_book(self.chain.lake, request.capture, request.address, checkpoint, [request.raw.manifest.address])
        return checkpoint

    def describe(self, context: dg.OutputContext, stored: BookCheckpoint) -> dict[str, Any]:
        request = self.chain.book(context.asset_key.path[0], context.partition_key)
        path = find_book_file(self.chain.lake, request.capture, request.address)
        return metadata.book(request, stored, path, self.chain.lake.size(path))

    def speed(self, obj: Any, seconds: float) -> dict[str, Any]:
        if not isinstance(obj, BookReplay):
            return {}
        return {"events_per_s": round(obj.n_records / seconds)}

    def load(self, context: dg.InputContext, day: str | None) -> BookCheckpoint | NoSession:
        closed = self.chain.no_session(context.asset_key.path[0], day)
        if closed is not None:
            return closed
        return self.chain.stored_book(self.chain.book(context.asset_key.path[0], day))


class BinsIOManager(HashAddressedIOManager[DatasetInfo, DatasetStream, Dataset | NoSession]):
    """Datasets, as Parquet folders; written as the stream runs, in bounded memory."""

    stream_type = DatasetStream

    def commit(self, stream: DatasetStream) -> DatasetInfo:
        request = stream.request
        return write_dataset(
            self.chain.lake,
            stream,
            config=request.config,
            capture=request.capture,
            pipeline=request.pipeline.name,
            address=request.address,
            inputs={"book": request.book.address, "raw": [raw.manifest.address for raw in request.raws]},
            counters=lambda: stream.counters,
            code_version=BINS_CODE_VERSION,
        )

    def describe(self, context: dg.OutputContext, stored: DatasetInfo) -> dict[str, Any]:
        return metadata.dataset(open_dataset(self.chain.lake, stored.dataset_id))

    def speed(self, obj: Any, seconds: float) -> dict[str, Any]:
        if not isinstance(obj, DatasetStream):
            return {}
        return {
            "events_per_s": round(obj.n_events / seconds),
            "bins_per_s": round(obj.request.capture.n_bins / seconds),
        }

    def load(self, context: dg.InputContext, day: str | None) -> Dataset | NoSession:
        closed = self.chain.no_session(context.asset_key.path[0], day)
        if closed is not None:
            return closed
        return open_dataset(self.chain.lake, self.chain.bins(context.asset_key.path[0], day).address)


class SweepIOManager(HashAddressedIOManager[DayResults, SweepRun, DayResults]):
    """Results, as two Parquet files per day."""

    stream_type = SweepRun

    def commit(self, stream: SweepRun) -> DayResults:
        request, result = stream.request, stream.result()
        require_whole_sweep(result.runs_meta, result.runs, f"sweep of {request.experiment.name} on {request.day}")
        self.chain.results.write(request.address, result.runs_meta, result.runs)
        return DayResults(request.day, request.address, *self.chain.results.read(request.address))

    def describe(self, context: dg.OutputContext, stored: DayResults) -> dict[str, Any]:
        experiment = self.chain.specs.experiments[context.asset_key.path[0]]
        return metadata.sweep(stored.address, stored.meta, stored.runs, experiment)

    def speed(self, obj: Any, seconds: float) -> dict[str, Any]:
        return {"trials_per_s": round(obj.n_trials / seconds, 1)} if isinstance(obj, SweepRun) else {}

    def load(self, context: dg.InputContext, day: str | None) -> DayResults:
        request = self.chain.sweep(context.asset_key.path[0], day)
        return DayResults(request.day, request.address, *self.chain.results.read(request.address))

    def load_input(self, context: dg.InputContext) -> dict[str, DayResults]:
        """Results of every day that has any, by day: an experiment need not have run on all of its partitions. What
        reads them (the promoted spec) has no partitions of its own, whatever day the run is of."""
        name = context.asset_key.path[0]
        return {day: self.load(context, day) for day in self.chain.swept_days(name)}


class PromotedIOManager(HashAddressedIOManager[PromotedSpec, Promotion, PromotedSpec]):
    """Promoted serving specs, as YAML in the lake."""

    stream_type = Promotion

    def commit(self, stream: Promotion) -> PromotedSpec:
        return stream.commit()

    def describe(self, context: dg.OutputContext, stored: PromotedSpec) -> dict[str, Any]:
        return metadata.promoted(stored, self.chain.lake.read_bytes(stored.path).decode())

    def load(self, context: dg.InputContext, day: str | None) -> PromotedSpec:
        raise NotFoundError(f"{context.asset_key.to_user_string()} is a leaf: read its serving spec by name")


def io_managers(chain: Chain) -> dict[str, dg.IOManager]:
    """The family, by the keys that assets name."""
    return {
        "raw_io": RawIOManager(chain),
        "book_io": BookIOManager(chain),
        "bins_io": BinsIOManager(chain),
        "sweep_io": SweepIOManager(chain),
        "promoted_io": PromotedIOManager(chain),
    }
