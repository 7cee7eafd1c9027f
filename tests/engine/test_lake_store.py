"""Commits are all or nothing, whoever else writes and whenever the writer dies."""

import json
import os
import signal
import threading
import time

import pytest
from lake_kit import at_once, in_process

from vp_engine.errors import ConfigError, LakeError, NotFoundError
from vp_engine.lake.store import CHECKSUMS, MANIFEST, Lake, temporary_name, write_json


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def commit(lake, target, text="x", manifest=None):
    with lake.commit_dir(target) as folder:
        (folder / "data").write_text(text)
        write_json(folder / MANIFEST, manifest or {"text": text})


def hidden(lake):
    return [path for path in lake.root.rglob("*") if path.name.startswith(".tmp-")]


def test_a_folder_appears_whole_with_its_checksums(lake):
    target = lake.path("a/b/thing")
    with lake.commit_dir(target) as folder:
        (folder / "data").write_text("x")
        write_json(folder / MANIFEST, {"n": 1})
        assert not lake.exists(target)
        assert lake.entries(target.parent) == []
    assert lake.exists(target)
    assert sorted(path.name for path in target.iterdir()) == [CHECKSUMS, "data", MANIFEST]
    assert set(json.loads((target / CHECKSUMS).read_text())) == {"data"}
    assert set(lake.read_manifest(target / MANIFEST)["files"]) == {"data", CHECKSUMS}
    lake.verify_dir(target)
    assert hidden(lake) == []


def test_an_error_inside_leaves_nothing(lake):
    def broken(commit_to):
        with commit_to(lake.path("thing")) as temporary:
            (temporary / "data" if temporary.is_dir() else temporary).write_text("half")
            raise RuntimeError("boom")

    for commit_to in (lake.commit_dir, lake.commit_file):
        with pytest.raises(RuntimeError, match="boom"):
            broken(commit_to)
    assert list(lake.root.iterdir()) == []


def test_a_folder_needs_a_manifest(lake):
    with pytest.raises(LakeError, match=r"without manifest\.json"), lake.commit_dir(lake.path("thing")) as folder:
        (folder / "data").write_text("x")
    assert list(lake.root.iterdir()) == []


def test_the_first_whole_folder_stays(lake):
    target = lake.path("thing")
    with lake.commit_dir(target) as folder:
        commit(lake, target, "first")
        (folder / "data").write_text("second")
        write_json(folder / MANIFEST, {})
    assert (target / "data").read_text() == "first"
    assert hidden(lake) == []


def test_a_folder_without_manifest_is_replaced(lake):
    target = lake.path("thing")
    target.mkdir(parents=True)
    (target / "data").write_text("broken")
    assert not lake.exists(target)
    commit(lake, target, "whole")
    assert (target / "data").read_text() == "whole"
    assert hidden(lake) == []


def test_files_are_replaced_at_once(lake):
    target = lake.path("deep/file.json")
    lake.commit_bytes(target, b'{"n": 1}')
    lake.commit_bytes(target, b'{"n": 2}')
    assert lake.read_json(target) == {"n": 2}
    assert hidden(lake) == []


def test_threads_that_commit_one_target_all_succeed(lake):
    target = lake.path("thing")
    assert at_once(8, lambda number: commit(lake, target, f"{number}" * 1000)) == []
    assert len(set((target / "data").read_text())) == 1
    lake.verify_dir(target)
    assert hidden(lake) == []


@pytest.mark.parametrize("name", ["data", MANIFEST, CHECKSUMS])
def test_verify_finds_a_flipped_byte_anywhere(lake, name):
    target = lake.path("thing")
    commit(lake, target)
    content = bytearray((target / name).read_bytes())
    content[len(content) // 2] ^= 1
    (target / name).write_bytes(content)
    with pytest.raises(LakeError):
        lake.verify_dir(target)


def test_verify_finds_a_missing_file(lake):
    target = lake.path("thing")
    commit(lake, target)
    (target / "data").unlink()
    with pytest.raises(LakeError, match="missing"):
        lake.verify_dir(target)


HANGING_WRITER = """
import sys
from vp_engine.lake.store import Lake, write_json
with Lake(sys.argv[1]).commit_dir(Lake(sys.argv[1]).path("sub/thing")) as folder:
    (folder / "data").write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
    write_json(folder / "manifest.json", {})
"""


def test_a_killed_writer_leaves_nothing_visible_and_is_swept(lake):
    writer = in_process(HANGING_WRITER, str(lake.root))
    assert writer.stdout.readline() == "ready\n"
    assert len(hidden(lake)) == 1
    assert lake.sweep_temporaries() == []  # alive: left alone
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert lake.entries(lake.path("sub")) == []
    assert not lake.exists(lake.path("sub/thing"))
    swept = lake.sweep_temporaries()
    assert len(swept) == 1
    assert hidden(lake) == []
    assert lake.sweep_temporaries() == []


def test_a_reused_process_id_is_not_mistaken_for_the_writer(lake):
    lake.make_folder(lake.root)
    mine = temporary_name("thing")
    head, pid, start, rest = mine.split("-", 3)
    leftover = lake.path("-".join((head, pid, str(int(start) - 1), rest)))  # this process id, another start
    leftover.write_text("")
    lake.path(mine).write_text("")
    assert lake.sweep_temporaries() == [leftover]
    assert lake.path(mine).exists()


def test_another_hosts_leftover_is_swept_when_it_is_old(lake):
    lake.make_folder(lake.root)
    head, pid, start, _, rest = temporary_name("thing").split("-", 4)
    foreign = lake.path("-".join((head, pid, start, "00000000", rest)))
    foreign.mkdir()
    (foreign / "data").write_text("")
    assert lake.sweep_temporaries() == []
    long_ago = time.time() - 25 * 3600
    os.utime(foreign / "data", (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    assert lake.sweep_temporaries() == [foreign]


def test_names_that_only_look_temporary_are_kept(lake):
    lake.make_folder(lake.root)
    lake.path(".tmp-mine").write_text("")
    lake.path(".tmp-1-2-x-y-z").write_text("")
    assert lake.sweep_temporaries() == []


def test_sweeping_a_lake_that_is_not_there(tmp_path):
    assert Lake(tmp_path / "nowhere").sweep_temporaries() == []


def test_reading_what_is_not_there_or_not_json(lake):
    with pytest.raises(NotFoundError, match="no such file"):
        lake.read_json(lake.path("x"))
    for content in (b"{", b"[1]", b"\xff"):
        lake.commit_bytes(lake.path("x"), content)
        with pytest.raises(LakeError, match="JSON"):
            lake.read_json(lake.path("x"))


def test_a_lake_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="cannot be created"):
        commit(Lake(tmp_path / "file" / "lake"), tmp_path / "file" / "lake" / "thing")


def test_a_root_of_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"lake root nowhere://lake"):
        Lake("nowhere://lake")


def test_locked_is_exclusive(lake):
    lake.make_folder(lake.root)
    order = []

    def other():
        with lake.locked(lake.root):
            order.append("other")

    with lake.locked(lake.root):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
