"""What a lake may forget: versions that no spec and no code asks for any more, and days past a term.

Only derived things whose raw days stay are ever dropped, so that everything can be made again. What a promoted spec or
a campaign's index stands on is kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from vp_assets.research.requests import Chain
from vp_engine.errors import VPError
from vp_engine.hashing import SHORT
from vp_engine.lake import list_raw
from vp_engine.lake.lineage import BOOK, CAMPAIGN, DATASET, MODELS, PROMOTED, RAW, RESULTS, Lineage, Thing, delete

DROPPED = (RESULTS, MODELS, DATASET, BOOK)  # what is made of a thing goes before the thing
STALE = "stale"


def _ignore(where: object, problem: object) -> None:
    """A damaged raw day is no root; the inventory has named it."""


class Candidate(NamedTuple):
    """A thing that may go, and why."""

    thing: Thing
    reason: str


def candidates(
    chain: Chain, lineage: Lineage, keep_days: int | None, kinds: Sequence[str], today: dt.date
) -> list[Candidate]:
    """Stale versions first, then days older than `keep_days` (None: no term), in an order in which they can go."""
    current, held = current_addresses(chain), _held(lineage)
    stale, old = [], []
    for thing in sorted(lineage.of_kind(*kinds), key=lambda thing: (DROPPED.index(thing.kind), thing.name)):
        if thing.address[:SHORT] in held or not _roots(lineage, thing):
            continue
        if _is_stale(chain, lineage, thing, current):
            stale.append(Candidate(thing, STALE))
        elif keep_days is not None and (age := _age(lineage, thing, today)) is not None and age > keep_days:
            old.append(Candidate(thing, f"{age} days old"))
    return stale + old


def drop(chain: Chain, chosen: Sequence[Candidate]) -> int:
    """Delete them; the bytes that are free now."""
    ordered = sorted(chosen, key=lambda one: DROPPED.index(one.thing.kind))
    return sum(delete(chain.lake, one.thing) for one in ordered)


def current_addresses(chain: Chain) -> set[str]:
    """Shortened addresses of everything that today's specs and code would make of the raw days at hand."""
    near = {
        held.manifest.day + dt.timedelta(days=n) for held in list_raw(chain.lake, chain.lock, _ignore) for n in (-1, 0)
    }
    found: set[str] = set()
    for name, spec in chain.specs.pipelines.items():
        experiments = [one for one in chain.specs.experiments if chain.specs.pipeline_of(one).name == name]
        for day in [spec.capture.dt] if spec.capture.dt else sorted(near):
            try:
                request = chain.bins(name, day)
                sweeps = [chain.sweep(experiment, day).address for experiment in experiments]
            except VPError:  # a day that this pipeline cannot have
                continue
            found |= {address[:SHORT] for address in (request.address, request.book.address, *sweeps)}
    return found


def _held(lineage: Lineage) -> set[str]:
    """Shortened addresses of what promoted specs and campaigns stand on, directly or through others."""
    found: set[str] = set()
    ahead = [address for thing in lineage.of_kind(PROMOTED, CAMPAIGN) for address in thing.inputs]
    while ahead:
        thing = lineage.find(ahead.pop())
        if thing is not None and thing.address[:SHORT] not in found:
            found.add(thing.address[:SHORT])
            ahead += thing.inputs
    return found


def _roots(lineage: Lineage, thing: Thing) -> list[Thing]:
    """Raw days that a thing can be made again from; none if one of them is gone. A book cache does not name its raw
    day, which is that of its date, or the next one where its capture begins in the evening."""
    if thing.kind != BOOK or thing.day is None:
        return lineage.roots(thing) or []
    near = (thing.day, thing.day + dt.timedelta(days=1))
    symbol = f".{thing.name.partition('_')[0]}."
    return [root for root in lineage.of_kind(RAW) if root.day in near and symbol in root.name]


def _is_stale(chain: Chain, lineage: Lineage, thing: Thing, current: set[str]) -> bool:
    """Whether nobody asks for this version any more. Another instrument's things are not judged: its specs are not
    loaded. Models are as current as the dataset they were fitted on."""
    known = {day.manifest.address for day in list_raw(chain.lake, chain.lock, _ignore)}
    if not all(root.address in known for root in _roots(lineage, thing)):
        return False
    if thing.kind == MODELS:
        return not any(address[:SHORT] in current for address in thing.inputs)
    return thing.address[:SHORT] not in current


def _age(lineage: Lineage, thing: Thing, today: dt.date) -> int | None:
    """Days since the thing's own day, or since the youngest of what it was made of."""
    if thing.day is not None:
        return (today - thing.day).days
    days = [held.day for held in map(lineage.find, thing.inputs) if held is not None and held.day is not None]
    return (today - max(days)).days if days else None
