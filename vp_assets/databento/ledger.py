"""What was asked of Databento, one small file per request, so that a batch job is submitted once.

A file is written before a job is asked for (`asking`) and after (`asked`, with the job's id). Whoever finds `asking`
does not know whether the request got through before a crash, and looks through the account's jobs first.
Files lie below `ledger/databento` in the lake, written whole or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from vp_assets.databento.vendor import COMPRESSION, ENCODING, SCHEMA, SPLIT, STYPE_IN, Days, Vendor
from vp_engine.hashing import canonical_json, sha256_text
from vp_engine.lake import Lake, paths
from vp_engine.specs import VPRuntimeConfig
from vp_engine.specs.base import SpecModel

_KEY_DIGITS = 16
_CLOCKS_APART = dt.timedelta(hours=1)  # between this machine and the vendor's, generously


class LedgerEntry(SpecModel):
    """One request. state: `asking` (perhaps sent), `asked` (job known), `done` (nothing of it is wanted any more)."""

    key: str
    dataset: str
    symbol: str
    first: dt.date
    last: dt.date
    state: Literal["asking", "asked", "done"]
    asked_at: dt.datetime
    job_id: str | None = None
    spent: tuple[str, ...] = ()  # earlier jobs of the same request, whose days are wanted anew
    cost_usd: float | None = None

    @property
    def days(self) -> Days:
        """UTC days of the request."""
        return Days(self.first, self.last)


def request_key(config: VPRuntimeConfig, days: Days) -> str:
    """Digest of everything that a job is asked for."""
    asked = [
        config.dataset,
        config.symbol,
        SCHEMA,
        STYPE_IN,
        ENCODING,
        COMPRESSION,
        SPLIT,
        str(days.first),
        str(days.after),
    ]
    return sha256_text(canonical_json(asked))[:_KEY_DIGITS]


class Ledger:
    """The requests of one contract in one lake."""

    def __init__(self, lake: Lake, config: VPRuntimeConfig) -> None:
        self._lake, self._config = lake, config
        self._folder = lake.path(paths.LEDGER)

    def open_entries(self) -> list[LedgerEntry]:
        """Requests of this contract that are not done."""
        found = [self._read(path) for path in self._lake.entries(self._folder, "*.json")]
        mine = (self._config.dataset, self._config.symbol)
        return [entry for entry in found if entry.state != "done" and (entry.dataset, entry.symbol) == mine]

    def job_for(self, vendor: Vendor, days: Days, cost_usd: float | None = None) -> LedgerEntry:
        """The entry of a job over these days: the one that is noted, one that the account lists, or a new one."""
        key = request_key(self._config, days)
        with self._alone():
            noted = self._find(key)
            if noted is not None and noted.state == "asked":
                return noted
            asking = noted
            if asking is None or asking.state == "done":
                spent = () if noted is None else (*noted.spent, noted.job_id or "")
                asking = LedgerEntry(
                    key=key, dataset=self._config.dataset, symbol=self._config.symbol, first=days.first, spent=spent,
                    last=days.last, state="asking", asked_at=dt.datetime.now(dt.UTC), cost_usd=cost_usd,
                )  # fmt: skip
                self._write(asking)
            since = asking.asked_at - _CLOCKS_APART if asking.spent else None
            job = vendor.find_or_submit(days, since, asking.spent)
            asked = asking.model_copy(update={"state": "asked", "job_id": str(job["id"])})
            self._write(asked)
            return asked

    def close(self, entry: LedgerEntry) -> None:
        """Nothing of the request is wanted any more."""
        self._write(entry.model_copy(update={"state": "done"}))

    def _find(self, key: str) -> LedgerEntry | None:
        path = self._folder / f"{key}.json"
        return self._read(path) if self._lake.exists(path) else None

    def _read(self, path: Path) -> LedgerEntry:
        return LedgerEntry.parse(self._lake.read_manifest(path), str(path))

    def _write(self, entry: LedgerEntry) -> None:
        self._lake.commit_document(self._folder / f"{entry.key}.json", entry.model_dump(mode="json"))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process asks at a time: two downloads of the same days submit one job."""
        self._lake.make_folder(self._folder)
        with self._lake.locked(self._folder):
            yield
