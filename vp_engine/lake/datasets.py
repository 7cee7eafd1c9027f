"""Datasets: the bins of one capture, written as a stream, found by address, read in bounded memory.

A dataset's folder is its id. Grid columns are (n_bins, rows), rows being k = -R..+R; bin columns are (n_bins,).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from vp_engine.errors import ConfigError, DataError, LakeError, NotFoundError
from vp_engine.hashing import SHORT
from vp_engine.lake import paths
from vp_engine.lake.blocks import BLOCK_FIELDS, ROW_GROUP_BINS, BlockWriter, open_parquet, read_group, regrouped
from vp_engine.lake.manifests import unsealed
from vp_engine.lake.paths import BINS_FILE, GRID_FILE
from vp_engine.lake.store import MANIFEST, Entry, Lake, LakePath, stored_file, write_json
from vp_engine.schema import (
    BIN_DTYPE,
    BIN_FIELDS,
    GRID_F32_NAMES,
    GRID_STORED,
    SCHEMA_VERSION,
    BinBlock,
)
from vp_engine.specs.capture import Capture
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.threads import prefetch
from vp_engine.units import parse_date

BLOCKS_AHEAD = 2  # the engine computes them while Parquet compresses the ones before
_BIN_NAMES = tuple(field.name for field in BIN_FIELDS)
_GRID = {field.name: field.dtype for field in GRID_STORED}


class DatasetInfo(NamedTuple):
    """A committed dataset and what its manifest says."""

    dataset_id: str
    address: str
    path: LakePath
    manifest: dict[str, Any]

    def file(self, name: str) -> LakePath:
        """Where one of its files is (`bins.parquet`, `grid_clean.parquet`)."""
        return stored_file(self.path, self.manifest, name)

    @property
    def n_bins(self) -> int:
        """Bins of the capture."""
        return int(self.manifest["rows"]["bins"])

    @property
    def pipeline(self) -> str:
        """Pipeline that computed it first."""
        return str(self.manifest["pipeline"])

    @property
    def capture(self) -> Capture:
        """The window it holds."""
        held = self.manifest["capture"]
        times = (held[name] for name in ("start_ns", "end_ns", "warmup_start_ns", "bin_ns"))
        return Capture(held["symbol"], parse_date(held["dt"]), *times)

    @property
    def config(self) -> VPRuntimeConfig:
        """Configuration it was computed with. Scoring, projection and state model are the pipeline's own, and no part
        of the data: a serving spec's take their place."""
        return VPRuntimeConfig.parse(self.manifest["params"], self.dataset_id)


def write_dataset(
    lake: Lake,
    stream: Iterable[BinBlock],
    *,
    config: VPRuntimeConfig,
    capture: Capture,
    pipeline: str,
    address: str,
    inputs: Mapping[str, Any],
    counters: Callable[[], Mapping[str, int]],
    code_version: str | None = None,
) -> DatasetInfo:
    """Write every bin of a capture and commit, or leave nothing. Memory does not grow with the capture.

    `inputs`: addresses of raw files and book, for the manifest, as is the stage's `code_version`; `counters` is asked
    once the stream has ended.
    DataError if the stream is not exactly the capture's bins. If the address is committed meanwhile by another
    writer, that one stays and is returned.
    """
    name = paths.dataset_id(capture, pipeline, address)
    target = lake.path(paths.dataset_dir(name))
    began = time.monotonic()
    with lake.commit_dir(target) as folder:
        writer = BlockWriter(folder, config.grid_radius_ticks, capture.start_ns, capture.bin_ns)
        writer.write(prefetch(stream, BLOCKS_AHEAD))
        if writer.n_bins != capture.n_bins:
            raise DataError(f"{name}: the stream ended after {writer.n_bins} of {capture.n_bins} bins")
        seconds = time.monotonic() - began
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "kind": "dataset",
            "dataset_id": name,
            "address": address,
            "code_version": code_version,
            "pipeline": pipeline,
            "params": config.parameters(),
            "capture": {**capture._asdict(), "dt": capture.dt.isoformat(), "n_bins": capture.n_bins},
            "inputs": dict(inputs),
            "counters": {key: int(value) for key, value in counters().items()},
            "summary": {
                "valid_bins": writer.n_valid,
                "events": writer.n_events,
                "trades": writer.n_trades,
                "volume": writer.volume,
            },
            "rows": {"bins": writer.n_bins, "grid": writer.n_bins * config.rows},
            "row_group_bins": ROW_GROUP_BINS,
            "bytes": {file: (folder / file).stat().st_size for file in (BINS_FILE, GRID_FILE)},
            "written": {
                "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "seconds": round(seconds, 3),
            },
        }
        write_json(folder / MANIFEST, manifest)
    return read_info(lake, target)


def read_info(lake: Lake, folder: LakePath) -> DatasetInfo:
    """What a committed folder's manifest says, sizes checked; LakeError if it does not hold."""
    info = _info(folder, lake.read_bytes(folder / MANIFEST))
    _check_sizes(info, lake.size)
    return info


def _info(folder: LakePath, content: bytes) -> DatasetInfo:
    """What the bytes of a dataset's manifest say."""
    manifest = unsealed(content, folder / MANIFEST)
    try:
        version, address, sizes = manifest["schema_version"], manifest["address"], manifest["bytes"]
        sound = (
            manifest["kind"] == "dataset"
            and set(sizes) == {BINS_FILE, GRID_FILE}
            and manifest["rows"]["bins"] == manifest["capture"]["n_bins"]
            and manifest["row_group_bins"] > 0
        )
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise LakeError(f"{folder / MANIFEST}: not the manifest of a dataset")
    if version != SCHEMA_VERSION:
        raise LakeError(
            f"{folder.name}: was written by {'an older' if version < SCHEMA_VERSION else 'a newer'} version of "
            f"Spymaster, with other columns; `vp generate {manifest.get('pipeline', 'PIPELINE')}` makes it again"
        )
    return DatasetInfo(folder.name, address, folder, manifest)


def _check_sizes(info: DatasetInfo, size: Callable[[LakePath], int]) -> None:
    for name, expected in info.manifest["bytes"].items():
        path = info.file(name)
        if size(path) != expected:
            raise LakeError(f"{path}: its size is not the {expected} bytes of the manifest; generate it again")


def find_dataset(lake: Lake, address: str) -> DatasetInfo | None:
    """The dataset of this address, whatever pipeline made it, or None."""
    if not paths.is_address(address):
        raise ConfigError(f"`address` must be 12 to 64 hex digits, was {address!r}")
    for folder in lake.entries(lake.path(paths.DATASETS), f"*__{address[:SHORT]}"):
        if lake.exists(folder):
            info = read_info(lake, folder)
            if info.address.startswith(address):
                return info
    return None


def list_datasets(lake: Lake) -> list[DatasetInfo]:
    """Every committed dataset by id; LakeError for one whose files are not what its manifest says."""
    return list(iter_datasets(lake))


def iter_datasets(lake: Lake, on_damage: Callable[[LakePath, LakeError], None] | None = None) -> Iterator[DatasetInfo]:
    """The same one by one; with `on_damage` a damaged one is told to it and left out. Opens manifests alone."""
    for folder, content, files in lake.folders(lake.path(paths.DATASETS)):
        try:
            info = _info(folder, content)
            _check_sizes(info, partial(_listed_size, files))
        except LakeError as error:
            if on_damage is None:
                raise
            on_damage(folder, error)
            continue
        yield info


def _listed_size(files: Mapping[str, Entry], path: LakePath) -> int:
    if path.name not in files:
        raise LakeError(f"{path}: missing, though the manifest lists it")
    return files[path.name].bytes


def open_dataset(lake: Lake | str | LakePath, name: str, verify: bool = False) -> Dataset:
    """A dataset by id or address (12 to 64 hex digits); `verify` hashes every byte again.

    NotFoundError if there is none, LakeError if it is not what its manifest says.
    """
    lake = lake if isinstance(lake, Lake) else Lake(lake)
    if paths.is_address(name):
        info = find_dataset(lake, name)
    else:
        folder = lake.path(paths.dataset_dir(name))
        info = read_info(lake, folder) if lake.exists(folder) else None
    if info is None:
        there = [path.name for path in lake.entries(lake.path(paths.DATASETS))]
        known = f"there are: {', '.join(there[:5])}{', …' if len(there) > 5 else ''}"
        hint = known if there else "the lake has none yet"
        raise NotFoundError(f"no dataset `{name}` in {lake.root}; {hint}")
    if verify:
        lake.verify_dir(info.path)
    return Dataset(info)


class Dataset:
    """A dataset to read from. Safe to share between threads: every read opens its own handle."""

    def __init__(self, info: DatasetInfo) -> None:
        self.info = info
        self.dataset_id, self.address, self.path, self.manifest = info
        self.n_bins = info.n_bins
        self.row_group_bins = int(info.manifest["row_group_bins"])

    def __repr__(self) -> str:
        return f"Dataset({self.dataset_id!r}, n_bins={self.n_bins})"

    @cached_property
    def config(self) -> VPRuntimeConfig:
        """Configuration it was computed with (see DatasetInfo.config)."""
        return self.info.config

    @cached_property
    def capture(self) -> Capture:
        """The window it holds."""
        return self.info.capture

    @property
    def rows(self) -> int:
        """Rows of the grid."""
        return self.config.rows

    @cached_property
    def bins(self) -> np.ndarray:
        """All bins: BIN_DTYPE (n_bins,), read-only."""
        out = np.zeros(self.n_bins, BIN_DTYPE)
        for first, columns in self._groups(BINS_FILE, _BIN_NAMES):
            for name, values in columns.items():
                out[name][first : first + len(values)] = values
        out.flags.writeable = False
        return out

    def __getitem__(self, name: str) -> np.ndarray:
        """One column: (n_bins,) for a value per bin, (n_bins, rows) for a grid field, in its own dtype."""
        if name in _BIN_NAMES:
            return self.bins[name]
        if name not in _GRID:
            raise NotFoundError(f"no column `{name}` in a dataset; there are: {', '.join((*_BIN_NAMES, *_GRID))}")
        out = np.empty((self.n_bins, self.rows), _GRID[name])
        for first, columns in self._groups(GRID_FILE, (name,)):
            part = columns[name].reshape(-1, self.rows)
            out[first : first + len(part)] = part
        return out

    @property
    def mid_ticks(self) -> np.ndarray:
        """Mid in ticks, float64 (n_bins,): multiples of a half, 0 where the book is invalid."""
        total = self.bins["best_bid_price_int"] + self.bins["best_ask_price_int"]
        return np.asarray(total / (2.0 * self.config.tick_int))

    def blocks(self, first_bin: int = 0, block_bins: int = 600) -> Iterator[BinBlock]:
        """Bins from `first_bin` to the end in blocks of `block_bins`, one row group in memory at a time.

        A block belongs to its receiver; the arrays are its own.
        """
        if not 0 <= first_bin <= self.n_bins:
            raise ConfigError(f"`first_bin` must lie in 0..{self.n_bins}, was {first_bin}")
        if block_bins < 1:
            raise ConfigError(f"`block_bins` must be at least 1, was {block_bins}")
        for block in regrouped(self._group_blocks(first_bin), self.config.grid_radius_ticks, block_bins):
            yield BinBlock(*(array.copy() for array in block))

    def _group_blocks(self, first_bin: int) -> Iterator[BinBlock]:
        """Row groups as blocks, the first one cut to begin at `first_bin`."""
        for group in range(first_bin // self.row_group_bins, -(-self.n_bins // self.row_group_bins)):
            block = self.group(group)
            yield block.part(max(first_bin - group * self.row_group_bins, 0), block.bins.size)

    def group(self, group: int, fields: Sequence[str] = BLOCK_FIELDS) -> BinBlock:
        """The bins of one row group; grid fields that are not asked for are zeros, and read-only."""
        ((_, values),) = self.columns(_BIN_NAMES, [group])
        count = len(values["bin_seq"])
        bins = np.zeros(count, BIN_DTYPE)
        for name, column in values.items():
            bins[name] = column
        ((_, columns),) = self.columns(fields, [group]) if fields else [(0, {})]
        held = {name: column.reshape(count, -1) for name, column in columns.items()}
        floats = [name for name in GRID_F32_NAMES if name in held]
        shape = (len(GRID_F32_NAMES), count, self.rows)
        grid = np.zeros(shape, np.float32) if floats else np.broadcast_to(np.float32(0), shape)
        for name in floats:
            grid[GRID_F32_NAMES.index(name)] = held[name]
        state5 = held.get("state5_code", np.broadcast_to(np.int8(0), shape[1:]))
        return BinBlock(bins, grid, state5, held.get("last_event_id", np.broadcast_to(np.int64(0), shape[1:])))

    def of_bins(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Some columns of all bins, each (n_bins,): without the rest, in a tenth of the time of `bins`."""
        path = self.info.file(BINS_FILE)
        with open_parquet(path, self._footers[BINS_FILE]) as file:
            return read_group(file, path, None, names)

    def columns(
        self, names: Sequence[str], groups: Iterable[int] | None = None
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """(first bin, flat columns) of row groups, all of them if `groups` is None; names of bins or of the grid."""
        file = BINS_FILE if names[0] in _BIN_NAMES else GRID_FILE
        return self._groups(file, tuple(names), groups)

    @cached_property
    def _footers(self) -> dict[str, pq.FileMetaData]:
        """Parquet metadata, read once."""
        return {name: open_parquet(self.info.file(name)).metadata for name in (BINS_FILE, GRID_FILE)}

    def _groups(
        self, name: str, columns: tuple[str, ...], groups: Iterable[int] | None = None
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """(first bin, flat columns) of row groups of one file, all of them if `groups` is None."""
        footer = self._footers[name]
        path = self.info.file(name)
        per_bin = 1 if name == BINS_FILE else self.rows
        if footer.num_rows != self.n_bins * per_bin:
            raise LakeError(f"{path}: {footer.num_rows} rows where the manifest says {self.n_bins * per_bin}")
        with open_parquet(path, footer) as file:
            for group in range(footer.num_row_groups) if groups is None else groups:
                yield group * self.row_group_bins, read_group(file, path, group, columns)
