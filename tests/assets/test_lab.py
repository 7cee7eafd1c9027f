"""`vp analyze` and `vp online-sim` on the small world."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.assets.conftest import Said, Vp, World
from vp_assets.cli.analysis import projection_verdict
from vp_assets.research.plots import PLOTS
from vp_engine.evaluation.analysis import Horizon, ProjectionTrial
from vp_engine.lake import Lake
from vp_engine.lake.datasets import list_datasets


@pytest.fixture
def lab(world: World, vp: Vp) -> Vp:
    """`vp` on the minute's dataset, whatever else other tests have put into the shared lake."""
    minute = next(info for info in list_datasets(Lake(world.lake)) if info.pipeline == "minute")

    def run(command: str, *rest: str) -> Said:
        where = (minute.dataset_id,) if command == "analyze" else ("--dataset-id", minute.dataset_id)
        return vp(command, *rest, *where)

    return run


def test_an_analysis_leaves_tables_and_plots(world: World, lab: Vp, tmp_path: Path) -> None:
    said = lab("analyze", "--out", str(tmp_path / "plots"), "--json")
    assert said.code == 0, said.err
    assert [Path(file).name for file in said.data["plots"]] == list(PLOTS)
    assert all(Path(file).read_bytes().startswith(b"\x89PNG") for file in said.data["plots"])
    shares = said.data["state_shares"]
    assert len(shares) == 5
    assert sum(row[0] for row in shares) == pytest.approx(1)
    assert said.data["projection"][0]["own"] is True
    assert [h["horizon_ms"] for h in said.data["projection"][0]["horizons"]] == [100, 200, 300, 400]


def test_analysis_for_people(world: World, lab: Vp, tmp_path: Path) -> None:
    said = lab("analyze", "--out", str(tmp_path))
    assert said.code == 0, said.err
    assert "bear vacuum" in said.out
    assert "beats a guess of 0 at" in said.out


def test_a_signal_is_fed_bin_by_bin(world: World, lab: Vp) -> None:
    said = lab("online-sim", "--signal", "erd", "--bins", "120", "--bin-budget-ms", "20", "--json")
    assert said.code == 0, said.err
    assert (said.data["n_bins"], said.data["budget_ms"], said.data["same_bits"]) == (120, 20.0, True)
    assert said.data["scorer"]["n"] == 120


def test_the_promoted_signal_is_fed_with_its_own_parameters(world: World, lab: Vp) -> None:
    said = lab("online-sim", "--serving", world.promoted["serving"], "--bins", "60")
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
def test_mistakes_are_one_line(lab: Vp, vp: Vp, argv: tuple[str, ...], words: str) -> None:
    said = (vp if argv[0] == "analyze" else lab)(*argv)
    assert said.code == 2
    assert words in said.err


def tried(damping: float, *skills: float) -> ProjectionTrial:
    """A setting with this skill against a guess of 0 at 100 ms, 200 ms, ..."""
    horizons = (Horizon(100 * (at + 1), 50, 0.1, 0.2, 0.3, 0.5, 0.1, skill) for at, skill in enumerate(skills))
    return ProjectionTrial(damping, 0.0, tuple(horizons))


@pytest.mark.parametrize(
    ("own", "others", "words"),
    [
        ((-3.98, -7.27), [(0.0, -3.98, -7.27), (16.0, -0.2, -0.01)],
         ["worse than always guessing 0, at every horizon", "5.0 to 8.3 times as large", "no forecast",
          "damping 16/s", "does not beat a guess of 0 either"]),
        ((0.2, -0.1), [(8.0, 0.3, -0.05)], ["beats a guess of 0 at 100 ms only", "damping 8/s"]),
        ((0.2, 0.1), [(4.0, 0.3, 0.2)], ["a guess of 0 at every horizon", "a guess of 0 at 100 ms, 200 ms"]),
        ((float("nan"),), [], ["Too little was projected"]),
    ],
)  # fmt: skip
def test_a_projection_that_is_worth_nothing_is_told_so(own: tuple, others: list, words: list[str]) -> None:
    said = projection_verdict(tried(0.0, *own), [tried(*other) for other in others])
    for word in words:
        assert word in said
