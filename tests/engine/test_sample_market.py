"""The synthetic exchange: one seed one market, a book that adds up, a market that could be one."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from sample_book import PlainBook

from vp_engine.errors import ConfigError
from vp_engine.feed import F_BAD_TS_RECV, F_LAST, F_SNAPSHOT
from vp_engine.sample import SampleSpec, SyntheticMarket, sample_day, sample_records
from vp_engine.sample.rng import below_nb, exponential_nb, normal_nb, seeded_state, uniform_nb
from vp_engine.units import NS_PER_S, UNDEF_PRICE, et_to_ns

TICK = 250_000_000
WINDOW_TICKS = 4_096  # half of the engine's slots


def codes(records, letters):
    """Mask of records whose action is one of `letters`."""
    return np.isin(records["action"], np.frombuffer(letters.encode(), np.uint8))


def live(records):
    """Records after the snapshot."""
    return records[(records["flags"] & F_SNAPSHOT) == 0]


@pytest.fixture(scope="module")
def records():
    return sample_records(120_000, seed=5, events_per_s=800.0)


@pytest.fixture(scope="module")
def book(records):
    return PlainBook().play(records)


def test_generator_is_xoshiro():
    mask = (1 << 64) - 1
    state = [int(word) for word in seeded_state(7)]
    ours = seeded_state(7)
    for _ in range(1_000):
        total = (state[0] + state[3]) & mask
        expected = ((((total << 23) & mask) | (total >> 41)) + state[0]) & mask
        shifted = (state[1] << 17) & mask
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = ((state[3] << 45) & mask) | (state[3] >> 19)
        assert uniform_nb(ours) == (expected >> 11) * 2.0**-53


def test_draws_have_their_moments():
    state = seeded_state(11)
    normals = np.array([normal_nb(state) for _ in range(20_000)])
    waits = np.array([exponential_nb(state) for _ in range(20_000)])
    picks = np.array([below_nb(state, 6) for _ in range(20_000)])
    assert abs(normals.mean()) < 0.03
    assert abs(normals.std() - 1.0) < 0.03
    assert abs(waits.mean() - 1.0) < 0.03
    assert set(picks.tolist()) == set(range(6))


def test_one_seed_one_market():
    first, again, other = (sample_records(20_000, seed=seed) for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_batches_do_not_matter():
    spec = SampleSpec(start=dt.time(9, 30), end=dt.time(9, 31), events_per_s=300.0)
    market, same = (SyntheticMarket(spec, spec.rates(), spec.day_start_ns, spec.last_ns, 1.5) for _ in range(2))
    whole = np.concatenate(list(market.batches()))
    pieces = list(same.batches(batch_records=2_048))
    assert len(pieces) > 5
    assert max(piece.size for piece in pieces) <= 2_048
    assert np.concatenate(pieces).tobytes() == whole.tobytes()


def test_number_of_records():
    assert 5_000 <= sample_records(5_000, snapshot=False).size < 5_600
    assert sample_records(0, snapshot=False).size == 0
    assert live(sample_records(0)).size == 0


def test_snapshot_opens_the_book(records):
    head = records[(records["flags"] & F_SNAPSHOT) != 0]
    assert chr(head["action"][0]) == "R"
    assert chr(head["side"][0]) == "N"
    assert head["price"][0] == UNDEF_PRICE
    assert codes(head[1:], "A").all()
    assert ((head["flags"][:-1]) == F_SNAPSHOT | F_BAD_TS_RECV).all()
    assert head["flags"][-1] == F_SNAPSHOT | F_BAD_TS_RECV | F_LAST
    opening = et_to_ns(dt.date(2026, 2, 6), dt.time(9, 30))
    assert (head["ts_recv"] == opening).all()
    assert (head["ts_event"][1:] < opening).all()
    assert np.unique(head["order_id"][1:]).size == head.size - 1
    bids = head[1:][head["side"][1:] == ord("B")]
    asks = head[1:][head["side"][1:] == ord("A")]
    assert (np.diff(bids["price"]) <= 0).all()
    assert (np.diff(asks["price"]) >= 0).all()
    assert bids["price"][0] < asks["price"][0]
    same_level = np.diff(asks["price"]) == 0
    assert (np.diff(asks["ts_event"].astype(np.int64))[same_level] >= 0).all()


def test_book_adds_up(book, records):
    assert set(book.counts) == set("RACMTF")
    assert book.filled["A"] == book.traded["B"] > 0
    assert book.filled["B"] == book.traded["A"] > 0
    assert book.refreshes > 0
    assert book.counts["T"] < book.counts["F"]
    assert len(book.quotes) == ((records["flags"] & F_LAST) != 0).sum()


def test_market_knows_its_book():
    """The exchange's own snapshot after a while is the book that its records make, queue by queue."""
    spec = SampleSpec(start=dt.time(9, 30), end=dt.time(9, 32), events_per_s=400.0)
    market = SyntheticMarket(spec, spec.rates(), spec.day_start_ns, spec.last_ns, 1.5)
    book = PlainBook().play(market.snapshot())
    for batch in market.batches():
        book.play(batch)
    after = market.snapshot()[1:]
    assert after.size == market.n_orders == len(book.orders)
    found = {"B": {}, "A": {}}
    for order_id, (side, price, size) in book.orders.items():
        found[side].setdefault(price, []).append((order_id, size))
    for side, prices in found.items():
        rows = after[after["side"] == ord(side)]
        told = {}
        for order_id, price, size in zip(
            rows["order_id"].tolist(), rows["price"].tolist(), rows["size"].tolist(), strict=True
        ):
            told.setdefault(price, []).append((order_id, size))
        assert told == prices


def test_clocks(records):
    events = live(records)
    event_ns = events["ts_event"].astype(np.int64)
    recv_ns = events["ts_recv"].astype(np.int64)
    assert (np.diff(event_ns) >= 0).all()
    assert (np.diff(recv_ns) >= 0).all()
    assert (np.diff(events["sequence"].astype(np.int64)) >= 0).all()
    assert (recv_ns - event_ns > events["ts_in_delta"]).all()
    assert np.median(recv_ns - event_ns) < 1_000_000
    assert (events["ts_in_delta"] > 0).all()
    assert 0.1 < (np.diff(event_ns) == 0).mean() < 0.5


def test_events_cluster(records):
    """Waiting times vary more than those of a Poisson process."""
    ends = live(records)
    waits = np.diff(ends["ts_event"][(ends["flags"] & F_LAST) != 0].astype(np.int64))
    waits = waits[waits > 0]
    assert 1.2 < waits.std() / waits.mean() < 5.0


def test_looks_like_a_market(book, records):
    quotes = np.array(book.quotes[1:])
    spread = (quotes[:, 2] - quotes[:, 1]) / TICK
    assert 1.2 < spread.mean() < 2.5
    assert np.percentile(spread, 99) <= 6
    assert 2 <= np.median(quotes[:, 3:]) <= 15
    events = live(records)
    share = {letter: codes(events, letter).mean() for letter in "ACMTF"}
    assert 0.25 < share["A"] < 0.45
    assert 0.25 < share["C"] < 0.45
    assert 0.10 < share["M"] < 0.30
    assert 0.02 < share["T"] < share["F"] < 0.15
    seconds = float(events["ts_event"][-1] - events["ts_event"][0]) / NS_PER_S
    assert 500 < events.size / seconds < 1_300
    moves = np.diff((quotes[:, 1] + quotes[:, 2]) / (2 * TICK))
    assert np.abs(moves).max() < 40


def test_depth(book):
    _, bid, ask, *_ = book.quotes[-1]
    lots = np.array(
        [
            [book.levels[side].get(best + away * TICK * level, 0) for level in range(150)]
            for side, best, away in (("B", bid, -1), ("A", ask, 1))
        ]
    )
    assert 2 <= lots[:, :5].mean() <= 30
    assert 5 <= lots[:, 10:40].mean() <= 40
    assert 2 <= lots[:, 100:].mean() <= 40
    assert (lots > 0).mean() > 0.8
    distance = np.array([abs(price - bid) // TICK for _, price, _ in book.orders.values()])
    assert (distance > WINDOW_TICKS).sum() > 200
    assert 3_000 < len(book.orders) < 8_000


def test_modifies_of_every_kind(records):
    seen = {}
    kinds = {"moved": 0, "smaller": 0, "larger": 0}
    for action, order_id, price, size in zip(
        records["action"].tolist(),
        records["order_id"].tolist(),
        records["price"].tolist(),
        records["size"].tolist(),
        strict=True,
    ):
        if chr(action) in "AM":
            if chr(action) == "M":
                old_price, old_size = seen[order_id]
                kinds["moved"] += price != old_price
                kinds["smaller"] += price == old_price and size < old_size
                kinds["larger"] += price == old_price and size > old_size
            seen[order_id] = (price, size)
    assert kinds["moved"] > kinds["smaller"] > kinds["larger"] > 50


def test_thin_side_gives_way(book):
    """The mid goes where the touch is thin: the smaller queue is used up first."""
    quotes = np.array(book.quotes[1:], np.float64)
    mid = (quotes[:, 1] + quotes[:, 2]) / (2 * TICK)
    lean = (quotes[:, 3] - quotes[:, 4]) / (quotes[:, 3] + quotes[:, 4])
    assert 0.05 < np.corrcoef(lean[:-100], mid[100:] - mid[:-100])[0, 1] < 0.6


def flow_against_future(seed):
    """Correlation of thirty seconds of signed trades with the price move of the next thirty; sd of a minute's move."""
    trades = sample_records(1_500_000, seed=seed, events_per_s=600.0, snapshot=False)
    trades = trades[codes(trades, "T")]
    second = ((trades["ts_event"] - trades["ts_event"][0]) // NS_PER_S).astype(np.int64)
    signed = np.where(trades["side"] == ord("B"), 1.0, -1.0) * trades["size"]
    flow = np.convolve(np.bincount(second, signed), np.ones(30), "valid")
    last_trade = np.searchsorted(second, np.arange(second[-1] + 1), side="right") - 1
    price = trades["price"][last_trade] / TICK
    ahead = price[59:] - price[29:-30]
    return np.corrcoef(flow[: ahead.size], ahead)[0, 1], (price[60:] - price[:-60]).std()


def test_flow_tells_a_little():
    """Over a few markets order flow carries some information about the next half minute, not much."""
    found = np.array([flow_against_future(seed) for seed in range(1, 6)])
    assert 0.04 < found[:, 0].mean() < 0.35
    assert (found[:, 0] < 0.6).all()
    assert ((found[:, 1] > 10) & (found[:, 1] < 100)).all()


def test_many_resting_orders():
    opening = sample_records(0, resting_orders=100_000)
    assert 98_000 < opening.size < 102_000
    changes = live(sample_records(5_000, resting_orders=100_000, churn_share=0.5))
    far = np.abs(changes["price"] - np.median(changes["price"])) > 1_000 * TICK
    assert 0.15 < far.mean() < 0.6
    assert (np.abs(live(sample_records(5_000))["price"] / TICK - 86_000) > 1_000).mean() < 0.05


def test_profile_of_the_day():
    day = SampleSpec(start=None, end=None)
    rates = day.rates()
    assert rates.shape == (86_400,)
    utc_hour = 3_600
    assert rates[14 * utc_hour + 1_801] > 1_000  # 09:30 Eastern in winter
    assert 0 < rates[7 * utc_hour] < 60
    assert not rates[22 * utc_hour :].any()  # Friday after the close
    monday = SampleSpec(day=dt.date(2026, 2, 9), start=None, end=None).rates()
    assert not monday[22 * utc_hour : 23 * utc_hour].any()
    assert monday[23 * utc_hour + 60] > 0
    summer = SampleSpec(day=dt.date(2026, 7, 6), start=None, end=None).rates()
    assert summer[13 * utc_hour + 1_801] > 1_000
    window = SampleSpec().rates()
    assert window[12 * utc_hour] == pytest.approx(0.2)
    assert 1_500_000 < window.sum() < 3_000_000


def test_whole_day_is_closed_when_the_exchange_is():
    spec = SampleSpec(start=None, end=None, pace=0.001)
    events = live(np.concatenate(list(sample_day(spec))))
    hours = (events["ts_event"].astype(np.int64) - spec.day_start_ns) / (3_600 * NS_PER_S)
    assert 8_000 < events.size < 25_000
    assert hours.min() < 0.2
    assert 21.5 < hours.max() < 22.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"symbol": "MNQ.v.0"}, "`symbol`"),
        ({"start": dt.time(10, 30), "end": dt.time(9, 30)}, "`end` must be after `start`"),
        ({"start": None}, "go together"),
        ({"seed": -1}, "`seed`"),
        ({"pace": 0.0}, "`pace`"),
        ({"events_per_s": float("nan")}, "`events_per_s`"),
        ({"resting_orders": 10}, "`resting_orders`"),
        ({"price": 3.0}, "`price`"),
        ({"day": dt.date(2026, 2, 7)}, "Saturday"),
        ({"start": dt.time(19, 30), "end": dt.time(20, 30)}, "UTC day"),
    ],
)
def test_bad_specs(wrong, says):
    with pytest.raises(ConfigError, match=says) as caught:
        SampleSpec(**wrong)
    assert "\n" not in str(caught.value)


def test_bad_churn_share():
    with pytest.raises(ConfigError, match="churn_share"):
        sample_records(10, churn_share=1.0)
