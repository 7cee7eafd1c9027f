"""What messages suggest can be followed word by word: every command exists with its options, and does what was said."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.assets.conftest import DAILY, Vp, World, say
from vp_assets.cli import app
from vp_assets.cli.hints import Hints

ROOT = Path(__file__).parents[2]
SUGGESTED = re.compile(r"`(vp [^`{}]+)`")
IN_PAGES = re.compile(r"^(?:VP_\w+=\S+ )*(vp [a-z][^#\n]*)", re.MULTILINE)


def suggestions() -> Iterator[tuple[str, str]]:
    """(where, command line) of every `vp …` in a string of the packages, and in the code blocks of README and docs."""
    for package in ("vp_assets", "vp_engine", "vp_serving"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = [str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values]
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    parts = [node.value]
                else:
                    continue
                for command in SUGGESTED.findall("".join(parts)):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", command
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for command in IN_PAGES.findall(block):
                yield page.name, command.strip()


def lacking(one: Any, name: str, words: list[str]) -> str | None:
    """What keeps a command line from being read; a placeholder that is no date or number (BadParameter) does not."""
    try:
        one.make_context(name, words)
    except Exception as error:  # typer has its own copies of click's classes
        return None if type(error).__name__ == "BadParameter" else str(error) or type(error).__name__
    return None


@pytest.mark.parametrize(("where", "command"), sorted(set(suggestions())))
def test_suggested_command_when_read_as_the_command_line_does_then_exists(where: str, command: str) -> None:
    group: Any = typer.main.get_command(app)
    words = shlex.split(re.sub(r"(&&|[|;>]).*", "", command))[1:]
    if words[0].startswith("--"):
        assert words[0] in {flag for parameter in group.params for flag in parameter.opts} | {"--help"}, where
        return
    assert words[0] in group.commands, f"{where}: vp has no command {words[0]!r}"
    known = {flag for parameter in group.commands[words[0]].params for flag in parameter.opts} | {"--help"}
    assert {word.split("=")[0] for word in words[1:] if word.startswith("--")} <= known, where
    if "--help" not in words:
        assert not lacking(group.commands[words[0]], words[0], words[1:]), where


def test_hint_when_options_were_given_then_repeats_them_quoted() -> None:
    hints = Hints({"--lake-root": "/a b/lake"})
    assert hints.vp("promote", "x y.yaml") == "vp promote 'x y.yaml' --lake-root '/a b/lake'"
    message = "look, then `vp admit 2026-02-06` or `vp --help`"
    assert hints.completed(message) == "look, then `vp admit 2026-02-06 --lake-root '/a b/lake'` or `vp --help`"
    assert Hints({}).completed(message) == message


def followed(text: str, words: str) -> list[str]:
    """The command that a message suggests, as a shell would split it."""
    flat = " ".join(text.split())
    found = re.search(rf"(vp {words}[^`]*?)(?:`|$)", flat)
    assert found, text
    return shlex.split(found[1])[1:]


def test_run_of_a_path_when_its_hint_is_followed_then_promotes(world: World, capsys: Any, tmp_path: Path) -> None:
    spec = tmp_path / "away" / "minute_sweep.yaml"
    spec.parent.mkdir()
    spec.write_text((world.configs / "experiments" / "minute_sweep.yaml").read_text())
    (configs := tmp_path / "configs").mkdir()
    for kind in ("pipelines", "serving"):
        (configs / kind).symlink_to(world.configs / kind)
    said = say(capsys, "run", spec, "--lake-root", world.lake, "--config-dir", configs)
    assert said.code == 0, said.err
    line = next(line for line in said.out.splitlines() if "Promote" in line)
    done = say(capsys, *followed(line, "promote"))
    assert done.code == 0, done.err
    assert "vacuum-pressure.html?serving=minute_sweep_promoted_" in " ".join(done.out.split())


@pytest.mark.parametrize(
    "argv",
    [("list-days",), ("list-datasets",), ("compare",), ("sql", "select 1"), ("verify",), ("analyze",), ("gc",),
     ("clean",), ("promote", "minute_sweep"), ("online-sim", "--signal", "ads")],
)  # fmt: skip
def test_reading_command_when_the_lake_is_mistyped_then_says_so_and_makes_nothing(
    world: World, capsys: Any, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    said = say(capsys, *argv, "--lake-root", tmp_path / "lkae", "--config-dir", world.configs)
    assert (said.code, said.err.count("\n")) == (2, 1), said
    assert f"there is no lake at {tmp_path / 'lkae'}" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def daily(tmp_path: Path) -> tuple[str, ...]:
    """Options of an empty lake with a pipeline of every day."""
    (tmp_path / "configs" / "pipelines").mkdir(parents=True)
    (tmp_path / "configs" / "pipelines" / "every_day.yaml").write_text(DAILY)
    return ("--lake-root", str(tmp_path / "lake"), "--config-dir", str(tmp_path / "configs"))


def test_empty_lake_when_a_listing_suggests_a_command_then_it_names_that_lake(
    daily: tuple[str, ...], capsys: Any, tmp_path: Path
) -> None:
    (tmp_path / "lake").mkdir()
    for asked in ("list-datasets", "compare"):
        said = say(capsys, asked, *daily)
        assert said.code == 0, said.err
        suggested = re.findall(r"`(vp [^`]+)`", " ".join(said.out.split()))
        assert suggested, said.out
        for command in suggested:
            assert shlex.split(command)[-len(daily) :] == list(daily), command


def test_missing_day_when_the_hint_is_followed_then_is_there(daily: tuple[str, ...], capsys: Any) -> None:
    said = say(capsys, "generate", "every_day", "--day", "2026-02-05", *daily)
    assert said.code == 2
    hint = followed(said.err, "sample")
    assert hint[:3] == ["sample", "--day", "2026-02-05"]
    assert say(capsys, *hint, "--start", "09:28:30", "--end", "09:31", "--events-per-s", "50").code == 0
    assert say(capsys, "generate", "every_day", "--day", "2026-02-05", *daily).code == 0


def test_missing_day_when_it_is_a_saturday_then_is_not_to_be_downloaded(daily: tuple[str, ...], capsys: Any) -> None:
    said = say(capsys, "generate", "every_day", "--day", "2026-02-07", *daily)
    assert (said.code, "Saturday" in said.err, "no session" in said.err, "download" in said.err) == (
        2,
        True,
        True,
        False,
    )


def test_many_samples_when_one_day_is_there_with_other_activity_then_makes_the_others(
    daily: tuple[str, ...], capsys: Any
) -> None:
    quick = ("--start", "09:28", "--end", "09:30")
    assert say(capsys, "sample", "--day", "2026-02-05", *quick, "--events-per-s", "40", *daily).code == 0
    said = say(
        capsys, "sample", "--from", "2026-02-05", "--to", "2026-02-06", *quick, "--events-per-s", "30", *daily, "--json"
    )
    assert said.code == 0, said.err
    assert [row["store_hit"] for row in said.data] == [True, False]


def test_generate_when_no_event_falls_into_the_window_then_says_which_window_that_is(
    daily: tuple[str, ...], capsys: Any, tmp_path: Path
) -> None:
    text = DAILY.replace("every_day", "evening").replace('"09:30"', '"14:30"').replace('"09:30:20"', '"14:30:20"')
    (tmp_path / "configs" / "pipelines" / "evening.yaml").write_text(text)
    assert say(capsys, "sample", "--start", "09:28:30", "--end", "09:31", "--events-per-s", "40", *daily).code == 0
    said = say(capsys, "generate", "evening", "--day", "2026-02-06", *daily)
    assert said.code == 0, said.err
    flat = " ".join(said.out.split())
    assert "no event falls into any of its 200 bins" in flat
    assert "14:30 to 14:30:20 Eastern, 19:30 to 19:30:20 UTC" in flat


def test_thresholds_when_the_list_is_empty_then_says_what_is_wanted(world: World, vp: Vp, tmp_path: Path) -> None:
    text = (world.configs / "experiments" / "minute_sweep.yaml").read_text()
    text = text.replace("sweep: {", "sweep: {thresholds: {derivative: []}, ").replace("minute_sweep", "no_thresholds")
    (tmp_path / "none.yaml").write_text(text)
    said = vp("run", tmp_path / "none.yaml")
    assert said.code == 2
    assert "of `derivative` must be a list of at least one number, or the word quantiles" in said.err


def test_compare_when_every_run_has_too_few_trades_then_says_how_many_there_are(vp: Vp) -> None:
    said = vp("compare", "--min-signals", "1000000")
    flat = " ".join(said.out.split())
    assert said.code == 0
    assert " has 1000000 trades; the most is " in flat
    assert "vp run" not in flat
