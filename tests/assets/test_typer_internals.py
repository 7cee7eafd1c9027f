"""What is relied on of typer's private parts. A failure here says what to look at after an update of typer."""

from __future__ import annotations

import pytest
import typer

from vp_assets.cli.typer_internals import UsageError


@pytest.mark.parametrize("words", [["--nothing"], ["surplus"], ["--n", "no number"]])
def test_usage_error_when_a_command_line_is_wrong_then_is_what_typer_raises(words: list[str]) -> None:
    app = typer.Typer()

    @app.command()
    def count(n: int = 0) -> None:
        """Do nothing."""

    with pytest.raises(UsageError) as caught:
        app(words, standalone_mode=False)
    assert caught.value.format_message()
