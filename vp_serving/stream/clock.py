"""When each bin of a stream is due. Times in seconds of the event loop's clock, bins by `bin_seq`."""

from __future__ import annotations

import math


class Clock:
    """Deadlines count from an anchor, so a late bin never makes the next one late."""

    def __init__(self, bin_s: float, speed: float) -> None:
        self.bin_s = bin_s
        self._speed = speed
        self.paused = False
        self._anchor: tuple[int, float] | None = None
        self._earliest = -math.inf  # of the first bin after a new anchor

    @property
    def speed(self) -> float:
        """Market time per time, 0: no deadlines."""
        return self._speed

    def seconds(self, bins: int) -> float:
        """How long so many bins take; without end at speed 0."""
        return bins * self.bin_s / self._speed if self._speed else math.inf

    def set_speed(self, speed: float) -> None:
        """Go on at another speed; the next bin keeps its distance from the last one."""
        self._speed, self._anchor = speed, None

    def pause(self) -> None:
        """Hold."""
        self.paused, self._anchor = True, None

    def resume(self) -> None:
        """Go on where it was held."""
        self.paused = False

    def jump(self) -> None:
        """The next bin is another one than expected, and due at once."""
        self._anchor, self._earliest = None, -math.inf

    def due(self, bin_seq: int, now: float) -> float:
        """Loop time at which a bin is due; `now` at speed 0."""
        if self._speed == 0:
            return now
        if self._anchor is None:
            self._anchor = (bin_seq, max(now, self._earliest))
        first, start = self._anchor
        due = start + (bin_seq - first) * self.bin_s / self._speed
        self._earliest = due + self.bin_s / self._speed
        return due
