"""The commit protocol on object stores: a thing is there when its manifest is, and the manifest says whose bytes."""

import json
import time

import numpy as np
import pytest
from lake_kit import (
    ADDRESS,
    NAME,
    at_once,
    dbn_file,
    parts,
    random_bins,
    same_block,
    small_capture,
    small_config,
    write_random,
)

from tests.object_stores import serving
from vp_engine.book.checkpoint import BookCheckpoint
from vp_engine.book.state import new_book
from vp_engine.errors import ConfigError, LakeError
from vp_engine.feed import DbnFile
from vp_engine.feed.records import MBO_BYTES
from vp_engine.lake import Lake, find_dataset, find_raw, import_raw, list_datasets, list_raw, open_dataset
from vp_engine.lake.books import find_book, write_book
from vp_engine.lake.catalog import Catalog
from vp_engine.lake.lineage import DATASET, delete, inventory
from vp_engine.lake.raw_files import import_files
from vp_engine.lake.store import CHECKSUMS, MANIFEST, write_json
from vp_engine.lake.verify import verify_all
from vp_engine.specs import load_instrument

LOCK = load_instrument()
DAY = small_capture(small_config()).dt


@pytest.fixture(scope="module", params=["memory", "moto", pytest.param("rclone", marks=pytest.mark.slow)])
def store(request, tmp_path_factory):
    """URL of an empty store."""
    if request.param == "memory":
        yield "memory://lake"
    else:
        with serving(request.param, tmp_path_factory.mktemp(request.param)) as url:
            yield url


@pytest.fixture
def lake(store, tmp_path, request):
    return Lake(f"{store}/{request.node.originalname}", tmp_path / "cache")


def commit(lake, target, text="x"):
    with lake.commit_dir(target) as folder:
        (folder / "data.bin").write_text(text)
        write_json(folder / MANIFEST, {"text": text})


def names(lake, folder):
    return [path.name for path in lake.entries(folder)]


def test_a_folder_is_there_when_its_manifest_is(lake):
    target = lake.path("a/thing")
    with lake.commit_dir(target) as folder:
        (folder / "data.bin").write_text("x")
        write_json(folder / MANIFEST, {"n": 1})
        assert not lake.exists(target)
        assert lake.entries(lake.path("a")) == []
    assert lake.exists(target)
    assert names(lake, lake.path("a")) == ["thing"]
    held = lake.read_manifest(target / MANIFEST)["files"]
    assert set(held) == {"data.bin", CHECKSUMS}
    assert sorted(names(lake, target)) == sorted([MANIFEST, *(one["at"] for one in held.values())])
    lake.verify_dir(target)
    assert list(lake.cache_dir.rglob(".tmp-*")) == []


def test_an_error_inside_leaves_nothing(lake):
    def broken():
        with lake.commit_dir(lake.path("thing")) as folder:
            (folder / "data.bin").write_text("half")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        broken()
    assert lake.entries(lake.root) == []
    assert list(lake.cache_dir.rglob(".tmp-*")) == []


def test_the_first_manifest_stays_and_the_others_leave_nothing(lake):
    target = lake.path("thing")
    with lake.commit_dir(target) as folder:
        commit(lake, target, "first")
        (folder / "data.bin").write_text("second")
        write_json(folder / MANIFEST, {})
    assert lake.read_manifest(target / MANIFEST)["text"] == "first"
    lake.verify_dir(target)
    assert len(names(lake, target)) == 3


def test_writers_at_once_end_with_one_whole_thing(lake):
    target = lake.path("thing")
    assert at_once(6, lambda number: commit(lake, target, f"{number}" * 1000)) == []
    lake.verify_dir(target)


def test_what_a_dead_writer_left_is_swept_when_it_is_a_day_old(lake, monkeypatch):
    commit(lake, lake.path("research/whole"))
    lake._room.replace(_file(lake, "x"), lake.path("research/half/data.0123456789ab.bin"))
    lake.commit_bytes(lake.path("research/note.json"), b"{}")
    assert lake.temporaries() == []
    later = time.time() + 25 * 3600
    monkeypatch.setattr("vp_engine.lake.objects.time.time", lambda: later)
    assert [path.name for path in lake.sweep_temporaries()] == ["data.0123456789ab.bin"]
    assert names(lake, lake.path("research")) == ["note.json", "whole"]
    lake.verify_dir(lake.path("research/whole"))


def _file(lake, text):
    lake.cache_dir.mkdir(parents=True, exist_ok=True)
    path = lake.cache_dir / "some"
    path.write_text(text)
    return path


def test_a_day_comes_in_once_and_is_read_from_a_checked_copy(lake, tmp_path):
    file = dbn_file(tmp_path / "a.dbn.zst")
    done = import_raw(lake, LOCK, file)
    assert not done.hit
    assert import_raw(lake, LOCK, file).hit
    day = find_raw(lake, LOCK, DAY)
    assert day.path == done.path
    assert day.file().read_bytes() == file.read_bytes()
    assert day.file().is_relative_to(lake.cache_dir)
    with pytest.raises(LakeError, match="other bytes"):
        import_raw(lake, LOCK, dbn_file(tmp_path / "b.dbn", seed=1))
    replaced = import_raw(lake, LOCK, dbn_file(tmp_path / "b.dbn", seed=1), replace=True)
    assert [one.manifest for one in list_raw(lake)] == [replaced.manifest]
    assert len(names(lake, done.path.parent)) == 2
    fresh = find_raw(Lake(lake.root, lake.cache_dir), LOCK, DAY)
    copy = fresh.file()
    copy.write_bytes(b"x" * copy.stat().st_size)
    assert find_raw(Lake(lake.root, lake.cache_dir), LOCK, DAY).file().read_bytes() == (tmp_path / "b.dbn").read_bytes()


def test_a_day_of_a_file_that_repeats_its_end_comes_in_once(lake, tmp_path):
    file = dbn_file(tmp_path / "a.dbn", n=100)
    whole = import_raw(Lake(tmp_path / "near"), LOCK, file).manifest
    file.write_bytes(file.read_bytes() + file.read_bytes()[-10 * MBO_BYTES :])
    done = import_files(lake, LOCK, [file, file])[0]
    assert [(one.manifest.repeated, one.manifest.kept, one.hit) for one in done] == [(10, whole.kept, False)]
    day = find_raw(lake, LOCK, DAY)
    assert sum(batch.size for batch in DbnFile(day.file()).batches()) == whole.kept
    assert import_files(lake, LOCK, [file])[0][0].hit


def test_a_day_whose_object_changed_is_not_handed_out(lake, tmp_path):
    done = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn"))
    content = bytearray(lake.read_bytes(done.path))
    content[-1] ^= 1
    lake.commit_bytes(done.path, bytes(content))
    with pytest.raises(LakeError, match="differs from its manifest"):
        find_raw(lake, LOCK, DAY).file()
    assert not list((lake.cache_dir / "objects").rglob("*.dbn"))


def test_datasets_books_and_sql(lake, tmp_path):
    raw = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn")).manifest
    config = small_config()
    capture = small_capture(config)
    assert find_book(lake, capture, "b" * 64) is None
    write_book(lake, capture, "b" * 64, BookCheckpoint.of(new_book(64)), [raw.address])
    assert find_book(lake, capture, "b" * 64).n_orders == 0
    info = write_random(lake, inputs={"book": "b" * 64, "raw": [raw.address]})
    assert write_random(lake, inputs={}).manifest == info.manifest  # the first stays
    assert [one.dataset_id for one in list_datasets(lake)] == [NAME]
    assert find_dataset(lake, ADDRESS[:12]).address == ADDRESS
    block = random_bins(config, capture)
    stored = open_dataset(lake, NAME, verify=True)
    assert all(same_block(*pair) for pair in zip(stored.blocks(), parts(block, 600), strict=True))
    assert np.array_equal(stored["rest_depth"], block.field("rest_depth"))
    with Catalog(lake) as catalog:
        found = catalog.sql("SELECT count(*) AS n, any_value(dataset_id) AS id FROM grid WHERE k = 0").to_pylist()
        assert found == [{"n": 2400, "id": NAME}]
    held = inventory(lake)
    (thing,) = held.of_kind(DATASET)
    assert [one.kind for one in held.roots(thing)] == ["raw"]
    assert {verdict.problem for verdict in verify_all(lake)} == {None}
    delete(lake, thing)
    assert list_datasets(lake) == []
    assert names(lake, lake.path("research/vp_immutable")) == []


def test_what_rclone_keeps_is_there_for_the_next_server(tmp_path):
    with serving("rclone", tmp_path / "served") as url:
        write_random(Lake(f"{url}/kept", tmp_path / "cache"))
    with serving("rclone", tmp_path / "served") as url:
        (info,) = list_datasets(Lake(f"{url}/kept", tmp_path / "cache"))
        assert open_dataset(Lake(f"{url}/kept", tmp_path / "cache"), info.address, verify=True).n_bins == 2400
    assert json.loads((tmp_path / "served/lake/kept/research/vp_immutable" / NAME / MANIFEST).read_text())["digest"]


def test_troubles_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with serving("moto", tmp_path / "served"):
        missing = Lake("s3://no-such-bucket/lake", tmp_path / "cache")
        assert "no such bucket" in missing.problem()
        assert list_datasets(missing) == []
        with pytest.raises(LakeError, match="bucket does not exist") as caught:
            commit(missing, missing.path("thing"))
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="lake root ftq://x"):
        Lake("ftq://x")
