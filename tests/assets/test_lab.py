"""`vp analyze` and `vp online-sim` on the small world."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Vp, World

from vp_assets.plots import PLOTS


def test_an_analysis_leaves_tables_and_plots(world: World, vp: Vp, tmp_path: Path) -> None:
    said = vp("analyze", "--out", str(tmp_path / "plots"), "--json")
    assert said.code == 0, said.err
    assert [Path(file).name for file in said.data["plots"]] == list(PLOTS)
    assert all(Path(file).read_bytes().startswith(b"\x89PNG") for file in said.data["plots"])
    shares = said.data["state_shares"]
    assert len(shares) == 5
    assert sum(row[0] for row in shares) == pytest.approx(1)
    assert said.data["projection"][0]["own"] is True
    assert [h["horizon_ms"] for h in said.data["projection"][0]["horizons"]] == [100, 200, 300, 400]


def test_analysis_for_people(world: World, vp: Vp, tmp_path: Path) -> None:
    said = vp("analyze", "--out", str(tmp_path))
    assert said.code == 0, said.err
    assert "bear vacuum" in said.out
    assert "beats a guess of 0 at" in said.out


def test_a_signal_is_fed_bin_by_bin(world: World, vp: Vp) -> None:
    said = vp("online-sim", "--signal", "erd", "--bins", "120", "--bin-budget-ms", "20", "--json")
    assert said.code == 0, said.err
    assert (said.data["n_bins"], said.data["budget_ms"], said.data["same_bits"]) == (120, 20.0, True)
    assert said.data["scorer"]["n"] == 120


def test_the_promoted_signal_is_fed_with_its_own_parameters(world: World, vp: Vp) -> None:
    said = vp("online-sim", "--serving", world.promoted["serving"], "--bins", "60")
    assert said.code == 0, said.err
    assert "the same bits as" in " ".join(said.out.split())


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("online-sim",), "either `--signal` or `--serving`"),
        (("online-sim", "--signal", "nothing"), "no signal `nothing`"),
        (("online-sim", "--signal", "ads", "--bin-budget-ms", "0"), "bin-budget-ms"),
        (("analyze", "no_such_dataset"), "no_such_dataset"),
    ],
)
def test_mistakes_are_one_line(world: World, vp: Vp, argv: tuple[str, ...], words: str) -> None:
    said = vp(*argv)
    assert said.code == 2
    assert words in said.err
