"""Signals that learn: a model each, fitted walk-forward on the stream they speak of."""

from vp_engine.signals.ml.gbm_mf import GbmMfSignal
from vp_engine.signals.ml.knn_cl import KnnClSignal
from vp_engine.signals.ml.lsvm_der import LsvmDerSignal
from vp_engine.signals.ml.pca_ad import PcaAdSignal
from vp_engine.signals.ml.svm_sp import SvmSpSignal
from vp_engine.signals.ml.walk_forward import Refit, Refits, WalkForwardSignal
from vp_engine.signals.ml.xgb_snap import XgbSnapSignal

ML_SIGNALS = (GbmMfSignal, KnnClSignal, LsvmDerSignal, PcaAdSignal, SvmSpSignal, XgbSnapSignal)

__all__ = [
    "ML_SIGNALS",
    "GbmMfSignal",
    "KnnClSignal",
    "LsvmDerSignal",
    "PcaAdSignal",
    "Refit",
    "Refits",
    "SvmSpSignal",
    "WalkForwardSignal",
    "XgbSnapSignal",
]
