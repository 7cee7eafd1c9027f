"""Triple-barrier evaluation of signals: outcomes, detection, figures, sweeps and promotion."""

from vp_engine.evaluation.detection import Detector
from vp_engine.evaluation.learned import keep_models
from vp_engine.evaluation.promotion import promoted_name, promoted_spec, select_row
from vp_engine.evaluation.sweep import SweepResult, evaluate, replay_trades
from vp_engine.evaluation.trials import (
    SWEEP_CODE_VERSION,
    Evaluation,
    Trial,
    expand,
    experiment_address,
    run_id,
    trial_id,
)

__all__ = [
    "SWEEP_CODE_VERSION",
    "Detector",
    "Evaluation",
    "SweepResult",
    "Trial",
    "evaluate",
    "expand",
    "experiment_address",
    "keep_models",
    "promoted_name",
    "promoted_spec",
    "replay_trades",
    "run_id",
    "select_row",
    "trial_id",
]
