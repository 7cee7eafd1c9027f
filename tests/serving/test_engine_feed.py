"""Captures without a dataset: keyframes give the bits of the way from the beginning, and the way is walked once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_house import House
from wire_client import Server, Stream, read_stream, serving

from vp_engine import stream
from vp_engine.lake import find_raw
from vp_engine.schema import BinBlock
from vp_engine.specs import SpecBook, load_instrument
from vp_engine.stream import stream_events
from vp_serving.replay import engine_feed
from vp_serving.replay.engine_feed import Keyframes
from vp_serving.replay.scorer import BinScorer
from vp_serving.stream import connection
from vp_serving.wire.frames import Frame
from vp_serving.wire.query import StreamRequest

SIGNALS = {
    "derivative": "params: {zscore_min_periods: 30}, threshold: 0.05",
    "erd": "params: {entropy_window_bins: 60}, threshold: 0.05",
    "knn_cl": "params: {first_bins: 150, refit_bins: 100, min_labels: 10}, threshold: 0.5",
}
KEY = 100  # bins between keyframes here


class Scored:
    """Notes the first bin of every block that is scored."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.bins: list[int] = []
        score = BinScorer.score

        def noting(scorer: BinScorer, block: BinBlock, *rest: Any) -> Any:
            self.bins.append(int(block.bins["bin_seq"][0]))
            return score(scorer, block, *rest)

        patch.setattr(BinScorer, "score", noting)


@pytest.fixture(scope="module")
def configs(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("configs")
    shutil.copytree(house.configs, folder, dirs_exist_ok=True)
    for name, signal in SIGNALS.items():
        text = f"name: live_{name}\npipeline: unstored\nsignal: {{name: {name}, {signal}, cooldown_bins: 5}}\n"
        (folder / "serving" / f"live_{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def engine(house: House, configs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A fresh service with keyframes every hundred bins."""
    monkeypatch.setattr(engine_feed, "KEY_BINS", KEY)
    with serving(house.settings({"VP_CONFIG_DIR": str(configs)})) as running:
        yield running


def far(server: Server, name: str, from_bin: int) -> Stream:
    got = server.stream(f"serving=live_{name}&speed=0&from_bin={from_bin}")
    assert got.config["source"] == "engine"
    return got


def test_an_engine_that_begins_at_a_keyframe_gives_the_same_bits(house: House) -> None:
    specs = SpecBook.load(house.configs, None, load_instrument())
    config, capture = specs.pipelines["short"].config(specs.lock), specs.pipelines["short"].resolve(specs.lock)
    raw = find_raw(house.lake, config, capture.utc_days()[0])
    assert raw is not None
    events = stream_events([raw.file()], config, capture, block_bins=90)
    kept, blocks = [], []
    for block in events:
        kept.append(events.keyframe())
        blocks.append(block)
    for at in (0, 3, 5, 0):  # a keyframe is not used up
        again = stream_events([raw.file()], config, capture, block_bins=90, begin=kept[at])
        for mine, theirs in zip(again, blocks[at + 1 :], strict=True):
            assert all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(mine, theirs, strict=True))
        assert again.counters == events.counters
        assert again.n_events == sum(int(block.bins["bin_event_count"].sum()) for block in blocks[at + 1 :])
    assert len(list(stream_events([raw.file()], config, capture, block_bins=90, begin=kept[-1]))) == 0


@pytest.mark.parametrize("name", SIGNALS)
def test_every_place_gives_the_bytes_of_the_whole_way(
    engine: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = far(engine, name, 0)
    assert any(update["signal"]["value"] for update in whole.updates)
    scored = Scored(monkeypatch)
    for place in (317, 99):
        scored.bins.clear()
        assert far(engine, name, place).bins == whole.bins[place:]
        assert min(scored.bins) == place // KEY * KEY


def test_seeks_begin_at_keyframes(engine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = far(engine, "derivative", 0)
    scored = Scored(monkeypatch)
    with engine.connect("serving=live_derivative&speed=1&from_bin=580") as socket:
        start = int(json.loads(socket.recv(timeout=5))["capture"]["start_ns"])
        for place in (130, 470, 25):
            socket.send(json.dumps({"type": "seek", "ts_ns": str(start + place * 100_000_000)}))
        socket.send('{"type":"speed","value":0}')
        got = read_stream(socket)
    assert got.bins[-575:] == whole.bins[25:]
    assert min(scored.bins) == 0


class Idle:
    """A pool that does nothing: whoever asks for a reader reads by hand."""

    def submit(self, *_: Any) -> None:
        return None


def test_what_one_session_computed_another_need_not(engine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it was under way before: at the next keyframe it goes on from where the other one has come."""

    def by_hand(from_bin: int) -> Iterator[list[Frame]]:
        replay = engine.service._resolve(StreamRequest(serving="live_erd"))
        return replay.reader(Idle(), from_bin, lambda: True)._frames()

    scored = Scored(monkeypatch)
    slow, quick = by_hand(540), by_hand(510)
    assert next(slow) == []
    first = next(batch for batch in quick if batch)
    assert first[0].bin_seq == 510
    scored.bins.clear()
    assert next(batch for batch in slow if batch) == first[30:]
    assert scored.bins == [50, 500]
    assert engine.service.hub.keyframes.used > 0


def test_the_way_is_told_while_it_is_long(engine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TELL_EVERY_S", 0.0)
    with engine.connect("serving=live_derivative&speed=0&from_bin=595") as socket:
        said = [json.loads(socket.recv(timeout=20)) for _ in range(3)]
        assert [message["type"] for message in said] == ["runtime_config", "warming", "warming"]
        behind = [message["behind"] for message in said[1:]]
        assert 595 > behind[0] >= behind[1] > 0
        assert [update["bin_seq"] for update in read_stream(socket).updates] == list(range(595, 600))


def test_a_signal_that_cannot_be_copied_leaves_no_keyframes(engine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = far(engine, "erd", 0)
    monkeypatch.setattr(engine.service.hub, "keyframes", Keyframes(1 << 20))

    def refuses(*_: Any) -> bytes:
        raise TypeError("cannot pickle '_thread.lock' object")

    monkeypatch.setattr(engine_feed.pickle, "dumps", refuses)
    assert far(engine, "erd", 430).bins == whole.bins[430:]
    assert engine.service.hub.keyframes.used == 0


def test_keyframes_stay_within_their_room(engine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """They get farther apart where they do not fit, and give the same bits."""
    keyframes = engine.service.hub.keyframes
    whole = far(engine, "derivative", 0)
    each = keyframes.used / 6
    small = Keyframes(int(3.6 * each))
    monkeypatch.setattr(engine.service.hub, "keyframes", small)
    far(engine, "derivative", 0)
    assert 0 < small.used <= 3.6 * each
    scored = Scored(monkeypatch)
    assert far(engine, "derivative", 390).bins == whole.bins[390:]
    assert min(scored.bins) == 200
    far(engine, "erd", 0)  # another request takes the room of the one before
    scored.bins.clear()
    assert far(engine, "derivative", 390).bins == whole.bins[390:]
    assert min(scored.bins) == 0
    monkeypatch.setattr(engine.service.hub, "keyframes", none := Keyframes(100))
    assert far(engine, "derivative", 390).bins == whole.bins[390:]
    assert none.used == 0


def test_the_beginning_is_a_keyframe_too(engine: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the book before the capture is made once."""
    first = far(engine, "derivative", 20)

    def no_replay(*_: Any) -> None:
        raise AssertionError("the book was made already")

    monkeypatch.setattr(stream, "build_checkpoint", no_replay)
    assert far(engine, "derivative", 20).bins == first.bins
