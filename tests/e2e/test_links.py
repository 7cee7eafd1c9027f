"""The ways out of a run, against real servers: its asset's page in Dagster, its sweep's page in MLflow."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from stage import EXPERIMENT, ROOT, Lake, free_port, keep, running, service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BIN = Path(sys.executable).parent


@pytest.fixture
def tracked(lake: Lake, tmp_path: Path) -> Lake:
    """A copy of the small lake whose sweep is in MLflow: the run that finds its results sends them."""
    own = Lake.under(tmp_path)
    shutil.copytree(lake.root, own.root)
    shutil.copytree(lake.configs, own.configs)
    spec = own.configs / "experiments" / f"{EXPERIMENT}.yaml"
    spec.write_text(spec.read_text().replace("backend: none", "backend: mlflow"))
    own.vp("run", EXPERIMENT)
    return own


@pytest.fixture
def servers(tracked: Lake) -> Iterator[tuple[str, str]]:
    """Addresses of Dagster's pages and of MLflow's on that lake."""
    dagster, mlflow = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    ui = [str(BIN / "dagster-webserver"), "-w", str(ROOT / "dagster_workspace.yaml"), "-p", dagster.rpartition(":")[2]]
    store = f"sqlite:///{tracked.root / 'mlflow' / 'mlflow.db'}"
    tracking = [str(BIN / "mlflow"), "server", "--backend-store-uri", store, "--host", "127.0.0.1", "--workers", "1"]
    tracking += ["--port", mlflow.rpartition(":")[2]]
    with (
        running(ui, tracked, f"{dagster}/server_info", seconds=180),
        running(tracking, tracked, f"{mlflow}/health", seconds=180),
    ):
        yield dagster, mlflow


class TestLinks:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return [""]  # what other projects' pages log is theirs

    def test_a_run_leads_to_its_asset_and_to_its_tracked_sweep(
        self, page: Page, tracked: Lake, servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dagster, mlflow = servers
        monkeypatch.setenv("VP_DAGSTER_URL", dagster)
        monkeypatch.setenv("VP_MLFLOW_URL", mlflow)
        with service(tracked) as url:
            page.goto(f"{url}/experiments.html?min_signals=0")
            ways = {}
            for name in ("Dagster", "MLflow"):
                with page.expect_popup(timeout=60_000) as opened:
                    page.get_by_role("link", name=f"Open in {name}").click(timeout=60_000)
                ways[name] = opened.value
            asset, run = ways["Dagster"], ways["MLflow"]
            expect(asset.get_by_text("sweep", exact=True).first).to_be_visible(timeout=120_000)
            expect(asset.get_by_text("2026-02-06").first).to_be_visible(timeout=60_000)
            assert "could not be found" not in asset.inner_text("body")
            keep(asset, "link-dagster")
            expect(run.get_by_text(f"{EXPERIMENT} 2026-02-06").first).to_be_visible(timeout=120_000)
            expect(run.get_by_text("net_mean_pnl_ticks").first).to_be_visible(timeout=60_000)
            keep(run, "link-mlflow")
