"""What is said when a run fails, and where: one line in the log, and a webhook if one is configured.

The body has a `text`, which is what Slack, Mattermost and Teams read, and the same facts one by one. A webhook's URL
is a secret (whoever knows it may post): it never reaches a log.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr
from tenacity import Retrying, stop_after_attempt, wait_exponential

TRIES = 3
_TIMEOUT_S = 10
_LONGEST = 600  # characters of an error


class Failure(NamedTuple):
    """A run that failed. `error` is the line that says why, `by` what asked for the run."""

    run_id: str
    job: str
    day: str | None
    assets: Sequence[str]
    error: str
    by: str | None

    @property
    def text(self) -> str:
        """One line for a person."""
        what = ", ".join(self.assets) or self.job
        return f"Spymaster: {what}{f' of {self.day}' if self.day else ''} failed: {self.error} (run {self.run_id[:8]})"


def one_line(error: str) -> str:
    """An error on one line, cut where it becomes a story."""
    line = " ".join(error.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def place(webhook: SecretStr) -> str:
    """Scheme and host of a webhook: what may be said of it."""
    parts = urlsplit(webhook.get_secret_value())
    return f"{parts.scheme}://{parts.hostname}"


def post(webhook: SecretStr, failure: Failure, wait_s: float = 1.0) -> str | None:
    """Tell the webhook, in a few tries; what went wrong, or None."""
    body = json.dumps({"text": failure.text, **failure._asdict()}).encode()
    head = {"Content-Type": "application/json"}
    try:
        for attempt in Retrying(stop=stop_after_attempt(TRIES), wait=wait_exponential(wait_s), reraise=True):
            with attempt:
                request = urllib.request.Request(webhook.get_secret_value(), body, head, method="POST")
                urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()
    except (OSError, ValueError) as error:  # ValueError repeats the URL it dislikes
        reason = str(error) if isinstance(error, OSError) else "not a URL"
        return f"the webhook at {place(webhook)} did not take the alert: {reason}"
    return None
