"""How every model is fitted: on one thread, so that the same rows give the same bits on any number of cores."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread, and silence about solvers that end at their limit of passes, as asked."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def fit_scaled(estimator: Any, rows: np.ndarray, labels: np.ndarray | None = None, dtype: type = np.float64) -> Any:
    """A pipeline of a StandardScaler and the estimator, fitted. rows float32 (m, d), labels int8 (m,); dtype: of the
    standardised rows that the estimator sees."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    with one_thread():
        scaler = StandardScaler()
        scaled = scaler.fit_transform(np.array(rows, np.float64, order="C"))
        estimator.fit(scaled.astype(dtype), labels)
    return Pipeline([("scaler", scaler), ("estimator", estimator)])


def validation_split(labels: np.ndarray) -> int | None:
    """How many rows come before the last fifth; None where they are not of both signs or the fifth is empty."""
    n = len(labels) - len(labels) // 5
    both = (labels[:n] > 0).any() and (labels[:n] < 0).any()
    return n if both and n < len(labels) else None


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """float64 (m,): a weight for each row, so that both signs weigh alike. labels int8 (m,), none of them 0."""
    up = labels > 0
    n_up = int(np.count_nonzero(up))
    return np.where(up, 0.5 * len(labels) / max(n_up, 1), 0.5 * len(labels) / max(len(labels) - n_up, 1))
