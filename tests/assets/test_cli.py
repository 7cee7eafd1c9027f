"""The command line: JSON for machines, one clear line and exit 2 for mistakes, and nothing half-written after them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.assets.conftest import PIPELINE, Said, Vp, World, say, write_configs
from vp_engine.lake import Lake, list_datasets


def files(lake: Path) -> set[str]:
    """Every file of a lake's data; Dagster's own records are no data."""
    return {
        path.relative_to(lake).as_posix()
        for path in lake.rglob("*")
        if path.is_file() and path.relative_to(lake).parts[0] not in ("dagster", "mlflow")
    }


def refused(said: Said, *words: str) -> None:
    """Exit 2, nothing on stdout, one line on stderr that holds these words."""
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.startswith("vp: ")
    assert said.err.count("\n") == 1, said.err
    for word in words:
        assert word in said.err


def raw_file(world: World) -> Path:
    return Path(world.sample[0]["path"])


@pytest.mark.parametrize(
    "command",
    [
        ("list-signals",),
        ("list-datasets",),
        ("list-specs",),
        ("compare",),
        ("compare", "--signal", "derivative", "--sort", "tp_rate", "--min-signals", "0"),
        ("verify",),
        ("clean",),
        ("sql", "select dataset_id, n_bins from datasets"),
    ],
)
def test_json_is_one_document(vp: Vp, command: tuple[str, ...]) -> None:
    said = vp(*command, "--json")
    assert (said.code, said.err) == (0, "")
    assert isinstance(json.loads(said.out), (list, dict))


@pytest.mark.parametrize("command", [("list-signals",), ("list-datasets",), ("list-specs",), ("compare",), ("verify",)])
def test_tables_are_for_people(vp: Vp, command: tuple[str, ...]) -> None:
    said = vp(*command)
    assert said.code == 0
    assert "─" in said.out


def test_compare_says_plainly_that_nothing_is_significant(vp: Vp) -> None:
    rows = vp("compare", "--min-signals", "2", "--json").data
    assert rows
    assert all({"tp_rate_low", "tp_rate_high", "p_value", "p_holm", "net_mean_pnl_ticks"} <= set(row) for row in rows)
    said = vp("compare", "--min-signals", "2").out
    significant = any(row["p_holm"] is not None and row["p_holm"] <= 0.05 for row in rows)
    assert ("Nothing here is significant" in said) is not significant


def test_compare_of_an_empty_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, "compare", "--lake-root", tmp_path)
    assert said.code == 0
    assert "vp run EXPERIMENT" in said.out


def test_sql_reads_the_results(vp: Vp) -> None:
    rows = vp("sql", "select count(*) as n from runs", "--json").data
    assert rows[0]["n"] > 0
    refused(vp("sql", "select nothing from nowhere"), "SQL", "nowhere")
    refused(vp("sql", "select timestamp 'infinity'"), "SQL", "::varchar")
    refused(vp("sql", "select timestamp 'infinity'", "--json"), "SQL", "::varchar")


def test_an_interrupted_command_says_so(vp: Vp, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vp_engine.lake.catalog.Catalog.sql", interrupted)
    said = vp("sql", "select 1")
    assert (said.code, said.out, said.err) == (130, "", "vp: interrupted\n")


def test_columns_of_one_name_are_kept_apart(vp: Vp) -> None:
    assert vp("sql", "select 1 as a, 2 as a, 3 as a", "--json").data == [{"a": 1, "a_1": 2, "a_2": 3}]


def test_brackets_are_printed_as_they_are(vp: Vp) -> None:
    assert "[red]a[/b]" in vp("sql", "select '[red]a[/b]' as x").out


def test_import_of_the_same_bytes_is_a_hit(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for hit in (False, True):
        said = say(capsys, "import", raw_file(world), "--lake-root", tmp_path / "lake", "--json")
        assert said.data[0]["store_hit"] is hit
        assert said.data[0]["source"] == "databento"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-command",), ("no-such-command",)),
        (("generate",), ("PIPELINE",)),
        (("compare", "--top", "many"), ("--top", "integer")),
        (("compare", "--sort", "luck"), ("`sort`", "luck")),
        (("compare", "--signal", "derivativ"), ("did you mean `derivative`",)),
        (("compare", "--experiment", "minut_sweep"), ("no experiment named `minut_sweep`", "minute_sweep")),
        (("compare", "--dataset-id", "minute"), ("no dataset `minute`", "__minute__")),
        (("generate", "minut"), ("no pipeline named `minut`", "minute")),
        (("generate", "other_contract"), ("skipped", "ESH4", "MNQH6")),
        (("generate", "missing.yaml"), ("missing.yaml", "no such file")),
        (("generate", "minute", "--day", "2026-02-05"), ("minute", "2026-02-06", "2026-02-05")),
        (("generate", "every_day"), ("every_day", "name a day")),
        (("generate", "every_day", "--day", "yesterday"), ("YYYY-MM-DD", "yesterday")),
        (("generate", "every_day", "--day", "2026-02-09"), ("no raw day 2026-02-09", "vp import")),
        (("run", "minute"), ("no experiment named `minute`",)),
        (("promote", "minute_sweep", "--run-id", "123"), ("16 hex",)),
        (("promote", "minute_sweep", "--run-id", "0123456789abcdef"), ("no run `0123456789abcdef`",)),
        (("promote", "minute_sweep", "--threshold", "7.5"), ("no row with threshold 7.5",)),
        (("import", "/nowhere/day.dbn.zst"), ("no such file", "day.dbn.zst")),
        (("sample", "--start", "10:00", "--end", "09:00"), ("`end` must be after",)),
        (("sample", "--events-per-s", "1e300"), ("`events_per_s`", "100,000")),
        (("sample", "--day", "1900-01-02"), ("`--day`", "1971 to 2261")),
        (("generate", "every_day", "--day", "9999-12-31"), ("1971 to 2261",)),
        (("verify", "0123456789ab"), ("nothing in", "`0123456789ab`")),
    ],
)
def test_mistakes_are_one_line(world: World, vp: Vp, command: tuple[str, ...], words: tuple[str, ...]) -> None:
    before = files(world.lake)
    refused(vp(*command), *words)
    assert files(world.lake) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("pipeline: {warmup_hours", "pipeline: {warmup_houres"), ("warmup_houres", "did you mean")),
        (('end_time: "09:31"', 'end_time: "09:29"'), ("`end_time` must be after `start_time`",)),
        (('end_time: "09:31"', 'end_time: "9h31"'), ("`end_time`", "9h31")),
        (('end_time: "09:31"', 'end_time: "09:3١"'), ("`end_time`", "09:3")),
        (("warmup_hours: 0.02", "grid_radius_ticks: true"), ("`grid_radius_ticks`", "number", "True")),
        (("warmup_hours: 0.02", "spectrum_windows: [5, true]"), ("`spectrum_windows`", "number")),
        (("warmup_hours: 0.02", "n_absolute_ticks: 2000000000"), ("`n_absolute_ticks`", "4194304")),
        (("warmup_hours: 0.02", f"zscore_window_bins: {10**30}"), ("zscore_window_bins",)),
        (("symbol: MNQH6", "symbol: NQ.c.0"), ("NQ.c.0",)),
        (("name: fresh", "name: Fresh!"), ("`name`", "Fresh!")),
        (("name: fresh", "name: every_day"), ("every_day", "taken")),
        (("name: fresh\n", "name: [fresh\n"), ("not valid YAML",)),
    ],
)
def test_bad_specs_are_one_line(
    world: World, vp: Vp, tmp_path: Path, change: tuple[str, str], words: tuple[str, ...]
) -> None:
    fresh = PIPELINE.replace("name: minute", "name: fresh")
    assert change[0] in fresh
    spec = tmp_path / "spec.yaml"
    spec.write_text(fresh.replace(*change))
    before = files(world.lake)
    refused(vp("generate", spec), "spec.yaml", *words)
    assert files(world.lake) == before


def test_bad_config_folder_and_instrument(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(say(capsys, "list-specs", "--config-dir", tmp_path / "none"), "no such folder")
    refused(say(capsys, "list-specs", "--instrument", tmp_path / "none.yaml"), "no such file")
    refused(say(capsys, "list-datasets", "--lake-root", __file__), "is a file; name a folder")
    refused(say(capsys, "list-datasets", "--lake-root", "s3://"), "'s3://' names no place")
    configs = write_configs(tmp_path / "configs")
    shutil.copy(configs / "pipelines" / "minute.yaml", configs / "pipelines" / "again.yaml")
    listed = say(capsys, "list-specs", "--config-dir", configs, "--lake-root", tmp_path, "--json").data
    assert any(row["kind"] == "broken" and "`minute` is taken" in row["description"] for row in listed)


def test_truncated_and_corrupt_files_stay_out(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = raw_file(world).read_bytes()
    lake = tmp_path / "lake"
    middle = len(whole) // 2
    broken = {
        "cut.dbn.zst": whole[:middle],
        "changed.dbn.zst": whole[:middle] + bytes(64) + whole[middle + 64 :],
        "foreign.dbn.zst": b"this is no DBN file at all" * 10,
        "empty.dbn.zst": b"",
    }
    for name, content in broken.items():
        file = tmp_path / name
        file.write_bytes(content)
        refused(say(capsys, "import", file, "--lake-root", lake), name)
        assert files(lake) == set()


def test_wrong_symbol_stays_out(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    instrument = Path(__file__).parents[2] / "configs" / "instruments" / "esh4.yaml"
    said = say(capsys, "import", raw_file(world), "--lake-root", tmp_path / "lake", "--instrument", instrument)
    refused(said, "MNQH6", "ESH4")
    assert files(tmp_path / "lake") == set()


@pytest.mark.parametrize("damage", ["changed", "cut"])
def test_damaged_raw_day_stops_the_chain_until_it_is_replaced(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(world.lake / "raw", lake / "raw")
    shutil.copytree(world.lake / "dagster", lake / "dagster")
    stored = lake / raw_file(world).relative_to(world.lake)
    whole, middle = stored.read_bytes(), stored.stat().st_size // 2
    stored.write_bytes(whole[:middle] + (bytes(32) + whole[middle + 32 :] if damage == "changed" else b""))
    generate = ("generate", "minute", "--lake-root", lake, "--config-dir", world.configs)
    refused(say(capsys, *generate), "import", "again")
    assert not list(lake.rglob("*.parquet"))
    replaced = ("import", raw_file(world), "--source", "synthetic", "--replace", "--lake-root", lake)
    assert say(capsys, *replaced).code == 0
    assert say(capsys, *generate, "--json").data["steps"][-1]["store_hit"] is False


def test_a_damaged_dataset_is_made_again_before_anything_reads_it(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(world.lake, lake)
    info = next(info for info in list_datasets(Lake(lake)) if info.pipeline == "minute")
    shutil.rmtree(lake / "research" / "vp_harness")
    grid = info.path / "grid_clean.parquet"
    content = bytearray(grid.read_bytes())
    content[len(content) // 2] ^= 1
    grid.write_bytes(content)
    said = say(capsys, "run", "minute_sweep", "--lake-root", lake, "--config-dir", world.configs)
    assert said.code == 0, said.err
    Lake(lake).verify_dir(info.path)


def test_changed_dataset_bytes_are_found(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(world.lake / "research", lake / "research")
    info = next(info for info in list_datasets(Lake(lake)) if info.pipeline == "minute")
    grid = info.path / "grid_clean.parquet"
    content = bytearray(grid.read_bytes())
    content[len(content) // 2] ^= 1
    grid.write_bytes(content)
    refused(say(capsys, "verify", info.dataset_id, "--lake-root", lake), "grid_clean.parquet")
    said = say(capsys, "verify", "--lake-root", lake, "--json")
    assert said.code == 2
    assert [row["ok"] for row in said.data if row["name"] == info.dataset_id] == [False]


def test_help_is_quick_and_needs_no_engine() -> None:
    script = (
        "import sys; from vp_assets.cli import run; code = run(['--help']);"
        "heavy = {'dagster', 'numba', 'mlflow', 'pyarrow', 'pandas', 'vp_engine'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "generate" in done.stdout
    assert time.perf_counter() - began < 10
