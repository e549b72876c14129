"""95 % confidence intervals of metrics: how far a number could lie from the one measured, by the luck of the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nids.metrics import macro_f1, mcc, rates

_Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def wilson(hits: int, total: int) -> list[float]:
    """Wilson score interval [low, high] of a share (Wilson, 1927); NaN for no trials.

    Unlike the textbook interval it stays inside [0, 1], and has width at 0 and 1.
    """
    if total == 0:
        return [math.nan, math.nan]
    share, z2 = hits / total, _Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return [max(0.0, middle - half), min(1.0, middle + half)]


def bootstrap(
    confusion: npt.NDArray[Any], *, seed: int, benign: int = 0, resamples: int = 2000
) -> dict[str, list[float]]:
    """Percentile bootstrap intervals [low, high] of `macro_f1`, `mcc` and `binary_f1`.

    These depend on the flows only through their confusion matrix, so that drawing flows with replacement within each
    true class is drawing each of its rows from a multinomial. Within the classes, so that no rare class ever
    vanishes from a resample. `confusion` has shape (k, k).
    """
    rng = np.random.default_rng(seed)
    draws = np.stack([_draw(rng, row, resamples) for row in np.asarray(confusion, np.int64)], axis=1)
    binary = binary_confusion(draws, benign)
    values = {"macro_f1": macro_f1(draws), "mcc": mcc(draws), "binary_f1": rates(binary)[2][:, 1]}
    return {name: [float(v) for v in np.quantile(drawn, [0.025, 0.975])] for name, drawn in values.items()}


def intervals(confusion: npt.NDArray[Any], *, seed: int, benign: int = 0) -> dict[str, list[float]]:
    """All intervals by metric name: Wilson for shares of flows, bootstrap for the rest."""
    counts = np.asarray(confusion, np.int64)
    (kept, alarms), (missed, detected) = binary_confusion(counts, benign).tolist()
    total = int(counts.sum())
    return {
        "accuracy": wilson(int(np.trace(counts)), total),
        "binary_accuracy": wilson(kept + detected, total),
        "detection_rate": wilson(detected, missed + detected),
        "false_positive_rate": wilson(alarms, kept + alarms),
        **bootstrap(counts, seed=seed, benign=benign),
    }


def binary_confusion(confusion: npt.NDArray[Any], benign: int = 0) -> npt.NDArray[np.int64]:
    """Counts of shape (..., k, k) folded to shape (..., 2, 2): benign first, then any attack."""
    attack = np.arange(confusion.shape[-1]) != benign
    fold = np.stack([~attack, attack]).astype(np.int64)
    folded: npt.NDArray[np.int64] = fold @ confusion @ fold.T
    return folded


def _draw(rng: np.random.Generator, row: npt.NDArray[np.int64], resamples: int) -> npt.NDArray[np.int64]:
    total = int(row.sum())
    if total == 0:
        return np.zeros((resamples, len(row)), np.int64)
    return rng.multinomial(total, row / total, size=resamples)
