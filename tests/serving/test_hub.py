"""What sessions share gives the bits that one alone would get, wherever it begins and whatever was let go meanwhile."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_house import House

from vp_engine.errors import ConfigError, LakeError
from vp_engine.lake import Dataset, Lake, blocks, datasets, open_dataset, write_dataset
from vp_engine.lake.lookback import LookBack
from vp_engine.signals import make_signal
from vp_engine.specs import ServingSpec
from vp_serving.replay import hub as hub_module
from vp_serving.replay import track as track_module
from vp_serving.replay.cache import Register, Shelf
from vp_serving.replay.hub import BLOCK_BINS, Hub, OpenDataset
from vp_serving.replay.replay import Replay, ReplayPlan
from vp_serving.replay.scorer import SignalRunner
from vp_serving.replay.track import Track, Tracks, begin_late
from vp_serving.replay.warm import Warmth
from vp_serving.wire.frames import Frame, FrameEncoder
from vp_serving.wire.messages import Addresses

SIGNALS: dict[str, dict[str, Any]] = {
    "derivative": {"zscore_window_bins": 60, "zscore_min_periods": 30},
    "ads_pfp_svac": {"zscore_window_ms": 6000, "warmup_ms": 3000},
    "erd": {"entropy_window_bins": 60},
}


@pytest.fixture(scope="module")
def dataset(house: House, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The small house's bins in row groups of 130, which no batch divides."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROW_GROUP_BINS", 130)
        patch.setattr(datasets, "ROW_GROUP_BINS", 130)
        held = open_dataset(house.lake, house.dataset_id)
        lake = Lake(tmp_path_factory.mktemp("groups"))
        info = write_dataset(
            lake, held.blocks(), config=held.config, capture=held.capture, pipeline="short", address=held.address,
            inputs={}, counters=dict,
        )  # fmt: skip
    return Dataset(info)


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def spec_of(name: str | None, threshold: float = 0.05, cooldown: int = 5) -> ServingSpec:
    document: dict[str, Any] = {"name": "any", "pipeline": "short"}
    if name is not None:
        document["signal"] = {
            "name": name,
            "params": SIGNALS[name],
            "threshold": threshold,
            "cooldown_bins": cooldown,
        }
    return ServingSpec.parse(document, "test")


def replay_of(hub: Hub, dataset: Dataset, name: str | None) -> Replay:
    serving = spec_of(name)
    addresses = Addresses(dataset=dataset.address, book=None, raw=[])
    plan = ReplayPlan(dataset.config, dataset.capture, serving, None, addresses, dataset)
    return Replay(plan, hub, Warmth(dataset.config))


async def read(replay: Replay, hub: Hub, first: int, count: int, patient: bool = True) -> list[Frame]:
    """The frames of `count` bins from `first` on."""
    reader = replay.reader(hub.pool, first, lambda: patient)
    frames: list[Frame] = []
    try:
        while len(frames) < count and (batch := await reader.take()) is not None:
            frames += batch
    finally:
        await reader.close()
    return frames[:count]


@pytest.fixture(scope="module")
def wholes(dataset: Dataset, pool: ThreadPoolExecutor) -> dict[str | None, list[Frame]]:
    """Every frame of an uninterrupted replay, by signal."""
    hub = Hub(pool, 1 << 28, 8)
    return {name: asyncio.run(read(replay_of(hub, dataset, name), hub, 0, 600)) for name in (None, *SIGNALS)}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([None, *SIGNALS]),
    places=st.lists(st.integers(0, 599), min_size=1, max_size=4),
    cache_bytes=st.sampled_from([1, 1 << 22, 1 << 28]),
    max_scorers=st.sampled_from([1, 8]),
)
def test_every_place_gives_the_bits_of_the_uninterrupted_replay(
    dataset: Dataset,
    pool: ThreadPoolExecutor,
    wholes: dict[str | None, list[Frame]],
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    places: list[int],
    cache_bytes: int,
    max_scorers: int,
) -> None:
    """Sessions side by side, each jumping about, with stores that keep everything, little, or nothing."""
    monkeypatch.setattr(track_module, "NEAR_BINS", 100)
    monkeypatch.setattr(track_module, "SETTLE_BINS", 150)
    hub = Hub(pool, cache_bytes, max_scorers)

    async def session(order: list[int]) -> None:
        for place in order:
            got = await read(replay_of(hub, dataset, name), hub, place, 120)
            assert got == wholes[name][place : place + 120]

    async def both() -> None:
        await asyncio.gather(session(places), session(places[::-1]))

    asyncio.run(both())


def test_the_same_request_is_computed_once(
    dataset: Dataset, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = FrameEncoder.encode

    def counting(self: FrameEncoder, scored: Any) -> list[Frame]:
        encoded.append(int(scored.block.bins["bin_seq"][0]))
        return encode(self, scored)

    monkeypatch.setattr(FrameEncoder, "encode", counting)
    hub = Hub(pool, 1 << 28, 8)

    async def many() -> list[list[Frame]]:
        return await asyncio.gather(*(read(replay_of(hub, dataset, "erd"), hub, 0, 600) for _ in range(10)))

    first, *others = asyncio.run(many())
    assert all(other == first for other in others)
    assert sorted(encoded) == list(range(0, 600, BLOCK_BINS))
    asyncio.run(read(replay_of(hub, dataset, None), hub, 0, 600))
    assert len(encoded) == 2 * 600 // BLOCK_BINS  # another request is another feed
    assert len(hub.scorers) == 0  # none waits past the last bin


def test_stores_stay_within_their_room(dataset: Dataset, pool: ThreadPoolExecutor) -> None:
    room = 4 << 20
    hub = Hub(pool, room, 2)

    async def spread() -> None:
        places = range(0, 600, 40)
        await asyncio.gather(*(read(replay_of(hub, dataset, None), hub, place, 60) for place in places))

    asyncio.run(spread())
    assert hub.groups.used <= room * 3 // 4
    assert hub.frames.used <= room // 4
    assert len(hub.scorers) <= 2


class Gate:
    """Holds every step of a track until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.steps = 0
        advance = Track.advance

        def held(track: Track) -> None:
            assert self.opened.wait(20)
            self.steps += 1
            advance(track)

        monkeypatch.setattr(Track, "advance", held)


def signals_of(frames: list[Frame]) -> list[dict[str, Any]]:
    return [json.loads(frame.text_message(0))["signal"] for frame in frames]


def test_a_signal_that_is_behind_says_so_and_holds_up_the_patient_only(
    dataset: Dataset,
    pool: ThreadPoolExecutor,
    wholes: dict[str | None, list[Frame]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "PATIENCE_S", 0.02)
    gate = Gate(monkeypatch)
    hub = Hub(pool, 1 << 28, 8)
    expected = wholes["erd"]

    async def run() -> None:
        replay = replay_of(hub, dataset, "erd")
        early = await read(replay, hub, 317, 40, patient=False)
        assert [frame.grid for frame in early] == [frame.grid for frame in expected[317:357]]
        signal_key = signals_of(early)
        assert [entry["behind"] for entry in signal_key] == list(range(318, 358))
        assert {(entry["value"], entry["fired"]) for entry in signal_key} == {(None, 0)}
        waiting = asyncio.ensure_future(read(replay, hub, 317, 40))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        gate.opened.set()
        assert await waiting == expected[317:357]
        assert await read(replay, hub, 317, 40, patient=False) == expected[317:357]

    asyncio.run(run())
    assert gate.steps <= 5  # row groups of the dataset: no step was taken twice


def test_a_track_is_not_followed_for_nobody(
    dataset: Dataset, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PATIENCE_S", 0.01)
    gate = Gate(monkeypatch)
    hub = Hub(pool, 1 << 28, 8)

    async def run() -> None:
        await read(replay_of(hub, dataset, "erd"), hub, 500, 10, patient=False)
        gate.opened.set()
        await asyncio.sleep(0.3)

    asyncio.run(run())
    assert gate.steps <= 1  # the one that was under way when the reader went


def test_what_breaks_is_told_to_everyone_who_waits(
    dataset: Dataset, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise LakeError("row group 2 is damaged")

    hub = Hub(pool, 1 << 28, 8)
    monkeypatch.setattr(Dataset, "group", damaged)

    async def run() -> list[Any]:
        reads = [read(replay_of(hub, dataset, name), hub, 280, 10) for name in (None, None, "erd")]
        return await asyncio.gather(*reads, return_exceptions=True)

    assert [str(error) for error in asyncio.run(run())] == ["row group 2 is damaged"] * 3


def test_a_dataset_that_was_computed_anew_is_read_anew(dataset: Dataset, pool: ThreadPoolExecutor) -> None:
    hub = Hub(pool, 1 << 28, 8)
    again = Dataset(dataset.info)
    assert hub._open(dataset) is hub._open(again)
    other = Dataset(dataset.info._replace(manifest={**dataset.manifest, "written": {}}))
    assert hub._open(other).dataset is other


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(1, 600), threshold=st.sampled_from([0.02, 0.1, 0.3]), cooldown=st.sampled_from([0, 3, 40]))
def test_a_track_that_begins_late_fires_as_the_whole_one_does(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, at: int, threshold: float, cooldown: int
) -> None:
    monkeypatch.setattr(track_module, "SETTLE_BINS", 60)
    spec = spec_of("derivative", threshold, cooldown)

    def runner() -> SignalRunner:
        return SignalRunner(spec, dataset.config, 100)

    whole = Track(dataset, runner())
    while not whole.ended:
        whole.advance()
    late = begin_late(dataset, LookBack(dataset), runner(), at)
    if late is None:
        assert cooldown or LookBack(dataset).n_valid(at) <= runner().signal.memory_bins + 1
        return
    assert late.first == at
    while not late.ended:
        late.advance()
    for mine, theirs in zip(late.part(at, 600), whole.part(at, 600), strict=True):
        assert mine.tobytes() == theirs.tobytes()


def test_late_beginnings_are_found_for_signals_that_can_and_no_others(dataset: Dataset) -> None:
    behind = LookBack(dataset)
    assert begin_late(dataset, behind, SignalRunner(spec_of("derivative"), dataset.config, 100), 500) is not None
    assert begin_late(dataset, behind, SignalRunner(spec_of("derivative"), dataset.config, 100), 20) is None
    assert begin_late(dataset, behind, SignalRunner(spec_of("erd"), dataset.config, 100), 500) is None
    with pytest.raises(ConfigError, match="must begin at the first bin"):
        make_signal("erd", {}, dataset.config).begin_after(5)


def test_tracks_are_few_and_the_one_from_the_beginning_stays(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_module, "NEAR_BINS", 20)
    monkeypatch.setattr(track_module, "SETTLE_BINS", 60)
    behind = LookBack(dataset)
    tracks = Tracks(dataset, lambda: behind, lambda: SignalRunner(spec_of("derivative", 0.9), dataset.config, 0))
    first = tracks.at(0)
    late = [tracks.at(place) for place in (200, 300, 450, 560)]
    assert [track.first for track in late] == [200, 300, 450, 560]
    assert len(tracks._tracks) == track_module._MOST
    assert tracks.at(10) is first
    assert tracks.at(570) is late[-1]


def test_blocks_across_row_groups_are_whole_and_owned(dataset: Dataset) -> None:
    opened = OpenDataset(dataset, Shelf(1 << 28, lambda block: block.grid.nbytes))
    got = opened.block(125, 400)
    for mine, theirs in zip(got, next(dataset.blocks(125, 275)), strict=True):
        assert np.array_equal(mine, theirs)
    expected = got.grid.copy()
    got.grid[:] = np.nan
    assert np.array_equal(opened.block(125, 400).grid, expected)


def test_a_shelf_keeps_what_was_used_last() -> None:
    shelf: Shelf[str] = Shelf(10, len)
    shelf.put("a", "aaaa")
    shelf.put("b", "bbbb")
    assert shelf.get("a") == "aaaa"
    shelf.put("c", "cccc")
    assert (shelf.get("b"), shelf.get("a"), shelf.used) == (None, "aaaa", 8)
    shelf.put("a", "a")
    assert (shelf.used, len(shelf)) == (5, 2)
    shelf.put("d", "d" * 11)
    assert shelf.get("d") is None
    assert shelf.used <= 10
    shelf.put("e", "ee")
    assert shelf.take("e") == "ee"
    assert shelf.take("e") is None


def test_a_register_keeps_what_is_held_and_the_last_few() -> None:
    class Item:
        pass

    register: Register[Item] = Register(2)
    held = register.get_or_make("held", Item)
    for key in ("a", "b", "c"):
        register.get_or_make(key, Item)
    gc.collect()
    assert len(register) == 3  # the held one, b and c
    assert register.get_or_make("held", Item) is held
    assert register.get_or_make("held", Item, lambda item: item is not held) is not held


def test_a_shelf_has_an_item_made_once_and_again_after_a_failure() -> None:
    shelf: Shelf[int] = Shelf(4)
    made: list[int] = []
    begun = threading.Event()

    def slow() -> int:
        begun.set()
        made.append(1)
        threading.Event().wait(0.05)
        return 7

    with ThreadPoolExecutor(4) as threads:
        assert [future.result() for future in [threads.submit(shelf.get_or_make, "k", slow) for _ in range(4)]] == [
            7
        ] * 4
    assert made == [1]

    def fails() -> int:
        raise LakeError("no")

    with pytest.raises(LakeError):
        shelf.get_or_make("other", fails)
    assert shelf.get_or_make("other", lambda: 3) == 3
