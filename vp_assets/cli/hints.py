"""Command lines that messages suggest: complete, with the options that the user gave, so that they work as printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

_COMMAND = re.compile(r"`((?:vp|vp-serve) [^`]+)`")
_WITHOUT_OPTIONS = ("vp --help",)


class Hints:
    """Options of the command under way that what it suggests needs as well. options: value by flag (`--lake-root`),
    those that were given only."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)

    def vp(self, *words: str) -> str:
        """A `vp` command line, quoted for a shell."""
        given = [part for flag, value in self._options.items() for part in (flag, value)]
        return shlex.join(["vp", *words, *given])

    def completed(self, message: str) -> str:
        """A message whose suggested commands (in backticks) have the options that were given."""
        if not self._options:
            return message
        tail = shlex.join([part for flag, value in self._options.items() for part in (flag, value)])
        return _COMMAND.sub(lambda match: f"`{self._complete(match[1], tail)}`", message)

    @staticmethod
    def _complete(command: str, tail: str) -> str:
        known = command.startswith(_WITHOUT_OPTIONS) or command.startswith("vp-serve") or tail in command
        return command if known else f"{command} {tail}"
