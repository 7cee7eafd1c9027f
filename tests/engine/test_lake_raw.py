"""Raw days come in whole or not at all, and say what they hold."""

import datetime as dt
import errno
import json
import os
import threading
from pathlib import Path

import pytest
from lake_kit import DAY, DAY_NS, dbn_file

from vp_engine.errors import ConfigError, DataError, LakeError, UnreachableError
from vp_engine.hashing import sha256_file
from vp_engine.lake import Lake, find_raw, import_raw, list_raw
from vp_engine.lake.raw import verify_raw
from vp_engine.specs import load_instrument

LOCK = load_instrument()
CONFIGS = Path(__file__).parents[2] / "configs"
FOLDER = "raw/source=databento/product_type=future_mbo/symbol=MNQ/table=market_by_order_dbn"
DAY_S = 86_400 * 10**9


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def files(lake):
    return sorted(path.name for path in lake.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("suffix", ["dbn.zst", "dbn"])
def test_a_day_comes_in_under_its_name_with_a_manifest(lake, tmp_path, suffix):
    file = dbn_file(tmp_path / f"anything.{suffix}")
    done = import_raw(lake, LOCK, file)
    assert done.path == lake.path(FOLDER, f"glbx-mdp3-20260206.MNQH6.mbo.{suffix}")
    assert done.path.read_bytes() == file.read_bytes()
    assert not done.hit
    manifest = done.manifest
    assert (manifest.records, manifest.kept, manifest.day, manifest.dbn_version) == (100, 100, DAY, 3)
    assert (manifest.first_ts_ns, manifest.last_ts_ns) == (DAY_NS, DAY_NS + 99 * 10**9)
    assert manifest.address == sha256_file(file)
    assert manifest.bytes == file.stat().st_size
    assert manifest.complete_start
    assert manifest.instrument_ids == (42,)
    assert json.loads(done.path.with_name(done.path.name + ".manifest.json").read_text())["source"] == "databento"
    assert find_raw(lake, LOCK, DAY)[:2] == (done.path, manifest)
    assert list_raw(lake) == list_raw(lake, LOCK) == [find_raw(lake, LOCK, DAY)]
    assert find_raw(lake, LOCK, DAY + dt.timedelta(days=1)) is None
    verify_raw(find_raw(lake, LOCK, DAY))
    assert len(files(lake)) == 2


def test_the_same_bytes_twice_are_one_import(lake, tmp_path):
    file = dbn_file(tmp_path / "a.dbn.zst")
    first = import_raw(lake, LOCK, file)
    again = import_raw(lake, LOCK, file)
    assert again == first._replace(hit=True)
    assert len(files(lake)) == 2


def test_other_bytes_of_the_same_day_need_a_word(lake, tmp_path):
    first = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn.zst", seed=1))
    other = dbn_file(tmp_path / "b.dbn", seed=2)
    with pytest.raises(LakeError, match="in the lake with other bytes"):
        import_raw(lake, LOCK, other)
    assert find_raw(lake, LOCK, DAY).manifest == first.manifest
    done = import_raw(lake, LOCK, other, replace=True)
    assert find_raw(lake, LOCK, DAY).manifest == done.manifest
    assert files(lake) == ["glbx-mdp3-20260206.MNQH6.mbo.dbn", "glbx-mdp3-20260206.MNQH6.mbo.dbn.manifest.json"]


@pytest.mark.parametrize("suffix", ["dbn.zst", "dbn"])
@pytest.mark.parametrize("step", ["file", "manifest"])
def test_a_replacement_that_fails_leaves_the_day_that_was_there(lake, tmp_path, monkeypatch, suffix, step):
    first = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn.zst", seed=1))
    content, before = first.path.read_bytes(), files(lake)
    replace = lake._room.replace

    def failing(staged, target):
        if target.name.endswith(".manifest.json") == (step == "manifest"):
            raise OSError(errno.EIO, "boom")
        replace(staged, target)

    other = dbn_file(tmp_path / f"b.{suffix}", seed=2)
    with monkeypatch.context() as patch:
        patch.setattr(lake._room, "replace", failing)
        with pytest.raises(OSError, match="boom"):
            import_raw(lake, LOCK, other, replace=True)
    day = find_raw(lake, LOCK, DAY)
    assert (day.path, day.manifest) == (first.path, first.manifest)
    assert day.file().read_bytes() == content
    assert files(lake) == before
    done = import_raw(lake, LOCK, other, replace=True)
    assert list_raw(lake) == [find_raw(lake, LOCK, DAY)]
    assert find_raw(lake, LOCK, DAY).manifest == done.manifest
    verify_raw(find_raw(lake, LOCK, DAY))
    assert len(files(lake)) == 2


def test_a_replacement_is_whole_at_every_step(lake, tmp_path, monkeypatch):
    first = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn.zst", seed=1))
    seen = []

    def looking(step):
        def look(*args):
            for _ in range(2):
                (day,) = list_raw(lake)
                assert day == find_raw(lake, LOCK, DAY)
                verify_raw(day)
                seen.append(day.manifest.sha256)
                if len(seen) % 2:
                    step(*args)

        return look

    for name in ("replace", "remove"):
        monkeypatch.setattr(lake._room, name, looking(getattr(lake._room, name)))
    done = [import_raw(lake, LOCK, dbn_file(tmp_path / name, seed=2), replace=True) for name in ("b.dbn.zst", "c.dbn")]
    assert list(dict.fromkeys(seen)) == [first.manifest.sha256, *(one.manifest.sha256 for one in done)]
    assert len(files(lake)) == 2


def test_a_damaged_day_is_replaced_by_its_own_bytes(lake, tmp_path):
    file = dbn_file(tmp_path / "a.dbn.zst", seed=1)
    first = import_raw(lake, LOCK, file)
    first.path.write_bytes(b"x")
    where = first.path.with_name(first.path.name + ".manifest.json")
    where.write_bytes(where.read_bytes()[:-9])
    for _ in range(3):
        done = import_raw(lake, LOCK, file, replace=True)
        assert done.path.read_bytes() == file.read_bytes()
        verify_raw(find_raw(lake, LOCK, DAY))
        assert len(files(lake)) == 2


def test_a_bought_day_beats_a_made_one(lake, tmp_path):
    made = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn.zst", seed=1), "synthetic")
    assert find_raw(lake, LOCK, DAY).manifest == made.manifest
    bought = import_raw(lake, LOCK, dbn_file(tmp_path / "b.dbn.zst", seed=2), "databento")
    assert find_raw(lake, LOCK, DAY).manifest == bought.manifest
    assert find_raw(lake, LOCK, DAY, "synthetic").manifest == made.manifest
    assert len(list_raw(lake)) == 2


def test_late_first_event_of_the_day_before_is_still_the_day(lake, tmp_path):
    file = dbn_file(tmp_path / "a.dbn", first_ns=DAY_NS - 10**9, n=2000)  # cut by receive time, a second late
    assert import_raw(lake, LOCK, file).manifest.day == DAY


def test_the_shipped_es_instrument_reads_its_own(lake, tmp_path):
    lock = load_instrument(CONFIGS / "instruments" / "esh4.yaml")
    done = import_raw(lake, lock, dbn_file(tmp_path / "a.dbn", symbol="ESH4"))
    assert "symbol=ES/" in str(done.path)
    assert done.path.name == "glbx-mdp3-20260206.ESH4.mbo.dbn"
    assert find_raw(lake, LOCK, DAY) is None


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda at: at / "missing.dbn", "no such file"),
        (lambda at: at, "is a folder"),
        (lambda at: dbn_file(at / "x.dbn", symbol="ESH4"), "x.dbn: holds ESH4, not MNQH6"),
        (lambda at: dbn_file(at / "x.dbn", dataset="XNAS.ITCH"), "is of dataset XNAS.ITCH, the instrument's is GLBX"),
        (lambda at: cut(dbn_file(at / "x.dbn"), 0.7), "x.dbn: ends inside record"),
        (lambda at: cut(dbn_file(at / "x.dbn.zst"), 0.7), "x.dbn.zst: zstd data ends"),
        (lambda at: cut(dbn_file(at / "x.dbn"), 0.0), "x.dbn: ends inside the DBN metadata"),
        (lambda at: dbn_file(at / "x.dbn", step_ns=10**13), "a raw file is one UTC day"),
        (
            lambda at: dbn_file(at / "glbx-mdp3-20260207.mbo.dbn"),
            "holds records of 2026-02-06, not of the day in its name",
        ),
        (lambda at: dbn_file(at / "x.dbn", first_ns=DAY_NS + DAY_S), "holds records of 2026-02-07, not of 2026-02-06"),
        (lambda at: dbn_file(at / "x.dbn", n=0), "no MBO record of MNQH6"),
    ],
)
def test_bad_files_are_one_line_and_leave_nothing(lake, tmp_path, make, message):
    with pytest.raises(DataError, match=message) as caught:
        import_raw(lake, LOCK, make(tmp_path), day=DAY)
    assert "\n" not in str(caught.value)
    assert ".tmp-" not in str(caught.value)
    assert files(lake) == []


def test_text_is_no_raw_file(lake, tmp_path):
    file = tmp_path / "notes.dbn"
    file.write_text("hello, this is not DBN at all")
    with pytest.raises(DataError, match=r"notes\.dbn: not a DBN file"):
        import_raw(lake, LOCK, file)
    with pytest.raises(ConfigError, match="`source` must be"):
        import_raw(lake, LOCK, file, "../x")
    assert files(lake) == []


def test_a_changed_raw_file_is_found(lake, tmp_path):
    done = import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn"))
    content = bytearray(done.path.read_bytes())
    content[-1] ^= 1
    done.path.write_bytes(content)
    with pytest.raises(LakeError, match="differ from the manifest"):
        verify_raw(find_raw(lake, LOCK, DAY))
    done.path.write_bytes(content[:-1])
    with pytest.raises(LakeError, match="bytes of the manifest"):
        find_raw(lake, LOCK, DAY)
    done.path.unlink()
    with pytest.raises(LakeError, match="missing"):
        find_raw(lake, LOCK, DAY)


def test_threads_that_import_one_day_agree(lake, tmp_path):
    file = dbn_file(tmp_path / "a.dbn.zst", n=5000)
    done, barrier = [], threading.Barrier(4)

    def work():
        barrier.wait()
        done.append(import_raw(lake, LOCK, file))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.hit for one in done) == [False, True, True, True]
    assert len(files(lake)) == 2


REAL = Path(os.environ.get("VP_REAL_DBN_DIR") or Path(__file__).resolve().parents[3] / "shared" / "data")
REAL_FILE = REAL / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"


@pytest.mark.real
@pytest.mark.skipif(not REAL_FILE.exists(), reason="the real capture is not here")
def test_the_real_day(lake):
    lock = load_instrument(CONFIGS / "instruments" / "esh4.yaml")
    manifest = import_raw(lake, lock, REAL_FILE).manifest
    assert manifest.sha256 == "04597c542c1f0a9d0f6c5e8b73c7624db67d978061b42742b86e09ae608c0bc5"
    assert (manifest.records, manifest.kept, manifest.dbn_version) == (68_792, 68_792, 1)
    assert manifest.day == dt.date(2023, 12, 25)
    with pytest.raises(DataError, match="holds ESH4, not MNQH6"):
        import_raw(lake, LOCK, REAL_FILE)


def test_manifest_when_written_before_coverage_was_stored_then_is_still_read(tmp_path: Path) -> None:
    from vp_engine.lake.raw import RawManifest

    old = {
        "schema_version": 1, "kind": "raw", "file": "a.dbn", "sha256": "0" * 64, "bytes": 1, "source": "databento",
        "dataset": "GLBX.MDP3", "symbol": "MNQH6", "day": "2026-02-06", "dbn_version": 3, "records": 1, "kept": 1,
        "first_ts_ns": 1, "last_ts_ns": 2, "has_snapshot": True, "n_bad_flags": 0, "instrument_ids": [1],
    }  # fmt: skip
    manifest = RawManifest.parse(old, "manifest")
    assert (manifest.complete_start, manifest.coverage_end_ns, manifest.faults) == (True, None, {})


def test_a_day_whose_file_cannot_be_looked_at_is_named_and_the_others_are_listed(lake, tmp_path, monkeypatch):
    import_raw(lake, LOCK, dbn_file(tmp_path / "a.dbn.zst", seed=1))
    other = DAY_NS + DAY_S
    import_raw(lake, LOCK, dbn_file(tmp_path / "b.dbn.zst", first_ns=other, seed=2))
    both = list_raw(lake)
    real = lake.size

    def failing(path):
        if path == both[0].path:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path)

    monkeypatch.setattr(lake, "size", failing)
    told = []
    assert list_raw(lake, on_damage=lambda where, error: told.append(str(error))) == both[1:]
    assert len(told) == 1
    assert str(both[0].path.parent) in told[0]
    assert "Input/output error" in told[0]
    with pytest.raises(UnreachableError, match="try again"):
        list_raw(lake)
