"""Every signal by name. Built-in ones are listed here; own ones come from files and installed packages, see `own`."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import Any, NamedTuple, TypeVar, get_args

from vp_engine.errors import ConfigError, NotFoundError
from vp_engine.signals.ads import AdsSignal
from vp_engine.signals.ads_pfp_svac import AdsPfpSvacSignal
from vp_engine.signals.base import COLUMNS, FittedModels, Prediction, Signal, SignalKind, SignalParams
from vp_engine.signals.derivative import DerivativeSignal
from vp_engine.signals.erd import ErdSignal
from vp_engine.signals.iirc import IircSignal
from vp_engine.signals.jad import JadSignal
from vp_engine.signals.ml import ML_SIGNALS
from vp_engine.signals.msd import MsdSignal
from vp_engine.signals.pfp import PfpSignal
from vp_engine.signals.spg import SpgSignal
from vp_engine.specs.base import NAME_PATTERN


class SignalInfo(NamedTuple):
    """What a listing shows: params are the defaults, by name."""

    name: str
    kind: SignalKind
    prediction: Prediction
    description: str
    columns: tuple[str, ...]
    params: dict[str, Any]
    default_thresholds: tuple[float, ...]
    code_version: str


_SIGNALS: dict[str, type[Signal]] = {}
_left_out: list[str] = []  # own signals that could not be loaded, a line each
_Class = TypeVar("_Class", bound=type[Signal])


def leave_out(problem: str) -> None:
    """Remember why own signals could not be loaded, for whoever asks for one of them."""
    if problem not in _left_out:
        _left_out.append(problem)


def register_signal(signal: _Class) -> _Class:
    """Make a signal known by its name; also a class decorator. ConfigError for a name already taken by another
    class, for columns that no grid has, or for what every signal must say and this one does not."""
    for said in ("name", "columns", "Params", "default_thresholds"):
        if not hasattr(signal, said):
            raise ConfigError(f"signal class {signal.__qualname__} does not say its `{said}`")
    _check_said(signal)
    known = _SIGNALS.get(signal.name)
    if known is not None and (known.__module__, known.__qualname__) != (signal.__module__, signal.__qualname__):
        raise ConfigError(f"signal `{signal.name}` is already {known.__module__}.{known.__qualname__}; choose a name")
    unknown = [column for column in signal.columns if column not in COLUMNS]
    if unknown:
        raise ConfigError(f"signal `{signal.name}` reads `{unknown[0]}`, which no grid has")
    _SIGNALS[signal.name] = signal
    return signal


def _check_said(signal: type[Signal]) -> None:
    """ConfigError for what a class says of itself that no listing, spec or sweep could use."""
    if not isinstance(signal.name, str) or not re.fullmatch(NAME_PATTERN, signal.name):
        raise ConfigError(f"`name` must be lower-case letters, digits and underscores, was {signal.name!r}")
    for said, allowed in (("kind", get_args(SignalKind)), ("prediction", get_args(Prediction))):
        if getattr(signal, said) not in allowed:
            raise ConfigError(f"signal `{signal.name}`: `{said}` must be one of {', '.join(allowed)}")
    levels = signal.default_thresholds
    if not isinstance(levels, tuple) or not all(isinstance(level, (int, float)) for level in levels):
        raise ConfigError(f"signal `{signal.name}`: `default_thresholds` must be a tuple of numbers, was {levels!r}")
    if not inspect.isclass(signal.Params) or not issubclass(signal.Params, SignalParams):
        raise ConfigError(f"signal `{signal.name}`: `Params` must be a subclass of SignalParams")
    signal.Params.parse({}, f"signal `{signal.name}`: `Params` wants a default for each")


def get_signal(name: str) -> type[Signal]:
    """The signal of this name; NotFoundError that lists what there is."""
    if name not in _SIGNALS:
        near = difflib.get_close_matches(name, _SIGNALS, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        lacking = f"; left out: {'; '.join(_left_out)}" if _left_out else ""
        raise NotFoundError(f"no signal `{name}`; {hint}there are {', '.join(sorted(_SIGNALS))}{lacking}")
    return _SIGNALS[name]


def make_signal(name: str, params: dict[str, Any], config: Any, models: FittedModels | None = None) -> Signal:
    """A fresh signal from plain parameters, speaking by fitted models if they are given; NotFoundError or ConfigError
    naming the parameter."""
    kind = get_signal(name)
    signal = kind(kind.Params.parse(params, f"signal `{name}`"), config)
    if models is not None:
        signal.use_models(models)
    return signal


def list_signals() -> list[SignalInfo]:
    """All signals, by name."""
    return [
        SignalInfo(
            name=signal.name,
            kind=signal.kind,
            prediction=signal.prediction,
            description=(signal.__doc__ or "").strip().split("\n")[0],
            columns=signal.columns,
            params=signal.Params().model_dump(mode="json"),
            default_thresholds=signal.default_thresholds,
            code_version=signal.code_version,
        )
        for _, signal in sorted(_SIGNALS.items())
    ]


for _signal in (
    DerivativeSignal,
    AdsSignal,
    PfpSignal,
    AdsPfpSvacSignal,
    ErdSignal,
    IircSignal,
    JadSignal,
    MsdSignal,
    SpgSignal,
    *ML_SIGNALS,
):
    register_signal(_signal)
