"""What Dagster loads: keys, groups, checks, partitions; without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import dagster as dg
import pytest
import yaml

from tests.assets.conftest import write_configs
from vp_assets.defs.assets import checks
from vp_assets.defs.definitions import build_definitions
from vp_assets.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
GROUPS = {
    "raw_dbn": "raw",
    "every_day/book_cache": "every_day",
    "every_day/bins": "every_day",
    "minute/book_cache": "minute",
    "minute/bins": "minute",
    "minute_sweep/sweep": "minute_sweep",
    "minute_sweep/promoted": "minute_sweep",
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    root = tmp_path_factory.mktemp("definitions")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = build_definitions(load_settings(root / "lake", write_configs(root / "configs"), environ={}))
        dg.Definitions.validate_loadable(made)
    return made


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_each_spec_is_a_chain(definitions: dg.Definitions) -> None:
    found = specs(definitions)
    assert {key: spec.group_name for key, spec in found.items()} == GROUPS
    upstream = {key: {dep.asset_key.to_user_string() for dep in spec.deps} for key, spec in found.items()}
    assert upstream["raw_dbn"] == set()
    assert upstream["minute/book_cache"] == {"raw_dbn"}
    assert upstream["minute/bins"] == {"raw_dbn", "minute/book_cache"}
    assert upstream["minute_sweep/sweep"] == {"minute/bins"}
    assert upstream["minute_sweep/promoted"] == {"minute_sweep/sweep"}


def test_every_asset_is_described_and_owned(definitions: dg.Definitions) -> None:
    for key, spec in specs(definitions).items():
        assert spec.description, key
        assert spec.owners == ["team:research"], key
        assert spec.kinds, key


def test_partitions_are_daily_but_for_the_promoted_spec(definitions: dg.Definitions) -> None:
    found = specs(definitions)
    assert found["minute/bins"].partitions_def.get_partition_keys() == ["2026-02-06"]
    assert found["every_day/bins"].partitions_def.has_partition_key("2023-12-25")
    assert found["raw_dbn"].partitions_def.has_partition_key("2023-01-01")
    assert found["minute_sweep/promoted"].partitions_def is None


def test_checks_block_unless_they_only_warn(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    wanted = {
        "raw_dbn": checks.RAW,
        "minute/book_cache": checks.BOOK,
        "minute/bins": checks.BINS,
        "minute_sweep/sweep": checks.SWEEP,
        "minute_sweep/promoted": checks.PROMOTED,
    }
    for asset, named in wanted.items():
        for check in named:
            assert (asset, check.name) in found
            key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), check.name)
            assert graph.get_check_spec(key).blocking == check.blocking


def test_workspace_file_names_the_code_location() -> None:
    workspace = yaml.safe_load((REPOSITORY / "dagster_workspace.yaml").read_text())
    assert workspace == {
        "load_from": [{"python_module": {"module_name": "vp_assets.defs.definitions", "location_name": "spymaster"}}]
    }


def test_workspace_loads_without_a_warning(tmp_path: Path) -> None:
    script = (
        "import warnings; warnings.simplefilter('error', category=UserWarning);"
        "import sys; from dagster._cli import main;"
        "sys.argv = ['dagster', 'definitions', 'validate', '-w', 'dagster_workspace.yaml']; main()"
    )
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {
        **os.environ,
        "VP_LAKE_ROOT": str(tmp_path / "lake"),
        "DAGSTER_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    lines = [line for line in said.splitlines() if "warn" in line.lower() and "Supersession" not in line]
    assert not lines, said
    assert "Validation successful for code location spymaster" in said
