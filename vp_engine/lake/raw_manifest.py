"""What is known of a raw day: the manifest beside its file."""

from __future__ import annotations

import datetime as dt

from pydantic import AliasChoices, Field

from vp_engine.integrity import Integrity
from vp_engine.schema import SCHEMA_VERSION
from vp_engine.specs.base import SpecModel


class RawManifest(SpecModel):
    """What is known of one raw file. Counts of the contract's records except `records`, which is all of them."""

    schema_version: int = SCHEMA_VERSION
    kind: str = "raw"
    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int
    source: str
    dataset: str
    symbol: str
    day: dt.date
    dbn_version: int
    records: int
    kept: int
    first_ts_ns: int
    last_ts_ns: int
    coverage_start_ns: int | None = None  # what the file holds whole of its day; None for a day of an older version
    coverage_end_ns: int | None = None
    complete_start: bool = Field(validation_alias=AliasChoices("complete_start", "has_snapshot"))
    n_bad_flags: int
    instrument_ids: tuple[int, ...]
    symbol_source: str | None = None  # where the file says which instrument is the contract
    faults: dict[str, int] = Field(default_factory=dict)  # signs of faults by counter, see vp_engine.integrity
    faults_first_ns: dict[str, int] = Field(default_factory=dict)  # when each was first seen
    condition: str | None = None  # the vendor's word on the day, where it was asked
    counted: str | None = None  # which of the file's records are those that the vendor counts, where it was asked
    quarantine: str | None = None  # why nothing may be built on the day until somebody admits it
    admitted: str | None = None  # what was said when it was admitted by hand
    repeated: int = 0  # records that came several times and are in the file once
    sources: tuple[str, ...] = ()  # sha256 of the files that it was put together from; none for a file as it came

    @property
    def address(self) -> str:
        """Address of the file: the sha256 of its bytes."""
        return self.sha256

    @property
    def integrity(self) -> Integrity:
        """Signs of faults that were seen when the file came in."""
        return Integrity(self.kept, self.faults, self.faults_first_ns)
