"""Days of other venues, parts of days, and days with faults, through the commands: whole, or refused by name.

Every file is made here. Prices in ticks of the instrument, times in seconds behind the day's first instant.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.assets.conftest import Said, say
from vp_engine.lake import Lake, open_dataset

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
import dbn_kit as kit
from twin import make_records
from twin.records import F_LAST, F_MAYBE_BAD_BOOK, F_SNAPSHOT, UNDEF_PRICE

ROOT = Path(__file__).parents[2]
S = 10**9


class Venue(NamedTuple):
    """An instrument, the day of its file, and the Eastern minute that is captured."""

    product_type: str
    symbol: str
    dataset: str
    tick: float
    day: str
    start: str
    middle: int  # a price around which it trades, in ticks

    @property
    def midnight_ns(self) -> int:
        return int(dt.datetime.fromisoformat(f"{self.day}T00:00+00:00").timestamp()) * S

    @property
    def tick_int(self) -> int:
        return round(self.tick * 1e9)


CL = Venue("future_mbo", "CLX5", "GLBX.MDP3", 0.01, "2025-09-24", "16:00", 6_483)
ARL = Venue("equity_mbo", "ARL", "XNAS.ITCH", 0.01, "2025-07-17", "09:30", 1_341)
ES = Venue("future_mbo", "ESH4", "GLBX.MDP3", 0.25, "2023-12-25", "18:00", 19_200)
OPEN_S = {"16:00": 20 * 3600, "09:30": 13 * 3600 + 1800, "18:00": 23 * 3600}  # of the UTC day


class Desk:
    """One venue's lock, specs and lake in a folder, and the commands on them."""

    def __init__(self, folder: Path, venue: Venue, capsys: Any) -> None:
        self.folder, self.venue, self._capsys = folder, venue, capsys
        self.open_s = OPEN_S[venue.start]
        lock = (ROOT / "configs" / "instruments" / "esh4.yaml").read_text()
        wanted = {
            "product_type": venue.product_type, "symbol": venue.symbol, "symbol_root": venue.symbol[:2],
            "tick_size": venue.tick, "dataset": venue.dataset,
            "bucket_size_dollars": venue.tick if venue.product_type == "equity_mbo" else "null",
        }  # fmt: skip
        kept = [line for line in lock.splitlines() if line.partition(":")[0] not in wanted]
        (folder / "lock.yaml").write_text("\n".join([*kept, *(f"{key}: {value}" for key, value in wanted.items())]))
        (folder / "configs" / "pipelines").mkdir(parents=True)
        end = (dt.datetime.fromisoformat(f"2000-01-01T{venue.start}") + dt.timedelta(minutes=1)).strftime("%H:%M")
        (folder / "configs" / "pipelines" / "minute.yaml").write_text(
            f"name: minute\ncapture: {{product_type: {venue.product_type}, symbol: {venue.symbol}, "
            f'dt: "{venue.day}", start_time: "{venue.start}", end_time: "{end}"}}\npipeline: {{}}\n'
        )

    def vp(self, *argv: str | Path) -> Said:
        fixed = ("--lake-root", self.folder / "lake", "--config-dir", self.folder / "configs")
        return say(self._capsys, *argv, *fixed, "--instrument", self.folder / "lock.yaml")

    def file(self, rows: list[dict[str, Any]], *parts: bytes, name: str = "day.dbn", **header: Any) -> Path:
        mappings = header.pop("mappings", {self.venue.symbol: 17077})
        head = kit.header(mappings=mappings, day_ns=self.venue.midnight_ns, dataset=self.venue.dataset, **header)
        return kit.write_file(self.folder / name, head, *parts, make_records(rows))

    def row(self, at_s: float, action: str, side: str, order_id: int, tick: int, size: int, flags: int = F_LAST) -> Any:
        price = UNDEF_PRICE if action == "R" else tick * self.venue.tick_int
        return {"ts": self.venue.midnight_ns + round(at_s * S), "action": action, "side": side, "order_id": order_id,
                "price": price, "size": size, "flags": flags}  # fmt: skip

    def snapshot(self, at_s: float = 0.0, flags: int = F_SNAPSHOT) -> list[Any]:
        """A clear and ten levels a side."""
        middle = self.venue.middle
        levels = [
            self.row(at_s, "A", side, first + level, middle + sign * (1 + level), 20, flags)
            for level in range(10)
            for side, first, sign in (("B", 100, -1), ("A", 200, 1))
        ]
        return [self.row(at_s, "R", "N", 0, 0, 0, flags), *levels]

    def adds(self, n: int = 30, first_s: float = 0.0) -> list[Any]:
        """Small orders far from the market, half a second apart from the capture's start on."""
        far = self.venue.middle - 15
        return [self.row(self.open_s + first_s + i / 2, "A", "B", 5_000 + i, far, 1) for i in range(n)]

    def bins(self) -> tuple[Any, dict[str, int]]:
        """The bins as one block of the dataset, and its counters."""
        said = self.vp("generate", "minute", "--json")
        assert said.code == 0, said.err
        (step,) = [step for step in said.data["steps"] if step["asset"].endswith("bins")]
        stored = open_dataset(Lake(self.folder / "lake"), step["address"])
        return stored, stored.manifest["counters"]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda venue: Desk(tmp_path, venue, capsys)


def test_nasdaq_day_when_it_opens_with_a_bare_clear_and_has_hidden_trades_then_is_whole(desk: Any) -> None:
    at = desk(ARL)
    opening = at.snapshot(9.5 * 3600, F_LAST)
    trades = [
        row
        for i in range(10)
        for row in (
            at.row(at.open_s + i, "T", "N", 0, ARL.middle, 100),
            at.row(at.open_s + i + 0.5, "T", "B", 0, ARL.middle + 1, 2, 0),
            at.row(at.open_s + i + 0.5, "F", "A", 200, ARL.middle + 1, 2, 0),
            at.row(at.open_s + i + 0.5, "C", "A", 200, ARL.middle + 1, 2),
        )
    ]
    assert at.vp("import", at.file([*opening, *trades])).code == 0
    stored, counters = at.bins()
    assert (counters["filled_sided"], counters["traded_sided"], counters["traded_unsided"]) == (20, 20, 1_000)
    assert stored.bins["unsided_volume"].sum() == 1_000
    assert stored.bins["trade_count"].sum() == 10


def test_cross_when_both_parties_rest_at_other_prices_then_fills_both_at_their_own_ticks(desk: Any) -> None:
    at = desk(ARL)
    when = at.open_s + 5
    cross = [
        at.row(when, "F", "B", 100, ARL.middle, 20, 0), at.row(when, "C", "B", 100, ARL.middle - 1, 20),
        at.row(when, "F", "A", 200, ARL.middle, 20, 0), at.row(when, "C", "A", 200, ARL.middle + 1, 20),
        at.row(when + 0.000001, "T", "N", 0, ARL.middle, 20),
    ]  # fmt: skip
    assert at.vp("import", at.file([*at.snapshot(9.5 * 3600, F_LAST), *cross, *at.adds()])).code == 0
    stored, counters = at.bins()
    assert (counters["filled_unsided"], counters["aggressor_fills"]) == (40, 0)
    block = next(stored.blocks())
    spot = int(block.bins["spot_ref_price_int"][50]) // ARL.tick_int
    filled = {
        spot - 50 + int(k): float(block.field("fill_size")[50][k]) for k in np.flatnonzero(block.field("fill_size")[50])
    }
    assert filled == {ARL.middle - 1: 20.0, ARL.middle + 1: 20.0}
    assert not block.field("pull_mass")[50].any()


def test_crude_oil_when_trades_meet_implied_orders_then_is_made_and_says_how_much(desk: Any) -> None:
    at = desk(CL)
    trades = [
        row
        for level in range(5)
        for row in (
            at.row(at.open_s + level, "T", "A", 900 + level, CL.middle - 1 - level, 17, 0),
            at.row(at.open_s + level, "F", "B", 100 + level, CL.middle - 1 - level, 14, 0),
            at.row(at.open_s + level, "M", "B", 100 + level, CL.middle - 1 - level, 6),
            at.row(at.open_s + level + 0.5, "T", "N", 0, CL.middle + 1, 1, 0),
            at.row(at.open_s + level + 0.5, "F", "N", 200, CL.middle + 1, 1, 0),
            at.row(at.open_s + level + 0.5, "M", "A", 200, CL.middle + 1, 19 - level),
        )
    ]
    assert at.vp("import", at.file([*at.snapshot(), *trades])).code == 0
    _, counters = at.bins()
    assert (counters["traded_sided"], counters["unattributed"], counters["overfilled"]) == (85, 15, 0)


@pytest.mark.parametrize("how", ["end", "limit"])
def test_part_of_a_day_when_a_capture_reaches_beyond_it_then_is_refused_naming_both(desk: Any, how: str) -> None:
    at = desk(ES)
    rows = [*at.snapshot(), *at.adds(40)]
    kept = {"end_ns": ES.midnight_ns + (at.open_s + 30) * S} if how == "end" else {"limit": len(rows)}
    said = at.vp("import", at.file(rows, **kept))
    assert (said.code, "not the whole day" in said.out) == (0, True), said
    last = "23:00:30.000" if how == "end" else "23:00:19.500"
    refused = at.vp("generate", "minute")
    assert refused.code == 2
    assert f"covers 2023-12-25 00:00:00.000 to 2023-12-25 {last} UTC" in refused.err
    assert "needs 2023-12-25 22:30:00.000 to 2023-12-25 23:01:00.000" in refused.err


def test_half_a_day_from_the_front_when_the_capture_lies_inside_then_is_made(desk: Any) -> None:
    at = desk(ES)
    end_ns = ES.midnight_ns + (at.open_s + 60) * S
    assert at.vp("import", at.file([*at.snapshot(), *at.adds()], end_ns=end_ns)).code == 0
    at.bins()


DOUBTED = {
    "repeated records": ("repeated", "sequence number runs back, so a part of the day is repeated"),
    "lost records": ("lost", "cancels of orders that were never added: 100, first at 2023-12-25 23:00:20.000 UTC"),
    "doubt of the vendor": ("doubted", "records whose book the vendor doubts (F_MAYBE_BAD_BOOK): 1, first at"),
}


@pytest.mark.parametrize("kind", DOUBTED)
def test_day_with_faults_when_it_is_imported_then_is_quarantined_until_admitted(desk: Any, kind: str) -> None:
    at, (fault, words) = desk(ES), DOUBTED[kind]
    rows = [*at.snapshot(), *at.adds()]
    if fault == "repeated":
        rows += [row | {"sequence": 20 + i} for i, row in enumerate(rows[-20:])]
    elif fault == "lost":
        rows += [at.row(at.open_s + 20, "C", "B", 90_000 + i, ES.middle - 3, 1) for i in range(100)]
    else:
        rows[-1]["flags"] |= F_MAYBE_BAD_BOOK
    said = at.vp("import", at.file(rows))
    assert said.code == 0
    assert words in " ".join(said.out.split())
    assert "vp admit 2023-12-25" in said.out
    refused = at.vp("generate", "minute")
    assert (refused.code, words in refused.err, "in quarantine" in refused.err) == (2, True, True), refused
    assert at.vp("admit", "2023-12-25").code == 0
    assert at.vp("generate", "minute").code == 0


def test_live_recording_when_its_messages_name_another_contract_then_is_refused_by_name(desk: Any) -> None:
    at = desk(ES)
    file = at.file(at.snapshot(), kit.mapping("ESM4", 17077), mappings={}, schema=None)
    said = at.vp("import", file)
    assert (said.code, said.err) == (2, "vp: day.dbn: holds ESM4, not ESH4\n")
    assert not list((at.folder / "lake").rglob("*.dbn"))


def test_live_recording_of_two_contracts_when_imported_then_only_the_locked_one_counts(desk: Any) -> None:
    at = desk(ES)
    both = b"".join(kit.mapping(name, number) for name, number in (("ESH4", 17077), ("ESM4", 99)))
    other = kit.of_instrument(make_records(at.snapshot()), 99).tobytes()
    said = at.vp("import", at.file([*at.snapshot(), *at.adds()], both, other, mappings={}, schema=None), "--json")
    assert said.code == 0, said.err
    facts = said.data[0] if isinstance(said.data, list) else said.data["imported"][0]
    assert (facts["kept"], facts["symbol_source"]) == (51, "stream")


@pytest.mark.parametrize(("tick", "words"), [(0.05, "set it to 0.25"), (1.0, "set it to 0.25")])
def test_lock_with_the_wrong_tick_when_a_day_is_imported_then_names_the_one_that_fits(
    desk: Any, tick: float, words: str
) -> None:
    at = desk(ES._replace(tick=tick, middle=round(4_800 / tick)))
    step = 250_000_000
    rows = [
        *at.snapshot()[:1],
        *(at.row(i, "A", "B", i, 0, 1) | {"price": 4_000 * 10**9 + i * step} for i in range(1, 200)),
    ]
    said = at.vp("import", at.file(rows))
    assert (said.code, words in said.err) == (2, True), said


def test_files_glued_together_when_imported_then_are_refused_by_name(desk: Any) -> None:
    at = desk(ES)
    one = at.file(at.snapshot()).read_bytes()
    (at.folder / "glued.dbn").write_bytes(one + one)
    said = at.vp("import", at.folder / "glued.dbn")
    assert (said.code, "another DBN file begins at record 21" in said.err) == (2, True), said
