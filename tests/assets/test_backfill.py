"""Many days from the command line: a bad day stops no other, a second time does nothing, two at once end as one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.assets.conftest import Said, say, write_configs
from vp_assets.runs.in_process import open_instance
from vp_assets.settings import load_settings
from vp_engine.lake import Lake, list_raw
from vp_engine.lake.datasets import list_datasets

SPAN = ("--from", "2026-02-05", "--to", "2026-02-07")  # Thursday, Friday, Saturday
QUICK = ("--start", "09:28:30", "--end", "09:30:30", "--events-per-s", "60")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(lake, configs) for two days of raw data, which the tests have the command line make."""
    root = tmp_path_factory.mktemp("backfill")
    return root / "lake", write_configs(root / "configs")


def states(said: Said) -> dict[str, str]:
    return {row["day"][8:]: row["state"] for row in said.data["days"]}


def test_days_are_made_and_found(place: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--lake-root", place[0], "--config-dir", place[1])
    made = say(capsys, "sample", *SPAN, *QUICK, *where, "--json")
    assert [(row["day"], row["store_hit"]) for row in made.data] == [
        ("2026-02-05", False), ("2026-02-06", False),
    ]  # fmt: skip
    assert len({row["sha256"] for row in made.data}) == 2  # each day has a market of its own
    again = say(capsys, "sample", *SPAN, *QUICK, *where, "--json")
    assert [row["store_hit"] for row in again.data] == [True] * 2
    assert [row["sha256"] for row in again.data] == [row["sha256"] for row in made.data]

    damaged = next(day for day in list_raw(Lake(place[0])) if str(day.manifest.day) == "2026-02-05")
    whole = damaged.path.read_bytes()
    damaged.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    first = say(capsys, "backfill", *SPAN, *where, "--json")
    assert first.code == 2
    assert states(first) == {"05": "failed", "06": "new", "07": "no session"}
    assert "1 of 3 days failed; 2026-02-05: check failed: raw_dbn: hash" in first.err

    damaged.path.write_bytes(whole)
    second = say(capsys, "backfill", *SPAN, *where, "--json")
    assert second.code == 0, second.err
    assert {day for day, state in states(second).items() if state == "new"} == {"05"}
    with open_instance(load_settings(place[0], environ={})) as instance:
        before = instance.get_runs_count()
        third = say(capsys, "backfill", *SPAN, *where, "--json")
        assert instance.get_runs_count() == before  # nothing was even asked of Dagster
    assert (third.data["was there"], third.data["no session"], third.data["new"]) == (2, 1, 0)


def test_what_dagster_does_not_know_of_is_recorded_without_computing(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "another"))
    day = ("--from", "2026-02-06", "--to", "2026-02-06")
    where = ("--lake-root", place[0], "--config-dir", place[1], "--json")
    said = say(capsys, "backfill", *day, *where)
    assert states(said) == {"06": "was there"}
    with open_instance(load_settings(place[0])) as instance:
        assert instance.get_runs_count() == 1
        say(capsys, "backfill", *day, *where)
        assert instance.get_runs_count() == 1


@pytest.mark.slow
def test_two_backfills_at_once_end_with_one_result(
    place: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(capsys, "sample", *SPAN, *QUICK, "--lake-root", place[0], "--config-dir", place[1])
    lake = tmp_path / "lake"
    (lake).mkdir()
    (lake / "raw").symlink_to(place[0] / "raw")
    command = [
        sys.executable, "-m", "vp_assets.cli", "backfill", "--from", "2026-02-05", "--to", "2026-02-06", "--json",
        "--lake-root", str(lake), "--config-dir", str(place[1]),
    ]  # fmt: skip
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    said = [json.loads(out) for out, _ in ended]
    for row in zip(*(one["days"] for one in said), strict=True):
        assert row[0]["address"] == row[1]["address"]
        assert {one["state"] for one in row} <= {"new", "was there"}
    held = list_datasets(Lake(lake))
    assert [info.address for info in held] == [row["address"] for row in said[0]["days"]]
    for info in held:
        Lake(lake).verify_dir(info.path)
    assert not list((lake / "research").rglob(".tmp-*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backfill", "--from", "2026-02-06", "--to", "2026-02-05"), "`--to` must not lie before `--from`"),
        (("backfill", "nothing", "--from", "2026-02-05", "--to", "2026-02-05"), "no pipeline named `nothing`"),
        (("sample", "--from", "2026-02-05"), "many days want both `--from` and `--to`"),
        (
            ("sample", "--from", "2026-02-07", "--to", "2026-02-08"),
            "no day from 2026-02-07 to 2026-02-08 has a session",
        ),
    ],
)
def test_mistakes_are_one_line(
    place: tuple[Path, Path], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    said = say(capsys, *arguments, "--lake-root", place[0], "--config-dir", place[1])
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
