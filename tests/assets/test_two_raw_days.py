"""A pipeline whose window runs over UTC midnight: two raw days in, one dataset out."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import databento_dbn
import numpy as np
import pytest

from tests.assets.conftest import say
from vp_assets.defs.assets import checks
from vp_assets.research.carried_book import carried, differences
from vp_assets.research.requests import Chain
from vp_assets.settings import load_settings
from vp_engine.feed import F_LAST, F_SNAPSHOT, MBO_DTYPE
from vp_engine.lake import Lake, RawDay, find_raw, import_raw

DAYS = [dt.date(2026, 2, 5), dt.date(2026, 2, 6)]
MIDNIGHT = int(dt.datetime(2026, 2, 6, tzinfo=dt.UTC).timestamp()) * 10**9
TICK, SPOT = 250_000_000, 86_000
PIPELINE = """
name: evening
capture: {product_type: future_mbo, symbol: MNQH6, dt: "2026-02-05", start_time: "18:59:55", end_time: "19:00:05"}
pipeline: {warmup_hours: 0.001}
"""
NIGHT = """
name: night
capture: {product_type: future_mbo, symbol: MNQH6, dt: null, start_time: "19:00", end_time: "19:00:05"}
pipeline: {warmup_hours: 0.001}
"""


def day(path: Path, utc_day: dt.date, first_s: int, orders: list[tuple[int, int, int]], snapshot: int) -> Path:
    """A file of adds (id, tick, size), a second apart from `first_s` after midnight on, the first ones a snapshot."""
    start = int(dt.datetime.combine(utc_day, dt.time(), dt.UTC).timestamp()) * 10**9
    interval = SimpleNamespace(start_date=utc_day, end_date=utc_day + dt.timedelta(days=1), symbol="42")
    head = databento_dbn.Metadata(
        dataset="GLBX.MDP3", start=start, end=start + 86_400 * 10**9, stype_in=databento_dbn.SType.RAW_SYMBOL,
        stype_out=databento_dbn.SType.INSTRUMENT_ID, schema=databento_dbn.Schema.MBO, symbols=["MNQH6"],
        mappings=[SimpleNamespace(raw_symbol="MNQH6", intervals=[interval])], version=3,
    ).encode()  # fmt: skip
    made = np.zeros(len(orders), MBO_DTYPE)
    made["length"], made["rtype"], made["instrument_id"], made["action"] = 14, 160, 42, ord("A")
    seconds = np.maximum(first_s + 1 + np.arange(len(orders)) - snapshot, first_s)
    made["ts_event"] = made["ts_recv"] = MIDNIGHT + seconds * 10**9
    made["order_id"] = [order_id for order_id, _, _ in orders]
    made["price"] = [(SPOT + tick) * TICK for _, tick, _ in orders]
    made["size"] = [size for _, _, size in orders]
    made["side"] = np.where(made["price"] < SPOT * TICK, ord("B"), ord("A"))
    made["flags"] = F_LAST
    made["flags"][:snapshot] = F_SNAPSHOT
    path.write_bytes(bytes(head) + made.tobytes())
    return path


def _raw(lake: Lake, chain: Chain, n: int) -> RawDay:
    found = find_raw(lake, chain.lock, DAYS[n])
    assert found is not None
    return found


def test_the_bins_asset_reads_every_raw_day_it_touches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evening = [(1, -1, 5), (2, 1, 6), (3, -2, 4), (4, 2, 7)]
    morning = [(1, -1, 5), (2, 1, 9), (5, -3, 1), (6, 3, 2)]  # 2 has another size, 3 and 4 are gone, 5 is new
    files = [day(tmp_path / "1.dbn", DAYS[0], -60, evening, 2), day(tmp_path / "2.dbn", DAYS[1], 0, morning, 3)]
    configs = tmp_path / "configs"
    for name, text in (("evening", PIPELINE), ("night", NIGHT)):
        (configs / "pipelines").mkdir(parents=True, exist_ok=True)
        (configs / "pipelines" / f"{name}.yaml").write_text(text)
    lake = tmp_path / "lake"
    where = ("--lake-root", lake, "--config-dir", configs)

    assert say(capsys, "import", files[0], *where).code == 0
    missing = say(capsys, "generate", "evening", *where)
    assert missing.code != 0
    assert "no raw day 2026-02-06" in missing.err

    assert say(capsys, "import", files[1], *where).code == 0
    made = say(capsys, "generate", "evening", *where, "--json")
    assert made.code == 0, made.err
    steps = made.data["steps"]
    assert [(step["asset"], step["partition"]) for step in steps] == [
        ("raw_dbn", "2026-02-05"),
        ("raw_dbn", "2026-02-06"),
        ("evening/book_cache", "2026-02-05"),
        ("evening/bins", "2026-02-05"),
    ]
    manifests = list(lake.glob("research/vp_immutable/*__evening__*/manifest.json"))
    assert len(manifests) == 1
    manifest = json.loads(manifests[0].read_text())
    assert manifest["inputs"]["raw"] == [step["address"] for step in steps[:2]]
    counters = manifest["counters"]
    assert (counters["snapshot_missing"], counters["snapshot_extra"], counters["snapshot_changed"]) == (2, 1, 1)
    assert counters["events_kept"] == 8

    chain = Chain(load_settings(lake, configs, environ={}))
    assert carried(chain, chain.book("evening", None)) == "no raw day of the 4 days before is in the lake"
    morning_book = chain.book("night", "2026-02-06")._replace(raw=chain.raw(DAYS[1]))
    assert carried(chain, morning_book) == (2, 1, 1)
    notes = list(lake.glob("cache/vp_book/carried_*.json"))
    note = chain.lake.read_manifest(notes[0])
    assert note == {"changed": 1, "extra": 1, "missing": 2}
    chain.lake.commit_document(notes[0], {"changed": 0, "extra": 7, "missing": 0})  # found once, it is read ever after
    assert carried(chain, morning_book) == (0, 7, 0)
    checkpoint = chain.stored_book(chain.book("evening", None))
    results = checks.book(dg.AssetKey("b"), checkpoint, carried(chain, morning_book))
    found = {one.check_name: one for one in results}
    assert not found["carried"].passed
    assert found["carried"].severity == dg.AssetCheckSeverity.WARN
    assert found["carried"].metadata["extra"].value == 7
    far = Lake("memory://two-days", tmp_path / "cache")
    for file, at in zip(files, DAYS, strict=True):
        import_raw(far, chain.lock, file, day=at)
    assert differences(morning_book._replace(raw=_raw(far, chain, 1)), _raw(far, chain, 0)) == (2, 1, 1)
    night = chain.bins("night", "2026-02-05")  # its window lies in the second day, its warm-up in the first
    assert [raw.manifest.day for raw in night.raws] == DAYS
    assert night.book.raw.manifest.day == DAYS[0]
