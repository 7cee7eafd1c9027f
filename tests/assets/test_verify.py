"""A flipped byte in any stored thing is found and named, wherever in its files it is."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from tests.assets.conftest import World, say
from vp_engine.lake import Lake, paths
from vp_engine.lake.admission import write_no_session
from vp_engine.lake.lineage import KINDS
from vp_engine.lake.store import MANIFEST, write_json
from vp_engine.lake.verify import NOTE, verify_all
from vp_engine.specs import load_instrument

PATTERNS = {
    "raw": "raw/*/*/*/*/*.dbn.zst",
    "raw's manifest": "raw/*/*/*/*/*.manifest.json",
    "book": "cache/vp_book/*.arrow",
    "book's manifest": "cache/vp_book/*.manifest.json",
    "bins": "research/vp_immutable/*/bins.parquet",
    "grid": "research/vp_immutable/*/grid_clean.parquet",
    "dataset's manifest": "research/vp_immutable/*/manifest.json",
    "dataset's checksums": "research/vp_immutable/*/checksums.json",
    "runs_meta": "research/vp_harness/results/runs_meta/*.parquet",
    "runs": "research/vp_harness/results/runs/*.parquet",
    "results' manifest": "research/vp_harness/results/runs_meta/*.manifest.json",
    "model": "research/vp_harness/models/*/refit_00000.txt",
    "models' manifest": "research/vp_harness/models/*/manifest.json",
    "promoted spec": "research/vp_harness/configs/serving/*.yaml",
    "campaign": "research/vp_campaigns/*.json",
    "sample's note": "raw/*/*/*/*/*.sample.json",
    "day without a session": "raw/*/*/*/*/*.no-session.json",
    "carried book": "cache/vp_book/carried_*.json",
    "request to the vendor": "ledger/databento/*.json",
    "tracked sweep": "research/vp_harness/results/tracked/*.json",
}


@pytest.fixture(scope="module")
def whole(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the world's lake with models and a campaign: something of every kind."""
    root = tmp_path_factory.mktemp("verify") / "lake"
    for part in ("raw", "cache", "research"):
        shutil.copytree(world.lake / part, root / part)
    lake = Lake(root)
    with lake.commit_dir(lake.path(paths.MODELS, "a" * 64)) as folder:
        (folder / "refit_00000.txt").write_text("a tree")
        write_json(folder / MANIFEST, {"kind": "models"})
    lake.commit_document(lake.path(paths.campaign_path("gold", "b" * 64)), {"datasets": [], "address": "b" * 64})
    write_no_session(lake, load_instrument(), dt.date(2026, 2, 7), "a Saturday")
    lake.commit_document(lake.path(paths.carried_path("c" * 64)), {"changed": 0, "extra": 0, "missing": 0})
    lake.commit_document(lake.path(paths.LEDGER, "0123.json"), {"state": "done"})
    lake.commit_document(lake.path(paths.tracked_path("d" * 64, "e" * 64)), {"mlflow_run_id": "f"})
    return root


def test_a_whole_lake_is_whole(whole: Path) -> None:
    verdicts = list(verify_all(Lake(whole)))
    assert {verdict.kind for verdict in verdicts} == {*KINDS, NOTE}
    assert {verdict.problem for verdict in verdicts} == {None}


@pytest.mark.parametrize("what", PATTERNS)
@pytest.mark.parametrize("share", [0.0, 0.31, 0.77, 1.0])
def test_a_flipped_byte_is_found_and_named(whole: Path, what: str, share: float) -> None:
    path = next(iter(sorted(whole.glob(PATTERNS[what]))))
    before = path.read_bytes()
    content = bytearray(before)
    content[int(share * (len(content) - 1))] ^= 0x10
    path.write_bytes(content)
    try:
        problems = [verdict.problem for verdict in verify_all(Lake(whole)) if verdict.problem is not None]
    finally:
        path.write_bytes(before)
    assert len(problems) == 1
    assert path.name in problems[0]


def test_the_command_names_what_is_broken(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(whole, lake)
    assert {row["ok"] for row in say(capsys, "verify", "--lake-root", lake, "--json").data} == {True}
    grid = min(lake.glob(PATTERNS["grid"]))
    content = bytearray(grid.read_bytes())
    content[100] ^= 1
    grid.write_bytes(content)
    said = say(capsys, "verify", "--lake-root", lake)
    assert said.code == 2
    assert "1 of" in said.err
    assert "grid_clean.parquet" in said.out
    alone = say(capsys, "verify", grid.parent.name.rpartition("__")[2], "--lake-root", lake)
    assert (alone.code, alone.err.count("\n")) == (2, 1)
    assert "grid_clean.parquet: differs from its manifest" in alone.err
    raw = min(lake.glob(PATTERNS["raw"]))
    assert say(capsys, "verify", raw.name, "--lake-root", lake).code == 0
    unknown = say(capsys, "verify", "nothing", "--lake-root", lake)
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)


def test_a_promoted_spec_with_other_bytes_is_skipped(
    world: World, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(whole / "research", lake / "research")
    spec = min(lake.glob(PATTERNS["promoted spec"]))
    spec.write_text(spec.read_text().replace("cooldown_bins: ", "cooldown_bins: 1", 1))
    rows = say(capsys, "list-specs", "--lake-root", lake, "--config-dir", world.configs, "--json").data
    (row,) = (row for row in rows if row["name"] == spec.stem)
    assert (row["kind"], "its bytes have changed" in row["description"]) == ("skipped", True)
