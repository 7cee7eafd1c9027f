"""Names in a lake, relative to its root. Names of people's things are checked before they touch a path."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePosixPath

from vp_engine.errors import ConfigError
from vp_engine.feed.symbols import path_name
from vp_engine.hashing import SHORT
from vp_engine.lake.store import Lake, LakePath
from vp_engine.specs.base import NAME_PATTERN
from vp_engine.specs.capture import Capture
from vp_engine.specs.runtime import VPRuntimeConfig

RAW = PurePosixPath("raw")
BOOKS = PurePosixPath("cache/vp_book")
DATASETS = PurePosixPath("research/vp_immutable")
HARNESS = PurePosixPath("research/vp_harness")
RUNS_META = HARNESS / "results/runs_meta"
RUNS = HARNESS / "results/runs"
RUN_INDEX = HARNESS / "results/run_index.json"
PARTS = HARNESS / "results/parts"
TRACKED = HARNESS / "results/tracked"
PROOFS = HARNESS / "signal_proofs"
MODELS = HARNESS / "models"
LEDGER = PurePosixPath("ledger/databento")
CAMPAIGNS = PurePosixPath("research/vp_campaigns")
PROMOTED_SERVING = HARNESS / "configs/serving"

BINS_FILE = "bins.parquet"
GRID_FILE = "grid_clean.parquet"
MANIFEST_SUFFIX = ".manifest.json"
BOOK_SHORT = 16  # hex digits of an address in a book cache's name

_NAME = re.compile(NAME_PATTERN)
_ADDRESS = re.compile(r"[0-9a-f]{12,64}")
DATASET_ID = re.compile(r"[A-Z0-9]([A-Z0-9.]|-[0-9a-f]{2})*_[0-9]{8}_[0-9]{4,6}_[0-9]{4,6}__[a-z0-9_]+__[0-9a-f]{12}")


def check_name(name: str, what: str = "name") -> str:
    """The name, if it is one; ConfigError otherwise."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"`{what}` must be lower-case letters, digits and underscores, was {name!r}")
    return name


def is_address(text: str) -> bool:
    """Whether the text is an address or a beginning of one (12 to 64 hex digits)."""
    return _ADDRESS.fullmatch(text) is not None


def is_dataset_id(text: str) -> bool:
    """Whether the text has the form of a dataset id."""
    return DATASET_ID.fullmatch(text) is not None


def raw_folder(config: VPRuntimeConfig, source: str) -> PurePosixPath:
    """Folder of raw days of one root symbol from one source (`databento`, `synthetic`)."""
    return (
        RAW
        / f"source={check_name(source, 'source')}"
        / f"product_type={config.product_type}"
        / f"symbol={config.symbol_root}"
        / "table=market_by_order_dbn"
    )


def raw_path(config: VPRuntimeConfig, utc_day: dt.date, source: str, compressed: bool = True) -> PurePosixPath:
    """The raw file of one UTC day of the locked contract."""
    dataset = config.dataset.lower().replace(".", "-")
    suffix = "dbn.zst" if compressed else "dbn"
    return raw_folder(config, source) / f"{dataset}-{utc_day:%Y%m%d}.{path_name(config.symbol)}.mbo.{suffix}"


def day_pattern(config: VPRuntimeConfig) -> str:
    """What names of the locked contract's days match, up to `.dbn`; those of no other contract do."""
    return f"{config.dataset.lower().replace('.', '-')}-????????.{path_name(config.symbol)}.mbo"


def manifest_path(file: LakePath) -> LakePath:
    """The manifest beside a loose file, named after what the file is called before its bytes are known."""
    return file.with_name(file.name + MANIFEST_SUFFIX)


def book_path(capture: Capture, address: str) -> PurePosixPath:
    """The book cache before one capture."""
    return BOOKS / f"{path_name(capture.symbol)}_{capture.dt.isoformat()}_{address[:BOOK_SHORT]}.arrow"


def carried_path(address: str) -> PurePosixPath:
    """Note of how one day's snapshot differs from the book of the day before."""
    return BOOKS / f"carried_{address[:BOOK_SHORT]}.json"


def dataset_id(capture: Capture, pipeline: str, address: str) -> str:
    """Name of a dataset and of its folder."""
    return f"{path_name(capture.symbol)}_{capture.label()}__{check_name(pipeline, 'pipeline')}__{address[:SHORT]}"


def dataset_dir(name: str) -> PurePosixPath:
    """Folder of a dataset by its id; ConfigError if it is not the form of one."""
    if not is_dataset_id(name):
        raise ConfigError(f"`dataset` must be an id such as MNQH6_20260206_0925_1025__name__0123456789ab, was {name!r}")
    return DATASETS / name


def results_manifest(sweep_address: str) -> PurePosixPath:
    """The manifest of one sweep's files: it is there when they are."""
    return RUNS_META / f"{sweep_address}{MANIFEST_SUFFIX}"


def results_paths(sweep_address: str) -> tuple[PurePosixPath, PurePosixPath]:
    """(runs_meta, runs) files of one sweep."""
    return RUNS_META / f"{sweep_address}.parquet", RUNS / f"{sweep_address}.parquet"


def parts_dir(sweep_address: str) -> PurePosixPath:
    """Folder of the rows of a sweep that is not finished."""
    return PARTS / sweep_address


def tracked_path(sweep_address: str, server: str) -> PurePosixPath:
    """Note that a tracking server (the digest of its address) has taken one sweep."""
    return TRACKED / f"{sweep_address}.{server[:SHORT]}.json"


def signal_proof_path(address: str) -> PurePosixPath:
    """Note that a signal has passed the check of its contract."""
    return PROOFS / f"{address}.json"


def campaign_path(name: str, address: str) -> PurePosixPath:
    """Index of one campaign's datasets."""
    return CAMPAIGNS / f"{check_name(name, 'campaign')}__{address[:SHORT]}.json"


def promoted_serving_dir(lake: Lake) -> LakePath:
    """Folder of promoted serving specs, in full."""
    return lake.path(PROMOTED_SERVING)


def promoted_serving_path(lake: Lake, name: str) -> LakePath:
    """File of one promoted serving spec, in full."""
    return promoted_serving_dir(lake) / f"{check_name(name, 'serving')}.yaml"
