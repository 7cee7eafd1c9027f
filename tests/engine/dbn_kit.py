"""DBN files of any make for tests: versions, compression, several instruments, records of other kinds.

Records are MBO_DTYPE arrays; a part of a file is bytes or such an array.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import databento_dbn as dbn
import numpy as np
import zstandard
from streams import BASE_NS, INSTRUMENT_ID, SYMBOL

DAY_NS = 86_400 * 10**9
# Record types that stand in real files beside MBO: (rtype, bytes).
OTHERS = {"trade": (0, 48), "status": (18, 40), "definition": (19, 520), "system": (23, 320), "header": (21, 16)}


def header(
    version: int = 3,
    mappings: Mapping[str, int] | None = None,
    *,
    schema: str | None = "mbo",
    day_ns: int = BASE_NS,
    by_id: bool = False,
    dataset: str = "GLBX.MDP3",
    start_ns: int | None = None,
    end_ns: int | None = None,
    limit: int | None = None,
) -> bytes:
    """Metadata of the UTC day that holds `day_ns`, mapping raw symbols to ids (`by_id`: the other way round). start_ns,
    end_ns: of the request, the day's if None; limit: records asked for at most."""
    midnight = day_ns // DAY_NS * DAY_NS
    day = dt.datetime.fromtimestamp(midnight // 10**9, dt.UTC).date()
    mapped = []
    for name, number in (mappings if mappings is not None else {SYMBOL: INSTRUMENT_ID}).items():
        left, right = (str(number), name) if by_id else (name, str(number))
        interval = SimpleNamespace(start_date=day, end_date=day + dt.timedelta(days=1), symbol=right)
        mapped.append(SimpleNamespace(raw_symbol=left, intervals=[interval]))
    kinds = (
        (dbn.SType.INSTRUMENT_ID, dbn.SType.RAW_SYMBOL) if by_id else (dbn.SType.RAW_SYMBOL, dbn.SType.INSTRUMENT_ID)
    )
    return bytes(
        dbn.Metadata(
            dataset=dataset, start=start_ns or midnight, end=end_ns or midnight + DAY_NS, limit=limit,
            stype_in=kinds[0], stype_out=kinds[1], schema=None if schema is None else dbn.Schema(schema), symbols=[],
            mappings=mapped, version=version,
        ).encode()
    )  # fmt: skip


def other(kind: str, instrument_id: int = INSTRUMENT_ID) -> bytes:
    """One record that is not MBO, of the symbol's own id."""
    rtype, size = OTHERS[kind]
    record = np.zeros(size, np.uint8)
    record[0], record[1] = size // 4, rtype
    record[4:8] = np.frombuffer(np.uint32(instrument_id).tobytes(), np.uint8)
    return record.tobytes()


def mapping(symbol: str, instrument_id: int, *, asked: str | None = None, version: int = 3) -> bytes:
    """A SymbolMappingMsg as the live gateway sends it: from here on the id means the symbol. asked: what was subscribed
    to, the symbol itself if None."""
    names = [name.encode() for name in (asked or symbol, symbol)]
    if version == 1:
        body = b"".join(name.ljust(22, b"\0") for name in names) + bytes(4)
    else:
        body = b"".join(bytes([1]) + name.ljust(71, b"\0") for name in names)
    size = 16 + len(body) + 16
    head = bytes([size // 4, 22]) + (1).to_bytes(2, "little") + instrument_id.to_bytes(4, "little")
    return head + BASE_NS.to_bytes(8, "little") + body + bytes(16)


def of_instrument(records: np.ndarray, instrument_id: int) -> np.ndarray:
    """The same records of another instrument."""
    out = records.copy()
    out["instrument_id"] = instrument_id
    return out


def with_send_times(records: np.ndarray) -> bytes:
    """The records as the live gateway writes them: 8 bytes longer each."""
    out = np.zeros((records.size, 64), np.uint8)
    out[:, :56] = records.view(np.uint8).reshape(-1, 56)
    out[:, 0] = 16
    return out.tobytes()


def interleaved(*groups: Sequence[bytes]) -> bytes:
    """One record of each group in turn, until all are used up."""
    longest = max(len(group) for group in groups)
    return b"".join(group[i] for i in range(longest) for group in groups if i < len(group))


def rows(records: np.ndarray) -> list[bytes]:
    """Each record's bytes."""
    return [record.tobytes() for record in records]


def write_file(path: Path, *parts: bytes | np.ndarray) -> Path:
    """The parts as one file; zstd if the name ends in .zst."""
    data = b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)
    path.write_bytes(zstandard.ZstdCompressor().compress(data) if path.suffix == ".zst" else data)
    return path
