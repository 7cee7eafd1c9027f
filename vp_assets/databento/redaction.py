"""The key never leaves: not in a message, a log line or metadata.

It travels as a SecretStr and is opened for the client alone.
"""

from __future__ import annotations

import base64

from pydantic import SecretStr

HIDDEN = "[key]"


def redact(text: object, key: SecretStr) -> str:
    """The text without the key, plain or as HTTP basic authentication would carry it."""
    plain = key.get_secret_value()
    shown = str(text)
    for form in (plain, base64.b64encode(f"{plain}:".encode()).decode()):
        shown = shown.replace(form, HIDDEN)
    return shown
