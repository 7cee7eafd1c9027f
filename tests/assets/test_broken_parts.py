"""One broken spec, own signal or damaged thing of the lake takes nothing else down, and says what is wrong with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from tests.assets.conftest import Said, World, say, write_configs
from vp_assets.defs.definitions import build_definitions
from vp_assets.settings import load_settings
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets
from vp_engine.lake.paths import promoted_serving_dir
from vp_engine.lake.results import ResultsDB
from vp_engine.signals import own, registry

BROKEN = {
    "pipelines/no_yaml.yaml": "name: [",
    "pipelines/no_mapping.yaml": "- 1\n",
    "pipelines/unknown_key.yaml": "name: unknown_key\ncapturing: {}\n",
    "pipelines/taken.yaml": "name: minute\ncapture: {product_type: future_mbo, symbol: MNQH6, dt: null, "
    'start_time: "09:30", end_time: "09:31"}\n',
    "serving/on_broken.yaml": "name: on_broken\npipeline: unknown_key\n",
    "serving/on_nothing.yaml": "name: on_nothing\npipeline: nothing\n",
    "experiments/on_broken_sweep.yaml": "name: on_broken_sweep\nserving: on_broken\n",
    "experiments/no_such_signal.yaml": "name: no_such_signal\nserving: minute_signal\nsignals: [nothing_like_it]\n",
    "gold_campaigns/no_campaign.yaml": "name: no_campaign\n",
}
SIGNALS = {
    "syntax.py": "def update(:\n",
    "imports.py": "import no_such_module\n",
    "raises.py": "raise RuntimeError('at import')\n",
    "exits.py": "raise SystemExit(3)\n",
    "no_text.py": "\xff",
    "empty.py": "",
}
WHOLE = """
from vp_engine.signals.derivative import DerivativeSignal

class {kind}(DerivativeSignal):
    name = "{name}"
"""


@pytest.fixture
def place(world: World, tmp_path: Path) -> tuple[Path, Path]:
    """(lake, configs), copies of the world that a test may damage."""
    shutil.copytree(world.lake, tmp_path / "lake", ignore=shutil.ignore_patterns("dagster", "mlflow"))
    return tmp_path / "lake", write_configs(tmp_path / "configs")


def vp(capsys: pytest.CaptureFixture[str], place: tuple[Path, Path], *argv: str | Path) -> Said:
    return say(capsys, *argv, "--lake-root", place[0], "--config-dir", place[1])


def flip(path: Path, at: int = -1) -> None:
    """Change one byte of a file; its size stays."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_broken_specs_when_listed_stand_with_their_reason_beside_the_whole_ones(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in BROKEN.items():
        (place[1] / name).parent.mkdir(exist_ok=True)
        (place[1] / name).write_text(text)
    said = vp(capsys, place, "list-specs", "--json")
    assert said.code == 0, said.err
    broken = {row["name"]: row["description"] for row in said.data if row["kind"] == "broken"}
    assert set(broken) == {Path(name).stem for name in BROKEN}
    assert all("\n" not in reason for reason in broken.values())
    assert "capturing" in broken["on_broken_sweep"]  # the first cause is named all the way up
    assert "nothing_like_it" in broken["no_such_signal"]
    whole = {row["name"] for row in said.data if row["kind"] != "broken"}
    assert {"minute", "every_day", "minute_signal", "minute_sweep"} <= whole
    for command in (("list-datasets",), ("list-days",), ("sql", "FROM serving_specs"), ("compare",)):
        assert vp(capsys, place, *command, "--json").code == 0, command
    assert vp(capsys, place, "generate", "minute", "--json").code == 0

    settings = load_settings(*place, environ={})
    made = build_definitions(settings)
    dg.Definitions.validate_loadable(made)
    keys = {spec.key.to_user_string() for spec in made.resolve_all_asset_specs()}
    assert {"broken_specs", "minute_sweep/promoted"} <= keys
    assert "no_such_signal/sweep" not in keys
    result = made.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("broken_specs")]
    )
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("generate", "unknown_key"), "unknown key `capturing`"),
        (("run", "on_broken_sweep"), "unknown key `capturing`"),
        (("run", "no_such_signal"), "no signal `nothing_like_it`"),
        (("campaign", "no_campaign"), "no_campaign.yaml"),
    ],
)
def test_a_broken_spec_when_asked_for_says_why_in_one_line(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str], command: tuple[str, ...], words: str
) -> None:
    for name, text in BROKEN.items():
        (place[1] / name).parent.mkdir(exist_ok=True)
        (place[1] / name).write_text(text)
    said = vp(capsys, place, *command)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1


def test_broken_own_signals_when_loaded_leave_the_whole_ones(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_SIGNALS", dict(registry._SIGNALS))
    monkeypatch.setattr(registry, "_left_out", [])
    monkeypatch.setattr(own, "_files", {})
    folder = tmp_path / "signals"
    folder.mkdir()
    for name, text in SIGNALS.items():
        (folder / name).write_text(text, encoding="latin-1")
    (folder / "a_whole.py").write_text(WHOLE.format(kind="Whole", name="whole_one"))
    (folder / "b_twin.py").write_text(WHOLE.format(kind="Twin", name="whole_one"))
    monkeypatch.setenv("VP_SIGNALS_PATH", f"{folder}:{tmp_path / 'missing.py'}")
    said = vp(capsys, place, "list-signals", "--json")
    assert said.code == 0
    assert "whole_one" in {info["name"] for info in said.data}
    for name in (*SIGNALS, "b_twin.py", "missing.py"):
        assert sum(name in line for line in said.err.splitlines()) == 1, said.err
    listed = vp(capsys, place, "list-specs", "--json")
    assert sum(row["kind"] == "broken" for row in listed.data) == len(SIGNALS) + 2
    for command in (("list-datasets",), ("list-days",), ("sql", "FROM runs"), ("compare",), ("run", "minute_sweep")):
        assert vp(capsys, place, *command, "--json").code == 0, command
    assert len(build_definitions(load_settings(*place)).resolve_all_asset_specs()) > 5
    asked = vp(capsys, place, "compare", "--signal", "imports")
    assert asked.code == 2
    assert "no_such_module" in asked.err


def _damages(lake: Lake) -> dict[str, Path]:
    """Files of every kind of thing, by what they are."""
    dataset = list_datasets(lake)[0]
    meta, runs = ResultsDB(lake).files(ResultsDB(lake).sweeps()[0])
    raw = list_raw(lake)[0]
    promoted = next(iter(lake.entries(promoted_serving_dir(lake), "*.yaml")))
    return {
        "raw manifest": raw.where, "dataset manifest": dataset.path / "manifest.json",
        "bins": dataset.file("bins.parquet"), "grid": dataset.file("grid_clean.parquet"), "meta": meta, "runs": runs,
        "promoted": promoted,
    }  # fmt: skip


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied"])
@pytest.mark.parametrize("what", ["raw manifest", "dataset manifest", "bins", "grid", "meta", "runs", "promoted"])
def test_a_damaged_thing_when_others_are_asked_for_takes_nothing_down(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str], what: str, how: str
) -> None:
    path = _damages(Lake(place[0]))[what]
    if how == "flipped":
        flip(path)
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if how == "cut" else b"")
    for command in (
        ("list-specs",), ("list-datasets",), ("list-days",), ("list-signals",), ("compare",),
        ("sql", "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM bins), (SELECT count(*) FROM days)"),
    ):  # fmt: skip
        said = vp(capsys, place, *command, "--json")
        assert said.code == 0, (command, said.err)
    assert build_definitions(load_settings(*place, environ={})).resolve_all_asset_specs()


@pytest.mark.parametrize(
    "what",
    ["bins", *(pytest.param(what, marks=pytest.mark.slow) for what in ("dataset manifest", "grid", "meta", "runs"))],
)
def test_damaged_derived_data_when_asked_for_is_made_again(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str], what: str
) -> None:
    lake = Lake(place[0])
    before = {info.address for info in list_datasets(lake)}
    flip(_damages(lake)[what], at=10)
    for book in (place[0] / "cache" / "vp_book").glob("*.arrow"):
        flip(book)
    said = vp(capsys, place, "run", "minute_sweep", "--json")
    assert said.code == 0, said.err
    assert {info.address for info in list_datasets(lake)} == before
    assert vp(capsys, place, "verify", "--json").code == 0


def test_a_damaged_raw_day_when_asked_for_says_to_bring_it_in_again(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    flip(_damages(Lake(place[0]))["raw manifest"], at=20)
    said = vp(capsys, place, "generate", "minute")
    assert said.code == 2
    assert "`vp import FILE --replace " in said.err
    assert "compute" not in said.err
