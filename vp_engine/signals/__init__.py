"""Causal signals over bins, one implementation for live and offline."""

from vp_engine.signals.base import Signal, SignalParams, run_signal
from vp_engine.signals.own import load_signals, loaded_files
from vp_engine.signals.registry import SignalInfo, get_signal, list_signals, make_signal, register_signal

__all__ = [
    "Signal",
    "SignalInfo",
    "SignalParams",
    "get_signal",
    "list_signals",
    "load_signals",
    "loaded_files",
    "make_signal",
    "register_signal",
    "run_signal",
]
