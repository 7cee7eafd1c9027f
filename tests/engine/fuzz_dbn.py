"""Any bytes at all into the reader, any records at all into the kernels.

`python -m tests.engine.fuzz_dbn reader|kernels [--seconds 60] [--seed 1]` runs atheris, guided by the coverage of the
Python code; `NUMBA_BOUNDSCHECK=1` makes the kernels check every index. A crash leaves its input as crash-<sha1> in the
folder given by --keep, to be run again with `--input FILE`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from types import FunctionType

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from vp_engine.book.levels import spot_tick
from vp_engine.book.order_table import ASK, BID
from vp_engine.book.state import ANCHOR, BEST_ASK_KEY, BEST_BID_KEY, N_ORDERS, NO_KEY, BookState, new_book
from vp_engine.engine import Engine
from vp_engine.errors import VPError
from vp_engine.feed import MBO_DTYPE, DbnFile, capture, dbn, scan
from vp_engine.schema import BinBlock, empty_block
from vp_engine.specs import VPRuntimeConfig, build_config_with_overrides, load_instrument
from vp_engine.units import UNDEF_PRICE

START_NS = 1_703_505_600_000_000_000
CENTRE = 19_200
WARMUP_BINS, BINS = 5, 25
ROW_BYTES = 9  # of one record in the input to `check_kernels`
_TS_STEPS = (0, 0, 0, 1, 1_000, 1_000_000, 30_000_000, 100_000_000, 900_000_000, -1, -5_000_000, -(10**18))
_TS_ODD = (0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, START_NS)
_PRICES_ODD = (UNDEF_PRICE, -UNDEF_PRICE - 1, 0, -1, 1, UNDEF_PRICE - 1, 1 << 62, -(1 << 62))
_SIZES_ODD = (0, (1 << 32) - 1, 1 << 31, 1_000_000)
_FLAGS = (128, 128, 128, 0, 0, 32, 160, 8, 255, 168)
_IDS_ODD = (0, (1 << 64) - 1, 1 << 63, 0x9E3779B97F4A7C15)


def config() -> VPRuntimeConfig:
    """A small grid over few slots, so that their ends are soon reached."""
    return build_config_with_overrides(
        load_instrument(), {"symbol": "ESH4", "n_absolute_ticks": 2048, "grid_radius_ticks": 10}
    )


def check_reader(data: bytes, path: Path) -> None:
    """Whatever the bytes: batches of whole MBO records, or a VPError that names the file."""
    path.write_bytes(data)
    try:
        source = DbnFile(path)
        with contextlib.suppress(VPError):
            source.instrument_ids("ESH4")
        for batch in source.batches():
            assert batch.dtype == MBO_DTYPE
            assert batch.size > 0
            assert (batch["rtype"] == 160).all()
        scan(path, "ESH4")
    except VPError as error:
        text = str(error)
        assert path.name in text, text
        assert "\n" not in text, text


def records_of(data: bytes) -> np.ndarray:
    """Records from nine bytes each: mostly what an exchange might send, every odd thing within reach."""
    rows = np.frombuffer(data, np.uint8, len(data) // ROW_BYTES * ROW_BYTES).reshape(-1, ROW_BYTES)
    out = np.zeros(len(rows), MBO_DTYPE)
    out["length"], out["rtype"] = 14, 160
    ts, centre = START_NS, CENTRE
    for at, (action, side, order_id, price, size, flags, step, odd, walk) in enumerate(rows.tolist()):
        ts += _TS_STEPS[step % len(_TS_STEPS)]
        centre += (walk - 128) * 8 if walk > 240 or walk < 16 else 0
        record = out[at]
        record["action"] = action if odd == 1 else b"AAAACCMMMRTFFN"[action % 14]
        record["side"] = side if odd == 2 else b"BBBAAAN"[side % 7]
        record["order_id"] = _IDS_ODD[order_id % 4] if odd == 3 else order_id % 24
        tick_price = (centre + price - 128) * 250_000_000
        record["price"] = _PRICES_ODD[price % 8] if odd == 4 else tick_price + (price * 1_000_003 if odd == 5 else 0)
        record["size"] = _SIZES_ODD[size % 4] if odd == 6 else size % 12
        record["flags"] = flags if odd == 7 else _FLAGS[flags % len(_FLAGS)]
        now = _TS_ODD[step % 6] if odd == 8 else ts % (1 << 64)
        record["ts_event"] = record["ts_recv"] = now
    return out


class Held:
    """Records in memory as an engine takes them, in batches of odd sizes."""

    def __init__(self, records: np.ndarray) -> None:
        records.setflags(write=False)
        cut = max(records.size // 3, 1)
        self._ahead = [records[:cut], records[cut : cut + 1], records[cut + 1 :]]
        self.batch, self.position, self.ended = records[:0], 0, False

    def refill(self) -> bool:
        """Go to the next batch; False when there is none."""
        self.ended = not self._ahead
        if self._ahead:
            self.batch, self.position = self._ahead.pop(0), 0
        return not self.ended


def check_kernels(data: bytes) -> None:
    """Whatever the records: finite bins, and a book that agrees with its own orders."""
    settings = config()
    start_ns = START_NS + WARMUP_BINS * settings.bin_ns
    engine = Engine(settings, start_ns, new_book(settings.n_absolute_ticks))
    held = Held(records_of(data))
    engine.consume_until(held, START_NS)
    engine.start_flow()
    engine.consume_until(held, start_ns)
    engine.start_bins()
    block = empty_block(BINS, settings.grid_radius_ticks)
    engine.fill(held, 0, block)
    engine.end_snapshot()
    check_block(block)
    check_book(engine.book)
    for part in (engine.state.ticks.kinetics, engine.state.rollup):
        for name, values in part._asdict().items():
            assert np.isfinite(values).all(), name


def check_block(block: BinBlock) -> None:
    """Finite everywhere, zeros where the book is invalid, no negative depth."""
    assert np.isfinite(block.grid).all()
    assert np.isfinite(block.bins["mid_price"]).all()
    assert (block.bins["bin_event_count"] >= 0).all()
    assert not block.grid[:, block.bins["book_valid"] == 0].any()
    for name in ("bid_depth", "ask_depth", "rest_depth", "fill_size", "add_mass", "pull_mass", "fill_mass"):
        assert (block.field(name) >= 0).all(), name
    assert (np.abs(block.state5) <= 2).all()


def check_book(book: BookState) -> None:
    """Orders, depth, quotes and counters say the same."""
    orders = book.orders[book.orders["side"] != 0]
    assert orders.size == book.scalars[N_ORDERS]
    assert np.unique(orders["order_id"]).size == orders.size
    assert (orders["size"] > 0).all()
    assert (book.counters >= 0).all()
    for side, key in ((BID, BEST_BID_KEY), (ASK, BEST_ASK_KEY)):
        sign = 1 if side == BID else -1
        mine = orders[orders["side"] == side]
        assert book.scalars[key] == (max(sign * mine["tick"]) if mine.size else NO_KEY)
        slots = mine["tick"] - book.scalars[ANCHOR] + book.depth.shape[1] // 2
        inside = (slots >= 0) & (slots < book.depth.shape[1])
        depth = np.zeros(book.depth.shape[1], np.int64)
        np.add.at(depth, slots[inside], mine["size"][inside].astype(np.int64))
        if book.depth.any():
            np.testing.assert_array_equal(book.depth[side - BID], depth)
    if orders.size and book.scalars[BEST_BID_KEY] + book.scalars[BEST_ASK_KEY] < 0:
        spot_tick(book)


def seeds(kind: str) -> list[bytes]:
    """Inputs to start from."""
    if kind == "kernels":
        rng = np.random.default_rng(1)
        return [rng.integers(0, 256, (n, ROW_BYTES), np.uint8).tobytes() for n in (1, 30, 200)]
    import dbn_kit as kit
    import streams
    import zstandard

    stream = streams.play(streams.random_moves(1, 12), opening=1)
    rows = kit.rows(stream.records)
    files = [kit.header(version) + b"".join(rows) for version in (1, 2, 3)]
    files.append(kit.header(mappings={}) + b"".join(rows))
    files.append(kit.header(schema=None) + kit.interleaved(rows, [kit.other(name) for name in kit.OTHERS]))
    packed = [zstandard.ZstdCompressor(write_checksum=flag).compress(files[2]) for flag in (False, True)]
    return [*files, *packed, packed[0] + packed[1], b"", b"DBN"]


def guided(kind: str) -> list[FunctionType]:
    """Python code whose branches guide the search."""
    homes = [dbn, DbnFile, capture] if kind == "reader" else [Engine, sys.modules[__name__]]
    return [made for home in homes for made in vars(home).values() if isinstance(made, FunctionType)]


def fuzz(kind: str, seconds: int, seed: int, keep: Path) -> None:
    """Run atheris for so long; it ends the process, with 0 if nothing was found."""
    import atheris

    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for n, data in enumerate(seeds(kind)):
            (corpus / str(n)).write_bytes(data)
        path = Path(folder) / "input.dbn"

        def one(data: bytes) -> None:
            check_kernels(data) if kind == "kernels" else check_reader(data, path)

        for function in guided(kind):
            atheris.instrument_func(function)
        one(seeds(kind)[0])  # compiled before the clock starts, or the first input would look like a hang
        longest = 8192 if kind == "reader" else 400 * ROW_BYTES
        options = [
            sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={longest}",
            "-timeout=20", "-rss_limit_mb=4096", f"-artifact_prefix={keep}/", "-print_final_stats=1",
        ]  # fmt: skip
        atheris.Setup(options, one)
        atheris.Fuzz()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["reader", "kernels"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path())
    parser.add_argument("--input", type=Path, help="run this one input and nothing else")
    args = parser.parse_args()
    if args.input is not None:
        data = args.input.read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            check_kernels(data) if args.kind == "kernels" else check_reader(data, Path(folder) / "input.dbn")
        return
    fuzz(args.kind, args.seconds, args.seed, args.keep)


if __name__ == "__main__":
    main()
