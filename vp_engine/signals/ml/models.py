"""Fitted models: predicted row by row, kept in formats that run no code when they are read.

scikit-learn models are kept by skops, which refuses types it does not trust; LightGBM's as its own text, XGBoost's as
UBJSON. What is read back predicts the same bits. A prediction depends on its row alone: sums run in a fixed order in
the kernels below, so a row gives the same bits alone and among others. Kernels never raise.

The libraries are imported where they are used: together they take seconds, and most commands need none of them.
"""
# mypy: allow-untyped-calls

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from vp_engine.errors import LakeError
from vp_engine.jit import kernel
from vp_engine.signals.ml.model_probe import check_lightgbm_text

LEAF_SIZE = 30  # of the neighbour tree


class Model(ABC):
    """A fitted model. suffix: of its file; n_features: columns it reads."""

    suffix: ClassVar[str]
    n_features: int

    @abstractmethod
    def encode(self) -> bytes:
        """The model as a file's content."""

    @classmethod
    @abstractmethod
    def decode(cls, content: bytes) -> Self:
        """The model of a file's content; LakeError if it is foreign, damaged or holds a type that is not trusted."""

    @abstractmethod
    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predictions float64 (m,) or (m, outputs) of rows float32 (m, n_features)."""


@kernel
def decision_nb(features, mean, scale, weights, intercept, out):  # type: ignore[no-untyped-def]
    """Distance from a hyperplane of standardised rows. features float32 (m, d), out float64 (m,) written."""
    for i in range(features.shape[0]):
        total = intercept
        for c in range(weights.size):
            total += weights[c] * ((features[i, c] - mean[c]) / scale[c])
        out[i] = total


@kernel
def vote_nb(distances, neighbours, labels, out):  # type: ignore[no-untyped-def]
    """P(up) - P(down) of neighbours weighted by 1/distance; those at distance 0, if any, decide alone.
    distances float64, rising, and neighbours int64 (m, k); labels int8 (n,); out float64 (m,) written."""
    for i in range(distances.shape[0]):
        exact = distances[i, 0] == 0.0
        total, signed = 0.0, 0.0
        for c in range(distances.shape[1]):
            weight = (1.0 if distances[i, c] == 0.0 else 0.0) if exact else 1.0 / distances[i, c]
            total += weight
            signed += weight * labels[neighbours[i, c]]
        out[i] = signed / total


@kernel
def components_nb(features, mean, scale, centre, components, variance, row, out):  # type: ignore[no-untyped-def]
    """Residual, Mahalanobis distance and first score of standardised rows. components (c, d), variance (c,);
    row float64 (d,) is scratch; out float64 (m, 3) written."""
    n_components, n_columns = components.shape
    for i in range(features.shape[0]):
        for c in range(n_columns):
            row[c] = (features[i, c] - mean[c]) / scale[c] - centre[c]
        away = 0.0
        for at in range(n_components):
            score = 0.0
            for c in range(n_columns):
                score += components[at, c] * row[c]
            for c in range(n_columns):  # components are orthonormal: what is left is the residual so far
                row[c] -= score * components[at, c]
            if at == 0:
                out[i, 2] = score
            if variance[at] > 1e-10:
                away += score * score / variance[at]
        left = 0.0
        for c in range(n_columns):
            left += row[c] * row[c]
        out[i, 0] = math.sqrt(left)
        out[i, 1] = math.sqrt(away)


@kernel
def logistic_nb(margins, out):  # type: ignore[no-untyped-def]
    """1/(1 + exp(-margin)); float64 (m,) both."""
    for i in range(margins.size):
        out[i] = 1.0 / (1.0 + math.exp(-margins[i]))


class Scaled(Model):
    """A scikit-learn pipeline of a StandardScaler and one estimator."""

    suffix = "skops"

    def __init__(self, pipeline: Any) -> None:
        scaler, self.estimator = (step for _, step in pipeline.steps)
        self.pipeline = pipeline
        self._mean = np.array(scaler.mean_, np.float64)
        self._scale = np.array(scaler.scale_, np.float64)
        self.n_features = self._mean.size

    @classmethod
    @abstractmethod
    def estimators(cls) -> tuple[type, ...]:
        """Types that the second step may have."""

    def encode(self) -> bytes:
        """The pipeline as a skops archive."""
        from skops.io import dumps

        return bytes(dumps(self.pipeline))

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The pipeline of a skops archive, all of its types trusted and in their places."""
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler
        from skops.io import loads
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            pipeline = loads(content, trusted=[])
        except UntrustedTypesFoundException as error:
            raise LakeError(f"a model holds types that are not trusted: {' '.join(str(error).split())}") from None
        except Exception as error:  # zip, JSON, numpy and skops have each their own
            raise LakeError(f"not a skops model ({type(error).__name__}: {' '.join(str(error).split())})") from None
        steps = [type(step) for _, step in pipeline.steps] if type(pipeline) is Pipeline else []
        if len(steps) != 2 or steps[0] is not StandardScaler or steps[1] not in cls.estimators():
            raise LakeError(f"a model of another kind than {cls.__name__}: {type(pipeline).__name__} of {steps}")
        try:
            return cls(pipeline)
        except Exception as error:
            raise LakeError(f"a model that was never fitted ({type(error).__name__}: {error})") from None


class Hyperplane(Scaled):
    """A linear classifier: the signed distance from its plane, up being positive."""

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self._weights = np.array(self.estimator.coef_, np.float64).reshape(-1)
        self._intercept = float(np.array(self.estimator.intercept_).reshape(-1)[0])

    @classmethod
    def estimators(cls) -> tuple[type, ...]:
        """Classifiers with one weight per feature."""
        from sklearn.linear_model import SGDClassifier
        from sklearn.svm import LinearSVC

        return SGDClassifier, LinearSVC

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Decision values float64 (m,)."""
        out = np.empty(len(features))
        decision_nb(features, self._mean, self._scale, self._weights, self._intercept, out)
        return out


class Neighbours(Scaled):
    """k nearest neighbours: the rows themselves are the model, the tree over them is grown again when it is read."""

    def __init__(self, pipeline: Any) -> None:
        from sklearn.neighbors import KDTree

        super().__init__(pipeline)
        self._tree = KDTree(np.asarray(self.estimator._fit_X, np.float64), leaf_size=LEAF_SIZE)
        self._labels = self.estimator.classes_[self.estimator._y].astype(np.int8)

    @classmethod
    def estimators(cls) -> tuple[type, ...]:
        """The brute-force classifier, which holds rows and labels and nothing else."""
        from sklearn.neighbors import KNeighborsClassifier

        return (KNeighborsClassifier,)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """P(up) - P(down), float64 (m,)."""
        rows = ((features - self._mean) / self._scale).astype(np.float32).astype(np.float64)
        distances, neighbours = self._tree.query(rows, k=self.estimator.n_neighbors)
        out = np.empty(len(features))
        vote_nb(distances, neighbours, self._labels, out)
        return out


class Components(Scaled):
    """Principal components: how far a row lies from their plane, and how far out in it."""

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self.components = np.array(self.estimator.components_, np.float64, order="C")
        self._centre = np.array(self.estimator.mean_, np.float64)
        self._variance = np.array(self.estimator.explained_variance_, np.float64)

    @classmethod
    def estimators(cls) -> tuple[type, ...]:
        """PCA."""
        from sklearn.decomposition import PCA

        return (PCA,)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Residual, Mahalanobis distance and first score: float64 (m, 3)."""
        out, row = np.empty((len(features), 3)), np.empty(self.n_features)
        components_nb(features, self._mean, self._scale, self._centre, self.components, self._variance, row, out)
        return out


class LightGbm(Model):
    """A LightGBM booster, always as its own text gives it back."""

    suffix = "txt"

    def __init__(self, text: str) -> None:
        from lightgbm import Booster
        from lightgbm.basic import LightGBMError

        try:
            self._booster = Booster(model_str=text)
        except LightGBMError as error:
            raise LakeError(f"not a LightGBM model ({' '.join(str(error).split())})") from None
        self._text = text
        self.n_features = int(self._booster.num_feature())

    def encode(self) -> bytes:
        """LightGBM's text."""
        return self._text.encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The booster of LightGBM's text."""
        if not content.startswith(b"tree\n"):
            raise LakeError("not a LightGBM model (its text does not start with `tree`)")
        text = content.decode("utf-8", "replace")
        try:
            check_lightgbm_text(text)
        except ValueError as error:
            raise LakeError(f"not a LightGBM model ({error})") from None
        return cls(text)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """P(up), float64 (m,)."""
        margins = np.asarray(self._booster.predict(features, raw_score=True, num_threads=1), np.float64)
        out = np.empty(margins.size)
        logistic_nb(margins, out)
        return out


class XgBoost(Model):
    """An XGBoost booster, always as its own UBJSON gives it back."""

    suffix = "ubj"

    def __init__(self, content: bytes) -> None:
        from xgboost import Booster
        from xgboost.core import XGBoostError

        self._booster = Booster({"nthread": 1})
        try:
            self._booster.load_model(bytearray(content))
        except (XGBoostError, ValueError) as error:  # text that is no UTF-8 among them
            raise LakeError(f"not an XGBoost model ({str(error).splitlines()[0]})") from None
        self._booster.set_param({"nthread": 1})
        self._content = content
        self.n_features = int(self._booster.num_features())

    def encode(self) -> bytes:
        """XGBoost's UBJSON."""
        return self._content

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The booster of XGBoost's UBJSON."""
        if not content.startswith(b"{"):
            raise LakeError("not an XGBoost model (its content is no UBJSON object)")
        return cls(content)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """P(up), float64 (m,)."""
        margins = self._booster.inplace_predict(features, predict_type="margin")
        out = np.empty(len(features))
        logistic_nb(np.asarray(margins, np.float64).reshape(-1), out)
        return out
