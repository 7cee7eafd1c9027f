"""A soak of a few seconds (`python -m benchmarks.soak` runs minutes), and that its books see what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_house import House

from benchmarks.service import Closed, running
from benchmarks.soak import balance, soak
from benchmarks.soak_clients import Life

SENT, DROPPED = "vp_bins_sent_total", "vp_bins_dropped_total"


@pytest.mark.slow
def test_restless_clients_for_some_seconds(house: House, tmp_path: Path) -> None:
    with running(house.root, tmp_path / "service.log", configs=house.configs) as service:
        queries = ["serving=short_plain", "serving=short_derivative"]
        found = soak(service, 5.0, queries, clients=10, processes=1, statues=0, life_s=1.5, flat=None)
    assert found.wrong == []
    assert found.streams > 10
    assert found.bins > 50


def life(**changed: object) -> Life:
    """A stream that was left properly."""
    values = Life(5, "close", 100, 3, -1, -1, True, 0, 0, 1000)
    return values._replace(**changed)


@pytest.mark.parametrize(
    ("seen", "closed", "figures"),
    [
        (life(), Closed(5, 100, 3), (100, 3)),
        (life(), Closed(5, 100, 4), (100, 4)),  # dropped after the last bin it read
        (life(kind="cut", code=0), Closed(5, 130, 3), (130, 3)),
        (life(code=1006), Closed(5, 104, 3), (104, 3)),
        (life(bins=0, dropped=0), Closed(6, 9, 0), (9, 0)),  # left before there was a session
        (life(kind="end", end_bins=100, end_dropped=3), Closed(5, 100, 3), (100, 3)),
    ],
)
def test_books_that_balance(seen: Life, closed: Closed, figures: tuple[float, float]) -> None:
    assert balance([closed], [seen], dict(zip((SENT, DROPPED), figures, strict=True))) == []


@pytest.mark.parametrize(
    ("seen", "closed", "figures"),
    [
        (life(), Closed(5, 101, 3), (101, 3)),
        (life(), Closed(6, 100, 3), (100, 3)),
        (life(), Closed(5, 100, 3), (99, 3)),
        (life(), Closed(5, 100, 3), (100, 2)),
        (life(), Closed(5, 100, 2), (100, 2)),
        (life(slow=False), Closed(5, 100, 3), (100, 3)),
        (life(bins=0, dropped=0, kind="end", errors=1, code=1013), Closed(6, 9, 0), (9, 0)),  # a refusal nobody counted
        (life(jumps=1), Closed(5, 100, 3), (100, 3)),
        (life(errors=1), Closed(5, 100, 3), (100, 3)),
        (life(code=1006, slow=False, dropped=0), Closed(5, 100, 0), (100, 0)),
        (life(kind="cut", code=0), Closed(5, 99, 3), (99, 3)),
        (life(kind="cut", code=0), Closed(5, 400, 3), (400, 3)),
        (life(kind="end"), Closed(5, 100, 3), (100, 3)),
        (life(kind="end", end_bins=99, end_dropped=3), Closed(5, 100, 3), (100, 3)),
    ],
)
def test_books_that_do_not(seen: Life, closed: Closed, figures: tuple[float, float]) -> None:
    assert balance([closed], [seen], dict(zip((SENT, DROPPED), figures, strict=True)))


def test_refusals_are_counted_on_both_sides() -> None:
    figures = {SENT: 0.0, DROPPED: 0.0, 'vp_streams_refused_total{code="too_many_streams"}': 1.0}
    refused = life(bins=0, dropped=0, kind="end", errors=1, code=1013)
    assert balance([], [refused], figures) == []
    assert balance([], [], figures)
