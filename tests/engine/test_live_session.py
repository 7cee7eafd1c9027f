"""What a live session records is what its engine saw: gaps, repeats, late records, crashes and midnights included."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from harness import SMALL, capture_of, engine_config, join, real_file
from live_kit import Gathered, Script, book_after, in_chunks, same_bits
from streams import BASE_NS, SYMBOL, Stream, kind_number, play, random_moves

from vp_engine.errors import DataError
from vp_engine.feed import F_LAST, F_SNAPSHOT, DbnFile
from vp_engine.feed.day_file import DayFile, day_of, mend
from vp_engine.feed.gaps import F_MAYBE_BAD_BOOK, GapWatch
from vp_engine.live import Backoff, LiveSession
from vp_engine.specs import Capture, load_instrument, resolve_capture
from vp_engine.stream import stream_events
from vp_engine.units import utc_midnight_ns

CONFIG = engine_config(**SMALL)
DAY = dt.date(2023, 12, 25)
AT_ONCE = Backoff(0.0, 0.0)
SECOND = 10**9


def market(seed: int = 1, n: int = 400) -> Stream:
    """A stream that opens with a whole snapshot and shows nothing that no exchange sends."""
    strange = ("unknown_cancel", "unknown_modify", "unknown_fill", "snapshot", "clear", "late", "duplicate_add")
    numbers = {kind_number(kind) for kind in strange}
    moves = [(kind_number("quotes"), 0, 1, 3)] + [move for move in random_moves(seed, n) if move[0] not in numbers]
    return play(moves, opening=3)


def session_of(folder: Path, script: Script, capture: Capture, **more: object) -> tuple[LiveSession, Gathered]:
    bins = Gathered()
    return LiveSession(script, folder, CONFIG, capture, bins, backoff=AT_ONCE, clock=script.clock, **more), bins


def played(folder: Path, script: Script, capture: Capture, **more: object) -> tuple[LiveSession, Gathered]:
    """A session until its script is over."""
    session, bins = session_of(folder, script, capture, **more)
    session.run(lambda: script.over)
    session.engine.finish()
    return session, bins


def equals_a_replay(paths: list[Path], capture: Capture, bins: Gathered) -> None:
    same_bits(join(bins.blocks), join(list(stream_events(paths, CONFIG, capture))))


def recorded(folder: Path) -> np.ndarray:
    (path,) = folder.glob("*.dbn")
    return np.concatenate(list(DbnFile(path).batches()))


@pytest.mark.parametrize("seed", range(3))
def test_a_recording_replays_to_the_live_bins(tmp_path: Path, seed: int) -> None:
    """With pauses in which time alone closes bins, and records that come too late for theirs."""
    rng = np.random.default_rng(seed)
    stream = market(seed)
    steps: list[np.ndarray | int] = []
    for piece in in_chunks(stream.records, rng, 12):
        steps += [piece, int(rng.integers(0, 400_000_000))]
    capture = capture_of(stream, CONFIG)
    session, bins = played(tmp_path, Script(BASE_NS, *steps), capture)
    held = recorded(tmp_path)
    sent = held[(held["sequence"] != 0) | ((held["flags"] & F_SNAPSHOT) != 0)]
    assert sent.tobytes() == stream.records.tobytes()  # what was sent stands as it came, marks aside
    assert session.status.late > 0
    assert held.size > sent.size
    equals_a_replay([tmp_path / "glbx-mdp3-20231225.ESH4.mbo.dbn"], capture, bins)


def test_nothing_comes_before_the_first_snapshot(tmp_path: Path) -> None:
    stream = market()
    loose = stream.records[-5:].copy()
    session, _ = played(tmp_path, Script(BASE_NS, loose, stream.records), capture_of(stream, CONFIG))
    assert session.status.skipped == 5
    assert recorded(tmp_path).tobytes() == stream.records.tobytes()


def halves(stream: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Records before a gap, lost in it, behind it; the gap lies inside the capture."""
    n = stream.records.size
    return stream.records[: n // 2], stream.records[n // 2 : n // 2 + n // 10], stream.records[n // 2 + n // 10 :]


def test_a_lost_line_leaves_no_book_until_the_snapshot(tmp_path: Path) -> None:
    stream = market(2, 600)
    before, lost, after = halves(stream)
    again = book_after(np.concatenate([before, lost]), CONFIG, int(after["ts_recv"][0]) - 1)
    script = Script(BASE_NS, before, "connection closed", np.concatenate([again, after]), down_ns=2 * SECOND)
    capture = capture_of(stream, CONFIG)
    session, bins = played(tmp_path, script, capture)
    assert (session.status.gaps, session.status.connects) == (1, 2)
    assert session.status.said == "connection closed"
    held = recorded(tmp_path)
    clear = held[before.size]
    assert (chr(clear["action"]), clear["sequence"], clear["flags"]) == ("R", 0, 0)
    live = join(bins.blocks).bins
    gone = (live["bin_start_ns"] >= before["ts_event"].max()) & (live["bin_end_ns"] <= again["ts_recv"][0])
    assert gone.any()
    assert not live["book_valid"][gone].any()
    assert live["book_valid"][live["bin_start_ns"] > again["ts_recv"][0]].any()
    equals_a_replay([tmp_path / "glbx-mdp3-20231225.ESH4.mbo.dbn"], capture, bins)


def test_what_a_new_session_repeats_is_counted_once(tmp_path: Path) -> None:
    """The snapshot is older than the last record before the break: everything since comes a second time."""
    stream = market(3, 600)
    n = stream.records.size
    before, repeated = stream.records[: n // 2], stream.records[n // 3 : n // 2]
    old = book_after(stream.records[: n // 3], CONFIG, int(stream.records["ts_recv"][n // 3 - 1]))
    old["sequence"] = stream.records["sequence"][n // 3 - 1]
    script = Script(BASE_NS, before, "connection closed", np.concatenate([old, repeated, stream.records[n // 2 :]]))
    capture = capture_of(stream, CONFIG)
    session, bins = played(tmp_path, script, capture)
    straight, _ = played(tmp_path / "straight", Script(BASE_NS, stream.records), capture)
    mine, whole = session.engine.counters, straight.engine.counters
    for name in ("traded_sided", "filled_sided", "traded_unsided", "filled_unsided"):
        assert mine[name] == whole[name]
    for name in ("order_id", "side", "tick", "size"):
        assert np.array_equal(session.engine.orders()[name], straight.engine.orders()[name])
    equals_a_replay([tmp_path / "glbx-mdp3-20231225.ESH4.mbo.dbn"], capture, bins)


def test_a_folded_snapshot_keeps_the_vendors_ranks(tmp_path: Path) -> None:
    stream = market(4, 300)
    n = stream.records.size // 2
    before = stream.records[:n]
    old = book_after(before[:-4], CONFIG, int(before["ts_recv"][-5]))
    old[1:] = old[1:][::-1].copy()
    old["flags"] = F_SNAPSHOT
    old["flags"][-1] |= F_LAST
    played(
        tmp_path,
        Script(BASE_NS, before, "lost", np.concatenate([old, stream.records[n - 4 :]])),
        capture_of(stream, CONFIG),
    )
    held = recorded(tmp_path)[n + 1 :]
    made = held[(held["flags"] & F_SNAPSHOT) != 0][1:]
    kept = np.isin(made["order_id"], old["order_id"])
    ranks = {order: rank for rank, order in enumerate(old["order_id"].tolist())}
    there = [ranks[order] for order in made["order_id"][kept].tolist()]
    assert len(there) > 3
    assert there == sorted(there)
    assert not kept[int(kept.sum()) :].any()


@pytest.mark.parametrize("kind", ["back", "marked", "unknown"])
def test_signs_of_missing_records_end_the_session(tmp_path: Path, kind: str) -> None:
    stream = market(5, 600)
    before, lost, after = halves(stream)
    bad = after[:40].copy()
    if kind == "back":
        bad["sequence"] = 1 + np.arange(40)
    elif kind == "marked":
        bad["flags"] |= F_MAYBE_BAD_BOOK
    else:
        bad["action"], bad["order_id"], bad["flags"] = ord("C"), 10**9, F_LAST
    again = book_after(np.concatenate([before, lost, after[:40]]), CONFIG, int(after["ts_recv"][40]) - 1)
    script = Script(BASE_NS, before, bad, np.concatenate([again, after[40:]]))
    capture = capture_of(stream, CONFIG)
    session, bins = played(tmp_path, script, capture)
    assert session.status.gaps == 1
    words = {"back": "follows", "marked": "lost packets", "unknown": "40 changes of orders that nobody added"}
    assert words[kind] in session.status.said
    assert session.status.skipped == (0 if kind == "unknown" else 40)
    equals_a_replay([tmp_path / "glbx-mdp3-20231225.ESH4.mbo.dbn"], capture, bins)


def test_steps_of_the_sequence_count_only_where_they_say_something() -> None:
    records = market().records[:50].copy()
    records["flags"] &= ~np.uint8(F_SNAPSHOT)
    records["sequence"] = 10 + np.arange(50)
    records["sequence"][30:] += 7
    assert GapWatch().first_gap(records) == (50, None)
    assert GapWatch(max_sequence_step=1).first_gap(records) == (30, "sequence 47 follows 39")
    watch = GapWatch(max_sequence_step=1)
    assert watch.first_gap(records[:30]) == (30, None)
    assert watch.first_gap(records[30:]) == (0, "sequence 47 follows 39")
    watch.reset()
    assert watch.first_gap(records[30:]) == (20, None)


def test_a_crash_cuts_the_torn_record_and_goes_on(tmp_path: Path) -> None:
    stream = market(6, 600)
    before, lost, after = halves(stream)
    capture = capture_of(stream, CONFIG)
    played(tmp_path, Script(BASE_NS, before), capture)
    path = tmp_path / "glbx-mdp3-20231225.ESH4.mbo.dbn"
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(lost[:1].tobytes()[:33])
    again = book_after(np.concatenate([before, lost]), CONFIG, int(after["ts_recv"][0]) - 1)
    session, bins = played(tmp_path, Script(int(after["ts_recv"][0]), np.concatenate([again, after])), capture)
    assert session.status.gaps == 1
    held = recorded(tmp_path)
    assert path.stat().st_size == whole + 56 * (1 + again.size + after.size)
    assert held[: before.size].tobytes() == before.tobytes()
    assert chr(held["action"][before.size]) == "R"
    equals_a_replay([path], capture, bins)


def test_files_that_lost_their_power_are_mended(tmp_path: Path) -> None:
    records = market().records
    with_zeros = DayFile(tmp_path, "GLBX.MDP3", SYMBOL, DAY, 17077)
    with_zeros.append(records)
    with_zeros.close()
    size = with_zeros.path.stat().st_size
    with with_zeros.path.open("ab") as file:
        file.write(bytes(4096))
    assert mend(with_zeros.path) == 4096
    assert with_zeros.path.stat().st_size == size
    assert mend(with_zeros.path) == 0
    with_zeros.path.write_bytes(with_zeros.path.read_bytes()[:20])
    assert mend(with_zeros.path) == 20
    assert not with_zeros.path.exists()
    assert day_of(with_zeros.path) == DAY
    assert day_of(tmp_path / "notes.txt") is None


def at_midnight(stream: Stream) -> tuple[Stream, np.ndarray, dt.date]:
    """The stream shifted so that UTC midnight lies in its middle; its opening snapshot comes half a second before."""
    middle = int(stream.records["ts_recv"][stream.records.size // 2])
    midnight = BASE_NS // (86_400 * SECOND) * 86_400 * SECOND + 86_400 * SECOND
    shift = np.uint64(midnight - middle)
    records = stream.records.copy()
    records["ts_event"] += shift
    records["ts_recv"] += shift
    moved = Stream(records, *(edge + int(shift) for edge in stream[1:]))
    return moved, records, DAY + dt.timedelta(days=1)


@pytest.mark.parametrize("quiet", [False, True])
def test_midnight_ends_a_file_and_opens_the_next_with_the_book(tmp_path: Path, quiet: bool) -> None:
    stream, records, next_day = at_midnight(market(7, 500))
    middle = records.size // 2
    ended: list[tuple[Path, dt.date]] = []

    def on_day(path: Path, day: dt.date) -> None:
        ended.append((path.rename(tmp_path / "over.dbn"), day))

    pause = [10 * SECOND] if quiet else []
    steps = [records[:20], records[20:middle], *pause, records[middle:]]
    capture = capture_of(stream, CONFIG)
    first = int(records["ts_recv"][0])
    session, bins = played(tmp_path, Script(first, *steps), capture, on_day=on_day)
    assert ended == [(tmp_path / "over.dbn", DAY)]
    today = tmp_path / f"glbx-mdp3-{next_day:%Y%m%d}.ESH4.mbo.dbn"
    opening = next(DbnFile(today).batches())
    assert opening["flags"][0] & F_SNAPSHOT
    over, midnight = DbnFile(tmp_path / "over.dbn"), utc_midnight_ns(next_day)
    assert (over.start_ns, over.end_ns) == (first, midnight)
    assert (DbnFile(today).start_ns, DbnFile(today).end_ns) == (midnight, None)
    equals_a_replay([tmp_path / "over.dbn", today], capture, bins)
    counters = session.engine.counters
    assert (counters["snapshot_missing"], counters["snapshot_extra"], counters["snapshot_changed"]) == (0, 0, 0)
    assert session.status.gaps == 0


def test_a_day_left_over_is_handed_on_at_the_next_start(tmp_path: Path) -> None:
    stream = market()
    capture = capture_of(stream, CONFIG)
    played(tmp_path, Script(BASE_NS, stream.records), capture)
    ended: list[dt.date] = []
    later = Script(BASE_NS + 2 * 86_400 * SECOND, 1)
    session, _ = played(tmp_path, later, capture, on_day=lambda path, day: ended.append(day))
    assert ended == [DAY]
    assert session.status.records == 0


def test_a_gateway_that_is_away_is_asked_again(tmp_path: Path) -> None:
    stream = market()
    script = Script(BASE_NS, "refused", "refused", stream.records)
    session, _ = played(tmp_path, script, capture_of(stream, CONFIG))
    assert (session.status.connects, session.status.gaps) == (3, 0)
    assert recorded(tmp_path).size == stream.records.size
    assert [Backoff(1.0, 8.0).pause_s(n) <= 8.0 for n in (0, 3, 40)] == [True] * 3
    assert Backoff(1.0, 8.0).pause_s(3) >= 4.0


def test_another_number_for_the_symbol_is_refused(tmp_path: Path) -> None:
    stream = market()
    other = stream.records.copy()
    other["instrument_id"] = 5
    capture = capture_of(stream, CONFIG)
    with pytest.raises(DataError, match="holds instrument 17077, the gateway now sends 5"):
        played(tmp_path, Script(BASE_NS, stream.records, "lost", other), capture)


@pytest.mark.real
@pytest.mark.skipif(not real_file().exists(), reason="the real capture is not here")
def test_real_records_give_the_bins_of_the_vendors_file(tmp_path: Path) -> None:
    """Received in helpings of 20 ms, recorded, computed: the same bits as the file that was bought."""
    lock = load_instrument(Path(__file__).parents[2] / "configs" / "instruments" / "esh4.yaml")
    records = np.concatenate(list(DbnFile(real_file()).batches()))
    capture = resolve_capture(lock, "2023-12-25", "18:00", "18:03")
    received = records["ts_recv"].astype(np.int64)
    helpings = np.split(records, np.flatnonzero(np.diff(received // 20_000_000)) + 1)
    script, bins = Script(int(received[0]), *helpings), Gathered()
    session = LiveSession(script, tmp_path, lock, capture, bins, clock=script.clock)
    session.run(lambda: script.over or session.engine.bins == capture.n_bins)
    assert (session.status.gaps, session.status.late) == (0, 0)
    same_bits(join(bins.blocks), join(list(stream_events([real_file()], lock, capture))))
    held = recorded(tmp_path)
    assert held.tobytes() == records[: held.size].tobytes()
