"""The lake: raw days, book caches, datasets and results under one root, each committed whole or not at all."""

from vp_engine.lake.address import book_address, dataset_address, sweep_address
from vp_engine.lake.datasets import Dataset, DatasetInfo, find_dataset, list_datasets, open_dataset, write_dataset
from vp_engine.lake.raw import RawDay, RawManifest, find_raw, import_raw, list_raw
from vp_engine.lake.store import Lake

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Lake",
    "RawDay",
    "RawManifest",
    "book_address",
    "dataset_address",
    "find_dataset",
    "find_raw",
    "import_raw",
    "list_datasets",
    "list_raw",
    "open_dataset",
    "sweep_address",
    "write_dataset",
]
