"""Recording and computing one contract live: what the gateway sends goes into the day's file and then to the engine,
in that order, so that a replay of the file gives the same bins bit for bit.

Where records are missing the file says so: a clear, then the snapshot that the next session opens with. Days are cut by
receive time at UTC midnight; each file opens with a snapshot.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vp_engine.book.levels import is_valid
from vp_engine.book.state import BEST_ASK_KEY, BEST_BID_KEY, UNKNOWN_CANCEL, UNKNOWN_MODIFY, BookState
from vp_engine.errors import DataError
from vp_engine.feed.capture import event_clock
from vp_engine.feed.day_file import DayFile, day_file_pattern, day_of, mend
from vp_engine.feed.dbn import DbnFile
from vp_engine.feed.gaps import GapWatch
from vp_engine.feed.live_protocol import LineLost, LiveSource
from vp_engine.feed.made import clear_record, snapshot_records, time_record
from vp_engine.live.engine import LiveEngine
from vp_engine.live.resync import QUIET_NS, Resync, adds_of
from vp_engine.live.watermark import Watermark
from vp_engine.schema import BinBlock
from vp_engine.specs.capture import Capture
from vp_engine.specs.runtime import VPRuntimeConfig
from vp_engine.units import NS_PER_DAY, NS_PER_MS, NS_PER_S, dollars, utc_date, utc_midnight_ns

_TAKE_S = 0.02
_SYNC_NS = NS_PER_S
_HEALTHY_NS = 10 * NS_PER_S  # a session that has lasted this long counts as a success
_MIDNIGHT_GRACE_NS = 5 * NS_PER_S  # without a record behind it, a day is over this long after its end
_MAX_UNKNOWN = 20  # cancels and modifies of orders that nobody added, since the last snapshot
_NEVER = 1 << 62


class Backoff(NamedTuple):
    """Seconds between tries to connect: doubled each time up to the longest, less a random half."""

    first_s: float = 0.5
    longest_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        """Before the next try, after so many that failed."""
        return min(self.first_s * 2.0 ** min(failures, 16), self.longest_s) * random.uniform(0.5, 1.0)


@dataclass
class LiveStatus:
    """What a person wants to see. records: written by this process, of them `late` for bins that were closed; skipped:
    received but of no use; said: why the line was lost last; mid in $, 0 without a valid book."""

    connected: bool = False
    records: int = 0
    bins: int = 0
    late: int = 0
    gaps: int = 0
    connects: int = 0
    skipped: int = 0
    lag_ms: float = 0.0
    mid: float = 0.0
    said: str = ""


class LiveSession:
    """One contract, one capture, one folder of files under way.

    on_bins gets bins as they close, first those of a file that was left under way today. on_day gets a file whose day
    is over, and takes it away. clock gives this machine's time in ns.
    """

    def __init__(
        self,
        feed: LiveSource,
        folder: Path,
        config: VPRuntimeConfig,
        capture: Capture,
        on_bins: Callable[[BinBlock], None],
        *,
        on_day: Callable[[Path, dt.date], None] = lambda path, day: None,
        watch: GapWatch | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.engine = LiveEngine(config, capture, on_bins)
        self.status = LiveStatus()
        self._feed, self._folder, self._config = feed, folder, config
        self._on_day, self._clock = on_day, clock
        self._watch, self._backoff = watch or GapWatch(), backoff or Backoff()
        self._watermark = Watermark()
        self._file: DayFile | None = None
        self._resync: Resync | None = None
        self._live = False  # the book is whole and goes on; else a snapshot must come first
        self._publisher = 1
        self._failures = self._unknown = 0
        self._quiet_ns: int | None = None
        self._retry_ns = self._heard_ns = self._synced_ns = self._since_ns = 0

    def run(self, stop: Callable[[], bool]) -> None:
        """Until `stop` says so. ConfigError if the gateway refuses the key or the symbol."""
        try:
            self._pick_up()
            while not stop():
                if self.status.connected:
                    self._listen()
                else:
                    self._connect()
                self._pass_time()
        finally:
            self._feed.close()
            self.status.connected = False
            if self._file is not None:
                self._file.close()

    # Files

    def _pick_up(self) -> None:
        """Days that are over are handed on; today's is read through the engine and goes on."""
        today = utc_date(self._clock())
        for path in sorted(self._folder.glob(day_file_pattern(self._config.dataset, self._config.symbol))):
            day = day_of(path)
            if day is None or (mend(path) and not path.exists()):
                continue
            if day < today:
                self._hand_on(path, day)
                continue
            held = DbnFile(path)
            (number,) = held.instrument_ids(self._config.symbol)
            self._open(day, number)
            for batch in held.batches():
                self._publisher = int(batch["publisher_id"][-1])
                self.engine.feed(batch)
                self._live = True
            self._gap("the recording was interrupted")

    def _hand_on(self, path: Path, day: dt.date) -> None:
        """A file whose day is over, unless nothing is in it."""
        if next(DbnFile(path).batches(), None) is None:
            path.unlink()
        else:
            self._on_day(path, day)

    def _open(self, day: dt.date, instrument_id: int) -> None:
        config = self._config
        self._file = DayFile(self._folder, config.dataset, config.symbol, day, instrument_id)

    def _roll(self, day: dt.date) -> None:
        """The day is over: its file goes, the next one opens with the book as it stands."""
        old = self._file
        if old is None:
            return
        if self._live:
            old.finish()
        old.close()
        self._hand_on(old.path, old.day)
        self._open(day, old.instrument_id)
        if self._live:
            ids = (old.instrument_id, self._publisher)
            midnight = utc_midnight_ns(day)
            adds = adds_of(self.engine.orders(), self._config.tick_int, midnight, *ids)
            self._append(snapshot_records(adds, midnight, *ids))

    def _write(self, records: np.ndarray) -> None:
        """Into the files of their days and through the engine."""
        while records.size and self._file is not None:
            over = np.flatnonzero(records["ts_recv"] >= self._midnight())
            n_today = int(over[0]) if over.size else records.size
            self._append(records[:n_today])
            if over.size:
                self._roll(utc_date(int(records["ts_recv"][n_today])))
            records = records[n_today:]

    def _append(self, records: np.ndarray) -> None:
        """File first, then engine; late records stand behind one that says how late it is."""
        if not records.size or self._file is None:
            return
        closed = self.engine.closed_ns
        late = int((event_clock(records) < closed).sum())
        if late and self.engine.clock_ns < closed:
            recv = max(self._file.last_recv_ns, int(records["ts_recv"][0]))
            now = time_record(closed, recv, self._file.instrument_id, self._publisher)
            records = np.concatenate([now, records])
        self._file.append(records)
        self.engine.feed(records)
        self._publisher = int(records["publisher_id"][-1])
        self.status.records += records.size
        self.status.late += late

    def _midnight(self) -> int:
        """End of the file's day."""
        return utc_midnight_ns(self._file.day) + NS_PER_DAY if self._file is not None else _NEVER

    # The line

    def _connect(self) -> None:
        if self._clock() < self._retry_ns:
            time.sleep(_TAKE_S)
            return
        self.status.connects += 1
        try:
            self._feed.connect()
        except LineLost as error:
            self._put_off(str(error))
            return
        self._resync, self._live = None, False
        self._watch.reset()
        self._heard_ns = self._clock()
        self.status.connected = True

    def _put_off(self, reason: str) -> None:
        """Try again later."""
        self.status.connected = False
        self.status.said = reason
        self._retry_ns = self._clock() + round(self._backoff.pause_s(self._failures) * NS_PER_S)
        self._failures += 1

    def _listen(self) -> None:
        """One helping of records through resync, gap watch, file and engine."""
        before = self._clock()
        got = self._feed.take(_TAKE_S)
        here = self._clock()
        self._quiet_ns = None if got.records.size else before
        if got.clock_ns:
            self._watermark.seen(got.clock_ns, here)
        if got.records.size:
            self._heard_ns = here
            self._take(got.records)
        elif self._resync is not None and here - self._heard_ns > QUIET_NS:
            self._go_on(self._resync.end())
        if got.lost is not None and self.status.connected:
            self._gap(got.lost)
        if self._live and here - self._since_ns > _HEALTHY_NS:
            self._failures = 0
        if self._file is not None and here - self._synced_ns > _SYNC_NS:
            self._file.sync()
            self._synced_ns = here

    def _take(self, records: np.ndarray) -> None:
        if self._live:
            self._check(records)
            return
        if self._resync is None:
            number = int(records["instrument_id"][0])
            if self._file is None:
                self._open(utc_date(self._clock()), number)
            elif self._file.instrument_id != number:
                raise DataError(
                    f"{self._file.path.name}: holds instrument {self._file.instrument_id}, the gateway now sends "
                    f"{number}; move the file away"
                )
            self._resync = self._new_resync()
        self._go_on(self._resync.offer(records))

    def _new_resync(self) -> Resync:
        """From a floor on: what was received by then is recorded, of another day, or of bins that are closed."""
        if self._file is None:
            return Resync(self._config, 0)
        floor = max(self._midnight() - NS_PER_DAY, self.engine.closed_ns)
        last = self._file.last_recv_ns
        return Resync(self._config, last, self._file.n_at_last) if last > floor else Resync(self._config, floor)

    def _go_on(self, records: np.ndarray | None) -> None:
        """From the snapshot on, once there is one."""
        if records is None or self._resync is None:
            return
        self.status.skipped += self._resync.skipped
        self._resync, self._live = None, True
        self._since_ns = self._clock()
        self._unknown = self._changes_of_unknown()
        self._check(records)

    def _check(self, records: np.ndarray) -> None:
        """Write what is before a gap; behind it nothing counts until the next snapshot."""
        n_good, reason = self._watch.first_gap(records)
        self._write(records[:n_good])
        unknown = self._changes_of_unknown() - self._unknown
        if reason is None and unknown > _MAX_UNKNOWN:
            reason = f"{unknown} changes of orders that nobody added"
        if reason is not None:
            self.status.skipped += records.size - n_good
            self._gap(reason)

    def _changes_of_unknown(self) -> int:
        counters = self.engine.book.counters
        return int(counters[UNKNOWN_CANCEL] + counters[UNKNOWN_MODIFY])

    def _gap(self, reason: str) -> None:
        """Records are missing from here on: no book until the next snapshot."""
        if self._live and self._file is not None:
            self.status.gaps += 1
            ts_ns = max(self.engine.clock_ns, self.engine.closed_ns)
            self._append(clear_record(ts_ns, self._file.last_recv_ns, self._file.instrument_id, self._publisher))
        self._resync, self._live = None, False
        self._feed.close()
        self._put_off(reason)

    def _pass_time(self) -> None:
        """Close what is over by the gateway's clock. While old records are being folded, time stands."""
        here = self._clock()
        status, now = self.status, self._watermark.now_ns(here)
        if now and self._resync is None:
            self.engine.pass_time(self._watermark.closed_ns(self._quiet_ns if status.connected else here))
            if now > self._midnight() + _MIDNIGHT_GRACE_NS:
                self._roll(utc_date(now))
        status.bins = self.engine.bins
        status.lag_ms = self._watermark.lag_ns(here) / NS_PER_MS
        book = self.engine.book
        quoted = self._live and is_valid(book)
        status.mid = dollars((bid_ask_sum(book)) * self._config.tick_int) / 2 if quoted else 0.0


def bid_ask_sum(book: BookState) -> int:
    """Best bid and best ask, added, in ticks; the book must be valid."""
    return int(book.scalars[BEST_BID_KEY] - book.scalars[BEST_ASK_KEY])
