"""Curves with few enough points to draw and to store, and the same ends and bends."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve, roc_curve

Floats = npt.NDArray[np.float64]


def roc_points(positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any], points: int = 200) -> Floats:
    """ROC curve: float64 array of shape (<= points, 3) of false-positive rate, true-positive rate and threshold.

    From (0, 0) to (1, 1). The threshold of the first point, where nothing is flagged, is a finite number above every
    score. Empty without positives or without negatives.
    """
    if positive.all() or not positive.any():
        return np.empty((0, 3))
    false_rate, true_rate, threshold = roc_curve(positive, scores)
    threshold = np.where(np.isfinite(threshold), threshold, np.nextafter(scores.max(), np.inf))
    return _thinned(np.column_stack([false_rate, true_rate, threshold]), points)


def pr_points(positive: npt.NDArray[np.bool_], scores: npt.NDArray[Any], points: int = 200) -> Floats:
    """Precision against recall: float64 array of shape (<= points, 2) of recall and precision, by falling recall.

    Empty without positives.
    """
    if not positive.any():
        return np.empty((0, 2))
    precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
    return _thinned(np.column_stack([recall, precision]), points)


def _thinned(curve: Floats, points: int) -> Floats:
    """At most `points` rows of a curve, about equally far apart along it; always the first and the last."""
    if len(curve) <= points:
        return curve
    steps = np.abs(np.diff(curve[:, :2], axis=0)).sum(axis=1)
    way = np.concatenate([[0.0], np.cumsum(steps)])
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], points)).clip(0, len(curve) - 1))
    kept[0], kept[-1] = 0, len(curve) - 1
    thinned: Floats = curve[kept]
    return thinned
