"""Golden values of one synthetic and one real capture: what each stage gave when its code version was set.

`python -m tests.engine.golden_values` records them anew. Integers are kept as digests, floats as weighted sums over the
rows of some bins, to six digits: a kernel may be rewritten, a number may not change.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from harness import copied, engine_config, join, real_file

from vp_engine.book.checkpoint import BOOK_CODE_VERSION
from vp_engine.evaluation import SWEEP_CODE_VERSION
from vp_engine.feed import DbnFile
from vp_engine.sample import SampleSpec, write_sample
from vp_engine.schema import GRID_F32_NAMES, STATE_MODEL_DTYPE, BinBlock
from vp_engine.signals.registry import get_signal
from vp_engine.specs import VPRuntimeConfig, build_config_with_overrides, load_instrument, resolve_capture
from vp_engine.spectrum.scoring import SpectrumScorer
from vp_engine.spectrum.state5 import DerivativeRuntime, StateModelParams
from vp_engine.stream import BINS_CODE_VERSION, build_checkpoint, stream_events

FOLDER = Path(__file__).with_name("golden")
RECORD = "python -m tests.engine.golden_values"
PROBED = 48  # bins whose rows are summed
DIGITS = 6
_WHOLE = ("rest_depth", "bid_depth", "ask_depth", "fill_size")  # floats that hold whole contracts
Golden = dict[str, Any]


class Stage(NamedTuple):
    """Something with an output of its own: where its version stands, and the version."""

    home: str
    version: str


def stages() -> dict[str, Stage]:
    """The stages in the order of the chain. The sample's bytes are its own address: it needs no version."""
    return {
        "raw": Stage("the synthetic market (vp_engine/sample)", ""),
        "book": Stage("BOOK_CODE_VERSION (vp_engine/book/checkpoint.py)", BOOK_CODE_VERSION),
        "bins": Stage("BINS_CODE_VERSION (vp_engine/stream.py)", BINS_CODE_VERSION),
        "scores": Stage("SWEEP_CODE_VERSION (vp_engine/evaluation/trials.py)", SWEEP_CODE_VERSION),
        "state model": Stage("code_version of the signal `derivative`", str(get_signal("derivative").code_version)),
    }


def digest(*arrays: np.ndarray) -> str:
    """16 hex of the arrays' values."""
    made = hashlib.sha256()
    for array in arrays:
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()[:16]


def probe(values: np.ndarray) -> list[list[float]]:
    """Of some bins of (n_bins, rows): [sum, sum of magnitudes] over the rows, weighted so that rows do not swap."""
    bins = np.unique(np.linspace(0, len(values) - 1, PROBED).astype(np.int64))
    part = values[bins].astype(np.float64).reshape(bins.size, -1)
    weighted = part * (1.0 + 0.5 * np.cos(1.7 * np.arange(part.shape[1])))
    return [[rounded(row.sum()), rounded(np.abs(row).sum())] for row in weighted]


def rounded(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.{DIGITS}g}")


def of_bins(block: BinBlock, counters: dict[str, int]) -> Golden:
    """Every field of the bins."""
    names = [name for name in block.bins.dtype.names or () if name != "mid_price"]
    floats = [name for name in GRID_F32_NAMES if name not in _WHOLE]
    return {
        "counters": counters,
        "integers": {name: digest(block.bins[name]) for name in names}
        | {"state5_code": digest(block.state5), "last_event_id": digest(block.last_event_id)}
        | {name: digest(block.field(name)) for name in _WHOLE},
        "floats": {"mid_price": probe(block.bins["mid_price"])} | {name: probe(block.field(name)) for name in floats},
    }


def measure(raw: Path, config: VPRuntimeConfig, day: str, start: str, end: str) -> Golden:
    """What every stage says of one capture."""
    capture = resolve_capture(config, day, start, end)
    source = DbnFile(raw)
    batches = list(source.batches(source.instrument_ids(config.symbol)))
    checkpoint = build_checkpoint(raw, config, capture)
    events = stream_events([raw], config, capture, checkpoint)
    block = join([copied(part) for part in events])
    scores = SpectrumScorer(config).update(block)
    model = DerivativeRuntime(StateModelParams(**config.state_model), config.dt_s, config.grid_radius_ticks)
    rows = model.update(block.state5, block.bins["book_valid"])
    return {
        "raw": {"integers": {"records": digest(*batches)}},
        "book": {
            "counters": checkpoint.counters | checkpoint.scalars,
            "integers": {name: digest(checkpoint.orders[name]) for name in checkpoint.orders.dtype.names or ()},
        },
        "bins": of_bins(block, dict(events.counters)),
        "scores": {
            "floats": {"flow_score": probe(scores.flow_score)}
            | {f"projection {n}": probe(values) for n, values in enumerate(scores.projections)}
        },
        "state model": {"floats": {name: probe(rows[name]) for name in STATE_MODEL_DTYPE.names or ()}},
    }


def synthetic() -> Golden:
    """A minute and a half of a busy open."""
    config = build_config_with_overrides(load_instrument(), {"warmup_hours": 0.02})
    spec = SampleSpec(start=dt.time(9, 30), end=dt.time(9, 33), events_per_s=400.0, resting_orders=2_000)
    with tempfile.TemporaryDirectory() as folder:
        raw = write_sample(Path(folder) / "day.dbn.zst", spec).path
        return measure(raw, config, spec.day.isoformat(), "09:31:30", "09:33")


def real() -> Golden:
    """Two minutes from the opening auction on."""
    return measure(real_file(), engine_config(), "2023-12-25", "18:00", "18:02")


def differences(now: Golden, then: Golden) -> list[str]:
    """What one stage says otherwise than it did, most of all first; empty if nothing."""
    found = [
        f"{name}: {now['counters'].get(name)}, was {then['counters'].get(name)}"
        for name in sorted(now.get("counters", {}).keys() | then.get("counters", {}).keys())
        if now["counters"].get(name) != then["counters"].get(name)
    ]
    for name in sorted(now.get("integers", {}).keys() | then.get("integers", {}).keys()):
        if now["integers"].get(name) != then["integers"].get(name):
            found.append(f"{name} differs (whole numbers, compared exactly)")
    for name in sorted(now.get("floats", {}).keys() | then.get("floats", {}).keys()):
        here, there = now["floats"].get(name, []), then["floats"].get(name, [])
        if len(here) != len(there):
            found.append(f"{name}: {len(here)} bins, were {len(there)}")
        for at, ((value, size), (old, old_size)) in enumerate(zip(here, there, strict=False)):
            allowed = 2 * 10.0**-DIGITS * (1.0 + max(size, old_size))
            if not math.isclose(value, old, rel_tol=0.0, abs_tol=allowed):
                found.append(f"{name}: {value} in probe {at}, was {old}")
                break
    return found


def verdict(stage: str, now: Golden, then: Golden, held: Stage, recorded: str) -> str | None:
    """What to do about one stage, or None if its output and its version are those on record."""
    found = differences(now, then)
    if not found and held.version == recorded:
        return None
    listed = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
    if not found:
        return (
            f"{held.home} is {held.version!r}, on record {recorded!r}, and nothing changed: record it with `{RECORD}`"
        )
    if held.version and held.version == recorded:
        return (
            f"the output of `{stage}` changed, but {held.home} is still {recorded!r}, so what a lake holds under it "
            f"would pass for the new output. If the change is meant, raise the version and run `{RECORD}`; if not, "
            f"this is the fault: {listed}"
        )
    return f"the output of `{stage}` changed ({listed}); if that is meant, record it with `{RECORD}`"


def load(name: str) -> Golden:
    """What is on record."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text()))


def save(name: str, values: Golden) -> None:
    """Put on record."""
    versions = {key: stage.version for key, stage in stages().items()}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(compact({"versions": versions, **values}) + "\n")


def compact(values: Golden) -> str:
    """JSON with one line a name, so that a change can be read."""
    out = ["{"]
    for n, (stage, parts) in enumerate(values.items()):
        out.append(f' "{stage}": {{')
        names = list(parts.items())
        for m, (name, part) in enumerate(names):
            comma = "," if m + 1 < len(names) else ""
            if isinstance(part, dict):
                rows = [f'   "{key}": {json.dumps(value)}' for key, value in part.items()]
                out.append(f'  "{name}": {{\n' + ",\n".join(rows) + f"\n  }}{comma}")
            else:
                out.append(f'  "{name}": {json.dumps(part)}{comma}')
        out.append(" }" + ("," if n + 1 < len(values) else ""))
    return "\n".join([*out, "}"])


def main() -> None:
    """Record both captures; the real one where its file is at hand."""
    save("synthetic", synthetic())
    if real_file().is_file():
        save("real", real())
    else:
        print(f"{real_file()} is not there: the real capture's values stay as they are", file=sys.stderr)


if __name__ == "__main__":
    main()
