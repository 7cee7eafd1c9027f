"""The vendor's own live client against a gateway on loopback: a session, a break, a recording, `vp live`."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.assets.conftest import Vp, say
from tests.assets.gateway.days import SYMBOL, orders, snapshot
from tests.assets.gateway.live import LiveGateway, Step, heartbeat, mapping
from tests.assets.gateway.server import KEY
from tests.assets.test_cli import refused
from vp_assets.databento.recorded import DayCommitter, commit_day
from vp_engine.errors import ConfigError
from vp_engine.feed import DbnFile
from vp_engine.feed.live import LiveFeed, parse_gateway
from vp_engine.lake import Lake, find_raw
from vp_engine.live import Backoff, LiveSession
from vp_engine.schema import BinBlock
from vp_engine.specs import Capture, load_instrument
from vp_engine.stream import stream_events

LOCK = load_instrument()
MS = 1_000_000
DATASET = "GLBX.MDP3"


def now() -> int:
    return time.time_ns()


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def until(reached: Callable[[], bool], seconds: float = 30.0) -> Callable[[], bool]:
    """Whether a session may stop: the point is reached, or too much time has passed."""
    last = time.monotonic() + seconds
    return lambda: reached() or time.monotonic() > last


def trading(first_id: int, sequence: int, n: int, start_ns: int, step_ms: int = 20) -> list[Step]:
    """n orders, sent as they are made, with a heartbeat at the end."""
    steps: list[Step] = []
    for at in range(n):
        ts = np.array([start_ns + at * step_ms * MS])
        steps += [orders(ts, first_id + at, sequence + at), step_ms / 1_000]
    return [*steps, heartbeat(start_ns + n * step_ms * MS)]


@pytest.fixture
def gateway() -> Iterator[LiveGateway]:
    """Two sessions: the first breaks off, the second goes on."""
    begin = now()
    later = begin + 700 * MS
    first = [mapping(begin), snapshot(begin - 50 * MS), *trading(100, 1, 15, begin)]
    second = [mapping(later), snapshot(later, n=8), *trading(200, 100, 30, later), None]
    made = LiveGateway(today(), first, second)
    yield made
    made.close()


def feed_of(gateway: LiveGateway, key: str = KEY) -> LiveFeed:
    return LiveFeed(key, DATASET, SYMBOL, "127.0.0.1", gateway.port)


def soon(seconds: int = 60) -> Capture:
    """A window from the next tenth of a second on."""
    start = (now() // (100 * MS) + 1) * 100 * MS
    return Capture(SYMBOL, today(), start, start + seconds * 1_000 * MS, start - 1_800_000 * MS, LOCK.bin_ns)


def test_live_bins_are_those_of_the_file(tmp_path: Path, gateway: LiveGateway) -> None:
    blocks: list[BinBlock] = []
    capture = soon()
    session = LiveSession(feed_of(gateway), tmp_path, LOCK, capture, blocks.append, backoff=Backoff(0.02, 0.1))
    status = session.status
    session.run(until(lambda: status.records >= 58 and session.engine.bins >= 8))
    assert (status.gaps, status.connects, status.connected) == (1, 2, False)
    assert status.records >= 4 + 15 + 1 + 8 + 30
    bins = np.concatenate([block.bins for block in blocks])
    assert bins.size == session.engine.bins >= 8
    assert bins["book_valid"][-1] == 1
    (path,) = tmp_path.glob("*.dbn")
    replayed = next(iter(stream_events([path], LOCK, capture._replace(end_ns=int(bins["bin_end_ns"][-1])))))
    for name in bins.dtype.names:
        assert np.array_equal(bins[name], replayed.bins[name]), name
    assert np.concatenate([block.grid for block in blocks], axis=1).tobytes() == replayed.grid.tobytes()
    asked = "".join(gateway.asked)
    assert asked.count("snapshot=1") == 2
    assert f"schema=mbo|stype_in=raw_symbol|symbols={SYMBOL}|" in asked


def test_bins_close_in_silence(tmp_path: Path) -> None:
    """After the last record only this machine's clock is left."""
    begin = now()
    quiet = LiveGateway(today(), [mapping(begin), snapshot(begin), *trading(100, 1, 3, begin), None])
    session = LiveSession(feed_of(quiet), tmp_path, LOCK, soon(), lambda block: None)
    session.run(until(lambda: session.engine.bins >= 5))
    quiet.close()
    assert session.engine.bins >= 5
    assert session.status.records == 7
    assert session.status.gaps == 0
    assert session.status.mid > 0


def test_a_wrong_key_ends_at_once(gateway: LiveGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session = LiveSession(
        feed_of(gateway, "db-wrongwrongwrongwrongwrongwr"), tmp_path, LOCK, soon(), lambda block: None
    )
    with pytest.raises(ConfigError, match="the live gateway refuses the session: User authentication failed") as caught:
        session.run(lambda: False)
    assert "db-wrong" not in str(caught.value) + caplog.text
    assert list(tmp_path.iterdir()) == []


def test_an_absent_gateway_is_waited_for(tmp_path: Path) -> None:
    closed = LiveGateway(today())
    closed.close()
    session = LiveSession(feed_of(closed), tmp_path, LOCK, soon(), lambda block: None, backoff=Backoff(0.01, 0.02))
    session.run(until(lambda: session.status.connects > 1))
    assert session.status.connects > 1
    assert session.status.said.startswith("Connection to 127.0.0.1")


@pytest.mark.parametrize("given", ["localhost", "localhost:", ":13000", "host:99999", "host:port"])
def test_a_gateways_address_is_host_and_port(given: str) -> None:
    with pytest.raises(ConfigError, match="must be host:port"):
        parse_gateway(given)
    assert parse_gateway("127.0.0.1:13000") == ("127.0.0.1", 13000)


@pytest.fixture
def vp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Vp:
    return lambda *argv: say(capsys, *argv, "--lake-root", tmp_path / "lake")


def test_vp_live_records_and_shows_no_key(
    vp: Vp, gateway: LiveGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)
    monkeypatch.setenv("VP_DATABENTO_LIVE_GATEWAY", f"127.0.0.1:{gateway.port}")
    said = vp("live", "--for", "0.8", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.data["records"] >= 4
    (path,) = (tmp_path / "lake" / "live").iterdir()
    assert sum(batch.size for batch in DbnFile(path).batches()) == said.data["records"]
    assert KEY not in said.out + caplog.text
    assert KEY.encode() not in path.read_bytes()


def test_vp_live_says_what_is_wrong(vp: Vp, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(vp("live"), "no Databento key")
    monkeypatch.setenv("DATABENTO_API_KEY", KEY)
    refused(vp("live", "nothing"), "no pipeline named `nothing`")
    refused(vp("live", "mnq_60m_baseline"), "`mnq_60m_baseline` ended at 2026-02-06", "window is to come")
    monkeypatch.setenv("VP_DATABENTO_LIVE_GATEWAY", "here")
    refused(vp("live"), "must be host:port")


@pytest.mark.parametrize("to_its_end", [True, False])
def test_a_recorded_day_covers_what_was_recorded_of_it(tmp_path: Path, to_its_end: bool) -> None:
    from tests.assets.gateway.days import day_ns
    from vp_engine.feed.day_file import DayFile

    day, lake = dt.date(2026, 2, 2), Lake(tmp_path / "lake")
    noon, later = day_ns(day) + 12 * 3600 * 1000 * MS, day_ns(day) + 13 * 3600 * 1000 * MS
    for begin in (noon, later):  # the recording goes on after a crash
        recording = DayFile(tmp_path, "GLBX.MDP3", LOCK.symbol, day, int(snapshot(begin)["instrument_id"][0]))
        recording.append(snapshot(begin))
        recording.close()
    end = later
    if to_its_end:
        recording = DayFile(tmp_path, "GLBX.MDP3", LOCK.symbol, day, recording.instrument_id)
        recording.finish()
        recording.close()
        end = day_ns(day) + 86_400 * 1000 * MS
    facts = commit_day(lake, LOCK, recording.path, day).manifest
    assert (facts.coverage_start_ns, facts.coverage_end_ns) == (noon, end)


def test_a_recorded_day_becomes_a_raw_day(tmp_path: Path) -> None:
    from tests.assets.gateway.days import day_ns, day_records, header
    from vp_engine.feed.made import clear_record

    day, lake = dt.date(2026, 2, 2), Lake(tmp_path / "lake")
    records = day_records(day)
    gap = clear_record(int(records["ts_event"][-1]), int(records["ts_recv"][-1]), 42, 1)
    again = snapshot(int(records["ts_recv"][-1]) + MS)
    path = tmp_path / "glbx-mdp3-20260202.MNQH6.mbo.dbn"
    content = header(day) + records.tobytes() + gap.tobytes() + again.tobytes()
    for _ in range(2):  # a crash between commit and deletion leaves the file: it comes in again, and is there
        path.write_bytes(content)
        committer = DayCommitter(lake, LOCK)
        committer(path, day)
        (taken,) = committer.close()
        assert not path.exists()
    held = find_raw(lake, LOCK, day)
    assert held is not None
    assert (held.manifest.source, held.manifest.records) == ("live", records.size + 1 + again.size)
    assert held.manifest.condition == "recorded from 00:00:00 UTC, 1 gaps"
    assert taken.path == held.path
    assert held.manifest.first_ts_ns == day_ns(day)
    path.write_bytes(header(day))
    with pytest.raises(Exception, match="holds no MBO record"):
        commit_day(lake, LOCK, path, day)
    assert path.exists()
