"""What a live session needs of a gateway, whoever's it is. Times in ns UTC."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class LineLost(Exception):
    """The session with the gateway has ended or did not come about; another may."""


class Received(NamedTuple):
    """records: MBO_DTYPE (n,) of the contract; clock_ns: latest time that the gateway has shown, 0 if none;
    lost: why nothing more will come, or None."""

    records: np.ndarray
    clock_ns: int
    lost: str | None


class LiveSource(Protocol):
    """One contract's records. After `lost` or LineLost, `connect` starts anew."""

    def connect(self) -> None:
        """Begin a session that opens with a snapshot. LineLost if it may come later, ConfigError if it never will."""

    def take(self, timeout_s: float) -> Received:
        """What has come; waits up to `timeout_s` for the first of it."""

    def close(self) -> None:
        """End the session, if there is one."""
