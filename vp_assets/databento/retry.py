"""Which faults are worth another try, how long to wait, and when to give up. Waits are seconds.

Worth it: 429 (as long as Retry-After says), 408, 5xx, a connection that fails or is cut. Everything else is the
caller's mistake and is said at once.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import requests
import tenacity
from databento import BentoClientError, BentoError, BentoHttpError, BentoServerError

Value = TypeVar("Value")


class Patience(NamedTuple):
    """attempts: tries in all; first_s: about the first wait, doubled each time; longest_s: no wait is longer, and who
    asks for a longer one is left alone."""

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, action: Callable[[], Value], attempts: int | None = None) -> Value:
        """The action's value; its last error once patience ends, or its first that no waiting heals."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_passing),
            stop=lambda state: state.attempt_number >= (attempts or self.attempts) or _asked(state) > self.longest_s,
            wait=self._wait,
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(action)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        asked = retry_after(_error(state))
        jittered = tenacity.wait_random_exponential(multiplier=self.first_s, max=self.longest_s)
        return asked if asked is not None else jittered(state)


class CutShort(Exception):
    """Bytes that end before they should; another try may bring the rest."""


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _asked(state: tenacity.RetryCallState) -> float:
    """Seconds that the last answer asks to wait, 0 if it does not say."""
    return retry_after(_error(state)) or 0.0


def is_passing(error: BaseException) -> bool:
    """Whether waiting may heal it."""
    if isinstance(error, (BentoServerError, requests.ConnectionError, requests.Timeout, CutShort)):
        return True
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return True
    if isinstance(error, BentoClientError):
        return error.http_status in (408, 429)
    return isinstance(error, BentoError) and not isinstance(error, BentoHttpError) and "streaming" in str(error)


def retry_after(error: BaseException | None) -> float | None:
    """Seconds that a response asks to wait, given as a number or as a date; None if it does not say."""
    said = error.headers.get("Retry-After") if isinstance(error, BentoHttpError) else None
    if said is None:
        return None
    try:
        return max(float(said), 0.0)
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    return max((until - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)
