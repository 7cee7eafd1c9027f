"""Prefetching: same items, bounded, errors passed on, nothing left running."""

from __future__ import annotations

import threading
import time

import pytest

from vp_engine.threads import prefetch


def test_items_come_in_order():
    assert list(prefetch(range(1000), 3)) == list(range(1000))


def test_the_worker_runs_no_further_ahead_than_asked():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    taken = prefetch(items(), 2)
    assert next(taken) == 0
    time.sleep(0.3)
    assert len(made) <= 1 + 2 + 1  # taken, waiting, in hand
    taken.close()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    taken = prefetch(items(), 2)
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)


def test_stopping_early_stops_the_worker():
    before = threading.active_count()
    taken = prefetch(iter(int, 1), 2)
    next(taken)
    taken.close()
    assert threading.active_count() == before
