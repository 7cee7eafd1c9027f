"""Signals that learn: a model each, fitted walk-forward on the stream they speak of."""

from vp_engine.signals.ml.fitting import fit_scaled
from vp_engine.signals.ml.frame import View
from vp_engine.signals.ml.gbm_mf import GbmMfSignal
from vp_engine.signals.ml.knn_cl import KnnClSignal
from vp_engine.signals.ml.lsvm_der import LsvmDerSignal
from vp_engine.signals.ml.models import Components, Hyperplane, LightGbm, Model, Neighbours, XgBoost
from vp_engine.signals.ml.pca_ad import PcaAdSignal
from vp_engine.signals.ml.svm_sp import SvmSpSignal
from vp_engine.signals.ml.walk_forward import Refit, Refits, WalkForwardParams, WalkForwardSignal
from vp_engine.signals.ml.windows import Moments, Returns, RobustZs, Slopes
from vp_engine.signals.ml.xgb_snap import XgbSnapSignal

ML_SIGNALS = (GbmMfSignal, KnnClSignal, LsvmDerSignal, PcaAdSignal, SvmSpSignal, XgbSnapSignal)

__all__ = [
    "ML_SIGNALS",
    "Components",
    "GbmMfSignal",
    "Hyperplane",
    "KnnClSignal",
    "LightGbm",
    "LsvmDerSignal",
    "Model",
    "Moments",
    "Neighbours",
    "PcaAdSignal",
    "Refit",
    "Refits",
    "Returns",
    "RobustZs",
    "Slopes",
    "SvmSpSignal",
    "View",
    "WalkForwardParams",
    "WalkForwardSignal",
    "XgBoost",
    "XgbSnapSignal",
    "fit_scaled",
]
