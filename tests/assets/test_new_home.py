"""The Dagster home of a lake: made once, made anew where a kill left half of it, refused where SQLite's URL breaks."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.assets.conftest import say
from vp_assets.runs import in_process
from vp_assets.runs.in_process import open_instance
from vp_assets.settings import Settings, load_settings
from vp_engine.errors import ConfigError


def _settings(lake: Path) -> Settings:
    return load_settings(lake_root=lake, environ={})


@pytest.mark.parametrize("letter", ["?", "#", "%", "\n", "\x7f"])
def test_open_instance_when_the_path_breaks_a_url_then_refuses_in_one_line_and_writes_nothing(
    tmp_path: Path, letter: str
) -> None:
    with pytest.raises(ConfigError, match="--lake-root") as refused:
        open_instance(_settings(tmp_path / f"a{letter}20b"))
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_open_instance_when_the_path_has_blanks_and_accents_then_works(tmp_path: Path) -> None:
    with open_instance(_settings(tmp_path / "a b; é'\"&+")) as instance:
        assert instance.get_runs_count() == 0


@pytest.mark.parametrize("half", ["CREATE TABLE runs (id INTEGER PRIMARY KEY)", "no database"])
def test_open_instance_when_the_making_was_killed_then_makes_the_home_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: str
) -> None:
    settings = _settings(tmp_path / "lake")
    history = settings.dagster_home / "history"

    def dies(_: str) -> None:
        history.mkdir()
        if half == "no database":
            (history / "runs.db").write_text(half)
        else:
            with closing(sqlite3.connect(history / "runs.db")) as connection:
                connection.execute(half)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(in_process.dg.DagsterInstance, "from_config", dies)
        with pytest.raises(SystemExit):
            open_instance(settings)
    with open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
        assert instance.all_asset_keys() == set() or list(instance.all_asset_keys()) == []
    assert not (settings.dagster_home / ".unfinished").exists()


def test_open_instance_when_a_home_has_runs_then_a_leftover_mark_costs_none_of_them(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "lake")
    from dagster import DagsterRun

    with open_instance(settings) as instance:
        instance.run_storage.add_run(DagsterRun(job_name="a", run_id="0" * 32))
    (settings.dagster_home / ".unfinished").touch()
    with open_instance(settings) as instance:
        assert instance.get_runs_count() == 1


def test_open_instance_when_two_open_a_new_home_at_once_then_both_have_it(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "lake")
    with ThreadPoolExecutor(2) as pool:
        for instance in pool.map(lambda _: open_instance(settings), range(2)):
            assert instance.get_runs_count() == 0
            instance.dispose()


@pytest.mark.parametrize(
    "command", [("sample", "--events-per-s", "1"), ("import", "day.dbn"), ("list-days",), ("run", "x")]
)
def test_command_when_the_lake_path_breaks_a_url_then_refuses_before_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    said = say(capsys, *command, "--lake-root", tmp_path / "a#b")
    assert (said.code, "the path holds '#'" in said.err) == (2, True), said
    assert list(tmp_path.iterdir()) == []


def test_open_instance_when_the_home_names_the_launcher_of_an_older_version_then_mends_that_line_alone(
    tmp_path: Path,
) -> None:
    settings = _settings(tmp_path / "lake")
    open_instance(settings).dispose()
    config = settings.dagster_home / "dagster.yaml"
    today = config.read_text() + "# edited\n"
    config.write_text(today.replace("module: vp_assets.runs.launcher", "module: vp_assets.launcher"))
    assert config.read_text() != today
    with open_instance(settings) as instance:
        assert type(instance.run_launcher).__name__ == "PreparedRunLauncher"
    assert config.read_text() == today
