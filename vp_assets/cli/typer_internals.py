"""What is used of typer beyond its documented interface, in one place.

pyproject.toml bounds typer above, and tests/assets/test_typer_internals.py fails first when this changes.
"""

from __future__ import annotations

from typing import cast

import typer

# Base of every mistake in a command line (unknown option, missing argument, bad value), which typer does not export.
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
