"""The whole chain on an object store: sample day to promoted spec by the command line, then the service streams it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assets.conftest import World, say
from tests.object_stores import serving
from tests.serving.wire_client import serving as service
from vp_engine.lake import Lake, open_dataset
from vp_serving.settings import load_settings


@pytest.fixture(params=["memory", pytest.param("moto", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A lake in an object store: of this process, or behind a server."""
    monkeypatch.setenv("VP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    if request.param == "memory":
        yield f"memory://{tmp_path.name}/chain"
    else:
        with serving("moto", tmp_path / "served") as bucket:
            yield f"{bucket}/chain"


def test_sample_to_stream(world: World, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def vp(*argv: str) -> object:
        said = say(capsys, *argv, "--lake-root", url, "--config-dir", world.configs, "--json")
        assert said.code == 0, said.err
        return said.data

    vp("sample", "--start", "09:28", "--end", "09:32", "--events-per-s", "300")
    steps = vp("run", "minute_sweep")["steps"]
    assert [step["address"] for step in steps] == [step["address"] for step in world.run["steps"]]
    vp("promote", "minute_sweep")
    assert {row["ok"] for row in vp("verify")} == {True}
    assert vp("sql", "SELECT count(*) AS n FROM bins")[0]["n"] == 600
    lake = Lake(url, tmp_path / "cache")
    ours, theirs = (open_dataset(held, steps[2]["address"]) for held in (lake, Lake(world.lake)))
    for name in ("bins.parquet", "grid_clean.parquet"):
        assert lake.read_bytes(ours.info.file(name)) == theirs.info.file(name).read_bytes()
    _stream(world, url, lake)


def _stream(world: World, url: str, lake: Lake) -> None:
    """Bins of the promoted spec, as the service sends them."""
    environ = {"VP_LAKE_ROOT": url, "VP_CONFIG_DIR": str(world.configs), "VP_CACHE_DIR": str(lake.cache_dir)}
    (spec,) = lake.entries(lake.path("research/vp_harness/configs/serving"))
    with service(load_settings({"log_level": "warning"}, environ)) as server:
        assert server.get("/ready").json()["checks"]["lake"] == "ok"
        assert server.get("/v1/datasets").json()["datasets"][0]["n_bins"] == 600
        got = server.stream(f"serving={spec.stem}&speed=0", bins=600)
        assert len(got.bins) == 600
