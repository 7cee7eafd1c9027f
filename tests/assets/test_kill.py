"""Kill -9 inside a write, on a disk and in the middle of an upload; the whole is `python -m benchmarks.kill_drill`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kill_drill import drill_on

DAYS = 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_killed_inside_writes_and_started_again(kind: str, tmp_path: Path) -> None:
    with drill_on(kind, tmp_path, DAYS) as drill:
        drill.backfill()
        wanted = drill.verified()
        assert len(wanted) == DAYS
        drill.forget()
        kills = [drill.kill(wanted, None, nth) for nth in (1, 2, 1)]
        assert any(one.torn for one in kills), kills
        drill.finish(wanted)
