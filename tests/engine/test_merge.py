"""Merging stretches of a day against a slow twin that counts records, and in batches of any size."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dbn_kit as kit
import numpy as np
import pytest

from vp_engine.feed import dbn
from vp_engine.feed.merge import merged, stretches, without_repeats
from vp_engine.feed.records import MBO_DTYPE


def random_records(rng: np.random.Generator, n: int) -> np.ndarray:
    """Records with few receive times and few values, so that equal ones are common, within a file too."""
    out = kit.of_instrument(np.zeros(n, MBO_DTYPE), kit.INSTRUMENT_ID)
    out["length"], out["rtype"] = 14, 160
    out["ts_recv"] = kit.BASE_NS + np.sort(rng.integers(0, 12, n))
    out["order_id"] = rng.integers(0, 3, n)
    out["action"] = ord("T")
    return out


def twin(parts: list[np.ndarray]) -> Counter[bytes]:
    """Of equal records as many as the part that has most of them."""
    most: Counter[bytes] = Counter()
    for part in parts:
        most |= Counter(record.tobytes() for record in part)
    return most


@pytest.mark.parametrize("seed", range(40))
def test_records_of_random_parts_when_merged_then_are_those_of_the_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(dbn, "_BATCH_BYTES", int(rng.integers(56, 900)))
    parts = [random_records(rng, int(rng.integers(1, 40))) for _ in range(int(rng.integers(1, 5)))]
    pieces = []
    for at, part in enumerate(parts):
        path = kit.write_file(tmp_path / f"{at}.dbn", kit.header(), part)
        pieces += stretches(path, kit.SYMBOL, (), 0, 1 << 63)
    batches = list(merged(pieces))
    got = np.concatenate([batch for batch, _ in batches])
    assert Counter(record.tobytes() for record in got) == twin(parts)
    assert sum(dropped for _, dropped in batches) == sum(part.size for part in parts) - got.size
    assert (np.diff(got["ts_recv"].astype(np.int64)) >= 0).all()
    whole, _ = without_repeats(parts)
    assert (whole == got).all()  # batches do not show


def test_one_file_whose_times_run_back_when_cut_at_its_turns_then_is_whole_again(tmp_path: Path) -> None:
    part = random_records(np.random.default_rng(5), 50)
    cut = int(np.flatnonzero(part["ts_recv"] > part["ts_recv"][25])[0])
    path = kit.write_file(tmp_path / "a.dbn", kit.header(), part, part[cut:])
    batches = list(merged(stretches(path, kit.SYMBOL, (part.size,), 0, 1 << 63)))
    assert (np.concatenate([batch for batch, _ in batches]) == part).all()
    assert sum(dropped for _, dropped in batches) == part.size - cut
