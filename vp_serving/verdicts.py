"""What a result row may be called, in one word and in one sentence or two. Only a p-value corrected for the number of
trials makes a row significant; everything else about it is said beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Verdict = Literal["significant", "not_significant", "too_few"]
SIGNIFICANT = 0.05
DEFLATED_NEEDS = 0.95


def verdict(row: Mapping[str, Any]) -> Verdict:
    """The word for a row of `runs`; undefined figures are None."""
    if row["p_holm"] is None:
        return "too_few"
    return "significant" if row["p_holm"] <= SIGNIFICANT else "not_significant"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def verdict_text(row: Mapping[str, Any], n_trials: int) -> str:
    """The verdict with the figures it rests on."""
    trials = f"{n_trials:,} trial{'' if n_trials == 1 else 's'}"
    word = verdict(row)
    if word == "too_few":
        return f"Not judged: {row['n_signals']:,} trades are too few, or the capture is too short."
    parts = []
    if word == "significant":
        parts.append(f"Survives correction: Holm p {row['p_holm']:.3f} after {trials}. Other days must repeat it.")
    else:
        parts.append(f"Not significant: p {row['p_value']:.3f} alone, Holm p {row['p_holm']:.2f} after {trials}.")
    if row["tp_rate"] is not None:
        parts.append(
            f"Take-profit in {_percent(row['tp_rate'])}, break-even after fees at {_percent(row['break_even_rate'])}."
        )
    if row["deflated_sharpe"] is not None:
        parts.append(f"Deflated Sharpe {row['deflated_sharpe']:.2f}, {DEFLATED_NEEDS} would be needed.")
    return " ".join(parts)
