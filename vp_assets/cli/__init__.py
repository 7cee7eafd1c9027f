"""The command line `vp`. What fails is one line on stderr and exit code 2; a fault leaves its traceback in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from vp_assets.cli import analysis, backfills, campaigns, data, listing, maintenance, pipelines, research
from vp_assets.cli.typer_internals import UsageError

app = typer.Typer(
    name="vp",
    help="Order-flow research: raw DBN days to bins, sweeps and promoted signals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (data, pipelines, backfills, campaigns, research, analysis, listing, maintenance):
    group.register(app)

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `vp`."""
    sys.exit(run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """One command; its exit code: 0 done, 2 a user's mistake, 130 interrupted."""
    try:
        code = app(args=None if argv is None else list(argv), prog_name="vp", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", _INTERRUPTED)
    except BrokenPipeError:  # the reader has seen enough; nothing more may be written, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UsageError as error:
        message = error.format_message()
        if not message.strip():
            return 2
        return _say(f"{message} Try `vp --help`.", 2)
    except (Exception, SystemExit) as error:
        from vp_assets.cli.common import last_hints
        from vp_assets.errors import user_line

        return _say(last_hints().completed(user_line(error)), 2)
    except BaseException as error:
        from dagster import DagsterExecutionInterruptedError

        if isinstance(error, DagsterExecutionInterruptedError):  # Ctrl-C or SIGTERM while a run was under way
            return _say("interrupted", _INTERRUPTED)
        raise
    if code == _INTERRUPTED:  # typer answers Ctrl-C with a code and no word
        return _say("interrupted", _INTERRUPTED)
    return code if isinstance(code, int) else 0


def _say(line: str, code: int) -> int:
    print("vp: " + " ".join(line.split()), file=sys.stderr)
    return code
