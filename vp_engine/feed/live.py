"""One contract's records as they happen, from Databento's live gateway: the vendor's client behind a small buffer.

The client runs on a thread of its own; `take` hands over what has come. Times in ns UTC.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import Any

import numpy as np
from databento import BentoError, Live
from databento_dbn import ErrorMsg, MBOMsg, SymbolMappingMsg, SystemMsg

from vp_engine.errors import ConfigError
from vp_engine.feed.live_protocol import LineLost, Received
from vp_engine.feed.records import MBO_BYTES, MBO_DTYPE

DEFAULT_PORT = 13000
HEARTBEAT_S = 10  # silence this long is answered by a heartbeat, and a longer one means that the line is dead
_POLL_S = 0.002
_PASSING = ("Connection to", "Authentication with", "connection lost")  # how the client begins what may heal


class LiveFeed:
    """The gateway of one dataset. The key is kept by the client and shown nowhere."""

    def __init__(
        self, key: str, dataset: str, symbol: str, gateway: str | None = None, port: int = DEFAULT_PORT
    ) -> None:
        self._key, self._dataset, self._symbol = key, dataset, symbol
        self._gateway, self._port = gateway, port
        self._client: Live | None = None
        self._parts: deque[bytes | int] = deque()  # records, and the times of heartbeats between them
        self._clock_ns = 0
        self._error: str | None = None
        self._instrument_id: int | None = None

    def connect(self) -> None:
        """Begin a session that opens with a snapshot. LineLost if it may come later, ConfigError if it never will."""
        self.close()
        self._parts.clear()
        self._error, self._clock_ns = None, 0
        client = Live(key=self._key, gateway=self._gateway, port=self._port, heartbeat_interval_s=HEARTBEAT_S)
        try:
            client.add_callback(self._hear)
            client.subscribe(self._dataset, "mbo", self._symbol, "raw_symbol", snapshot=True)
            client.start()
        except (BentoError, ValueError, OSError) as error:
            said = " ".join(str(error).replace(self._key, "[key]").split())
            if said.startswith(_PASSING) or isinstance(error, OSError):
                raise LineLost(said) from None
            raise ConfigError(f"the live gateway refuses the session: {said}; check DATABENTO_API_KEY") from None
        self._client = client

    def take(self, timeout_s: float) -> Received:
        """What has come; waits up to `timeout_s` for the first of it."""
        until = time.monotonic() + timeout_s
        while True:
            alive = self._client is not None and self._client.is_connected()
            parts = [self._parts.popleft() for _ in range(len(self._parts))]
            if parts or not alive or time.monotonic() >= until:
                break
            time.sleep(_POLL_S)
        lost = None if alive or parts else (self._error or "the gateway closed the connection")
        if lost is None and self._error is not None and not parts:
            lost = self._error
        records = self._records([part for part in parts if isinstance(part, bytes)])
        times = [part for part in parts if isinstance(part, int)]
        latest = max([*times, int(records["ts_recv"].max())] if records.size else times, default=0)
        self._clock_ns = max(self._clock_ns, latest)
        return Received(records, self._clock_ns, lost)

    def close(self) -> None:
        """End the session, if there is one."""
        if self._client is not None:
            with contextlib.suppress(ValueError):  # it has ended by itself
                self._client.terminate()
            self._client = None

    def _records(self, parts: list[bytes]) -> np.ndarray:
        records = np.frombuffer(b"".join(parts), MBO_DTYPE)
        if not records.size:
            return records
        if self._instrument_id is None:  # one symbol was asked for, so this is its number
            self._instrument_id = int(records["instrument_id"][0])
        mine = records["instrument_id"] == self._instrument_id
        return records if mine.all() else records[mine]

    def _hear(self, record: Any) -> None:
        """On the client's thread: keep bytes, no more."""
        if isinstance(record, MBOMsg):
            self._parts.append(bytes(record)[:MBO_BYTES])
        elif isinstance(record, SymbolMappingMsg):
            if self._symbol in (record.stype_in_symbol, record.stype_out_symbol):
                self._instrument_id = int(record.instrument_id)
        elif isinstance(record, ErrorMsg):
            self._error = f"the gateway says: {record.err}"
        elif isinstance(record, SystemMsg):
            self._parts.append(int(record.ts_event))


def parse_gateway(text: str) -> tuple[str, int]:
    """Host and port of `host:port`; ConfigError otherwise."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigError(f"`VP_DATABENTO_LIVE_GATEWAY` must be host:port, was {text!r}")
    return host, int(port)
