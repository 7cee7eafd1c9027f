"""`vp campaign` and `vp warm` on the small world."""

from __future__ import annotations

import json
from pathlib import Path

from tests.assets.conftest import Vp, World

GOLD = """
name: two_memories
pipeline: minute
axes: {tau_velocity: [1.0, 2.0]}
"""


def test_a_campaign_leaves_datasets_and_their_index(world: World, vp: Vp, tmp_path: Path) -> None:
    gold = tmp_path / "gold.yaml"
    gold.write_text(GOLD)
    said = vp("campaign", str(gold), "--json")
    assert said.code == 0, said.err
    rows = said.data["datasets"]
    assert [row["fields"] for row in rows] == [{"tau_velocity": 1.0}, {"tau_velocity": 2.0}]
    assert len({row["dataset_address"] for row in rows}) == 2
    assert json.loads(Path(said.data["index"]).read_text())["datasets"] == rows
    # The instrument's own value asks the same question as the base pipeline, so its dataset answers.
    assert rows[1]["dataset_id"] == next(
        step["metadata"]["dataset_id"] for step in world.run["steps"] if step["asset"] == "minute/bins"
    )
    again = vp("campaign", str(gold))
    assert again.code == 0
    assert "new" not in again.out
    assert again.out.count("was there") == 2


def test_an_unknown_campaign_is_one_line(world: World, vp: Vp) -> None:
    said = vp("campaign", "nothing")
    assert said.code == 2
    assert "no campaign `nothing`" in said.err


def test_a_span_of_days_is_warmed(world: World, vp: Vp) -> None:
    said = vp("warm", "--from", "2026-02-05", "--to", "2026-02-06", "--json")
    assert said.code == 0, said.err
    states = {(row["pipeline"], row["day"]): row["state"] for row in said.data["books"]}
    assert states[("minute", "2026-02-06")] == "was there"
    assert states[("every_day", "2026-02-05")] == "no raw day"
    assert ("minute", "2026-02-05") not in states
    assert said.data["kernels"]["signals"] == 9


def test_a_span_that_ends_before_it_begins_is_refused(world: World, vp: Vp) -> None:
    said = vp("warm", "--from", "2026-02-06", "--to", "2026-02-05")
    assert said.code == 2
    assert "must not lie before" in said.err
