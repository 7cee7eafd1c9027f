"""Databento's historical service as this project asks it: one contract, schema mbo, whole UTC days.

Every call waits patiently and fails in one line without the key. The vendor's client does the talking, but for the
files of a batch job: its downloader waits on 429 without a bound, sets no timeout and only warns of a wrong hash.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import databento
import requests
import zstandard
from databento import BentoClientError, BentoError, BentoHttpError
from databento_dbn import DBNError
from pydantic import SecretStr

from vp_assets.databento.client_internals import BentoWarning, check_http_error, open_historical
from vp_assets.databento.redaction import redact
from vp_assets.databento.retry import CutShort, Patience
from vp_engine.errors import ConfigError, DataError
from vp_engine.specs import VPRuntimeConfig
from vp_engine.units import parse_date

Value = TypeVar("Value")

SCHEMA, STYPE_IN, ENCODING, COMPRESSION, SPLIT = "mbo", "raw_symbol", "dbn", "zstd", "day"
STREAM_ATTEMPTS = 3  # a stream is billed each time it is sent
_TIMEOUT_S = (20, 100)  # to connect, between two pieces
_PIECE = 1 << 18
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DAY_FILE = re.compile(r"(?<!\d)(20\d{6})(?!\d).*\.dbn(\.zst)?$")
LIVE_STATES = "queued,processing,done"


@dataclass(frozen=True)
class Days:
    """A run of UTC days, the last one included."""

    first: dt.date
    last: dt.date

    @property
    def after(self) -> dt.date:
        """The day behind the last."""
        return self.last + dt.timedelta(days=1)

    def each(self) -> list[dt.date]:
        """Every day, in order."""
        return [self.first + dt.timedelta(days=n) for n in range((self.after - self.first).days)]

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


class Condition(NamedTuple):
    """The vendor's word on a day, and when it last changed."""

    word: str
    changed: str | None


class JobFile(NamedTuple):
    """One file of a batch job; sha256 in hex."""

    name: str
    day: dt.date
    bytes: int
    sha256: str
    url: str


class Vendor:
    """One account and one contract. `gateway` replaces the vendor's URL; without TLS it must be this machine."""

    def __init__(
        self, key: SecretStr, config: VPRuntimeConfig, gateway: str | None = None, patience: Patience | None = None
    ) -> None:
        self.config = config
        self.patience = patience or Patience()
        self._key = key
        plain = key.get_secret_value()
        base = str(databento.HistoricalGateway.BO1) if gateway is None else _checked_gateway(gateway)
        self._host = urlsplit(base).hostname
        self._client = open_historical(plain, None if gateway is None else base)

    def conditions(self, days: Days) -> dict[dt.date, Condition]:
        """What the vendor says of each day; a day it does not list is not in the answer."""
        rows = self._ask(
            "conditions",
            lambda: self._client.metadata.get_dataset_condition(self.config.dataset, days.first, days.last),
        )
        return {
            parse_date(str(row["date"])[:10], "date"): Condition(str(row["condition"]), row.get("last_modified_date"))
            for row in rows
        }

    def available_until(self) -> dt.datetime:
        """End of what the vendor has published of the dataset."""
        answer = self._ask("range", lambda: self._client.metadata.get_dataset_range(self.config.dataset))
        schemas = answer.get("schema")
        said = schemas[SCHEMA]["end"] if isinstance(schemas, dict) and SCHEMA in schemas else answer["end"]
        return moment(said)

    def cost_usd(self, days: Days) -> float:
        """Price of some days."""
        return float(self._ask("cost", lambda: self._client.metadata.get_cost(**self._what(days))))

    def count(self, day: dt.date) -> int:
        """Records of one day."""
        return int(
            self._ask("record count", lambda: self._client.metadata.get_record_count(**self._what(Days(day, day))))
        )

    def stream(self, day: dt.date, target: Path) -> None:
        """One day straight into `target`. The client refuses a file that is there, so each try starts anew."""

        def once() -> None:
            target.unlink(missing_ok=True)
            try:
                self._client.timeseries.get_range(**self._what(Days(day, day)), path=target)
            except (
                DBNError,
                zstandard.ZstdError,
            ) as error:  # the client opens what it wrote: not even its head is whole
                raise CutShort(f"the stream of {day} is cut ({error})") from None

        self._ask(f"data of {day}", once, attempts=STREAM_ATTEMPTS)

    def find_or_submit(self, days: Days, since: dt.datetime | None, spent: Sequence[str]) -> dict[str, Any]:
        """One job in all. A submission that failed may have got through, so each try looks at the account's jobs first.

        since: older jobs do not count; spent: nor do these.
        """

        def once() -> dict[str, Any]:
            for job in self._client.batch.list_jobs(LIVE_STATES, since, short=False):
                if job["id"] not in spent and same_request(job, self.config, days):
                    return job
            return self._client.batch.submit_job(
                **self._what(days), encoding=ENCODING, compression=COMPRESSION, split_duration=SPLIT
            )

        return self._ask("batch job", once)

    def job(self, job_id: str) -> dict[str, Any]:
        """State of a job as it is now."""
        found: dict[str, Any] = self._ask("batch job", lambda: self._client.batch.get_job_details(job_id))
        return found

    def files(self, job_id: str) -> dict[dt.date, JobFile]:
        """The day files of a finished job."""
        found = {}
        for row in self._ask("files", lambda: self._client.batch.list_files(job_id)):
            dated = _DAY_FILE.search(str(row["filename"]))
            if dated is None:  # metadata.json and its like
                continue
            method, _, digest = str(row["hash"]).partition(":")
            if method != "sha256":
                raise DataError(f"batch job {job_id}: {row['filename']} has a {method} hash, needed is sha256")
            day = parse_date(f"{dated[1][:4]}-{dated[1][4:6]}-{dated[1][6:]}", "date")
            found[day] = JobFile(str(row["filename"]), day, int(row["size"]), digest, str(row["urls"]["https"]))
        return found

    def fetch(self, file: JobFile, target: Path) -> None:
        """A job's file into `target`; a cut connection goes on where it was."""
        where = urlsplit(file.url)
        host = where.hostname or ""
        known = host == self._host or host.endswith(".databento.com")
        if not known or (where.scheme != "https" and host not in _LOOPBACK):
            raise DataError(f"{file.name}: its address is {where.scheme}://{host}, where no key is sent")

        def once() -> None:
            there = target.stat().st_size if target.exists() else 0
            headers = {"Range": f"bytes={there}-"} if there else {}
            with requests.get(
                file.url, headers=headers, auth=(self._key.get_secret_value(), ""), stream=True, timeout=_TIMEOUT_S
            ) as answer:
                check_http_error(answer)
                with target.open("ab" if answer.status_code == requests.codes.partial_content else "wb") as out:
                    for piece in answer.iter_content(_PIECE):
                        out.write(piece)
            if target.stat().st_size < file.bytes:
                raise CutShort(f"{file.name} ends after {target.stat().st_size} of {file.bytes} bytes")

        self._ask(f"file {file.name}", once)

    def _what(self, days: Days) -> dict[str, Any]:
        return {
            "dataset": self.config.dataset,
            "symbols": self.config.symbol,
            "schema": SCHEMA,
            "stype_in": STYPE_IN,
            "start": days.first.isoformat(),
            "end": days.after.isoformat(),
        }

    def _ask(self, what: str, action: Callable[[], Value], attempts: int | None = None) -> Value:
        return self._said(what, lambda: self.patience.call(action, attempts))

    def _said(self, what: str, action: Callable[[], Value]) -> Value:
        """The action's value, or one line without the key."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", BentoWarning)  # notices of the service; bytes are checked elsewhere
                return action()
        except (BentoError, requests.RequestException, CutShort) as error:
            raise self._plain(what, error) from None

    def _plain(self, what: str, error: Exception) -> DataError | ConfigError:
        status = error.http_status if isinstance(error, BentoHttpError) else None
        said = " ".join(redact(error, self._key).split())
        if status in (401, 403):
            return ConfigError(f"Databento refuses the key in DATABENTO_API_KEY ({status}); check it in your account")
        if isinstance(error, BentoClientError) and status not in (408, 429):
            return DataError(f"Databento refuses to send {what} of {self.config.symbol}: {said}")
        return DataError(f"Databento did not send {what} of {self.config.symbol} ({said}); run the same again later")


def same_request(job: dict[str, Any], config: VPRuntimeConfig, days: Days) -> bool:
    """Whether a listed job is what `submit` would ask for."""
    symbols = job.get("symbols")
    asked = symbols.split(",") if isinstance(symbols, str) else list(symbols or ())
    same = {"dataset": config.dataset, "schema": SCHEMA, "stype_in": STYPE_IN, "encoding": ENCODING,
            "compression": COMPRESSION, "split_duration": SPLIT}  # fmt: skip
    if asked != [config.symbol] or job.get("limit") or any(str(job.get(name)) != value for name, value in same.items()):
        return False
    return (moment(job["start"]).date(), moment(job["end"]).date()) == (days.first, days.after)


def moment(text: object) -> dt.datetime:
    """An aware time from what the service writes: a date, or a time with nanoseconds and Z or an offset."""
    short = re.sub(r"(\.\d{6})\d+", r"\1", str(text).strip())
    made = dt.datetime.fromisoformat(short)
    return made if made.tzinfo is not None else made.replace(tzinfo=dt.UTC)


def runs_of(days: Sequence[dt.date]) -> list[Days]:
    """Days as runs without a hole, in order."""
    runs: list[Days] = []
    for day in sorted(days):
        if runs and day == runs[-1].after:
            runs[-1] = Days(runs[-1].first, day)
        else:
            runs.append(Days(day, day))
    return runs


def _checked_gateway(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"`VP_DATABENTO_GATEWAY` must be a URL such as https://host, was {given!r}")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError(f"`VP_DATABENTO_GATEWAY` {given} would send the key in the clear; give an https URL")
    return given.rstrip("/")
