"""How good are the answers of a classifier: arrays in, numbers out.

Notation: `y_true` int array of shape (n,), class indices; `probabilities` float array of shape (n, k), one column per
class, rows that sum to 1; the predicted class is the most probable one (the first of equals). The confusion matrix
has shape (k, k) and counts [true class][predicted class].

Rules for what is not defined:

- **Macro averages run over the classes that `y_true` holds.** So two models scored on the same rows are averaged over
  the same classes, whatever they predict. A flow wrongly given a class that `y_true` lacks still lowers the recall of
  its true class; the precision of the lacking class is reported per class (0), and stays out of the average.
- A class that `y_true` holds and nobody predicts has precision 0 and F1 0, as in scikit-learn.
- A number without any flow to count (no benign flow, no attack, ...) is NaN, never a made-up 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from nids.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DESCRIPTIONS: Mapping[str, str] = {
    "accuracy": "Share of flows given their true class.",
    "macro_precision": "Precision per class, each class counting the same.",
    "macro_recall": "Recall per class, each class counting the same (balanced accuracy).",
    "macro_f1": "F1 per class, each class counting the same, however rare.",
    "weighted_precision": "Precision per class, weighted by its flows.",
    "weighted_recall": "Recall per class, weighted by its flows (equals accuracy).",
    "weighted_f1": "F1 per class, weighted by its flows.",
    "mcc": "Matthews correlation over all classes: 1 perfect, 0 no better than chance.",
    "roc_auc": "Area under the ROC curve, one class against the rest, each class counting the same.",
    "pr_auc": "Average precision, one class against the rest, each class counting the same.",
    "binary_accuracy": "Share of flows rightly told to be benign or an attack.",
    "binary_precision": "Of the flows flagged, the share that are attacks.",
    "binary_f1": "F1 of the answer 'attack'.",
    "binary_mcc": "Matthews correlation of 'attack or not'.",
    "detection_rate": "Share of attack flows flagged as any attack.",
    "false_positive_rate": "Share of benign flows flagged as an attack.",
    "false_alarms": "Benign flows flagged as an attack, counted.",
    "false_alarms_per_10k": "False alarms per 10,000 benign flows.",
    "binary_roc_auc": "Area under the ROC curve of the attack score, 1 - P(benign).",
    "binary_pr_auc": "Average precision of the attack score.",
    "recall_at_fpr_0.01": "Share of attacks flagged at the threshold that flags at most 1 % of benign flows.",
    "recall_at_fpr_0.001": "Share of attacks flagged at the threshold that flags at most 0.1 % of benign flows.",
    "calibration_error": "Mean gap between stated confidence and accuracy (expected calibration error, 15 bins).",
    "seen_attack_detection_rate": "Share flagged, of flows of attacks that the training split held.",
    "novel_attack_detection_rate": "Share flagged, of flows of attacks that the training split did not hold.",
}
"""What each flat metric says, for people. The last two come from `attack_metrics`, the rest from `score`."""


@dataclass(frozen=True)
class Scores:
    """Attributes:
    metrics: flat numbers by name, as in `DESCRIPTIONS`; NaN where undefined.
    per_class: by class name: `precision`, `recall`, `f1`, `support`, `roc_auc`, `pr_auc`.
    confusion: int array of shape (k, k).
    """

    metrics: dict[str, float]
    per_class: dict[str, dict[str, float]]
    confusion: Ints


def score(y_true: npt.ArrayLike, probabilities: npt.ArrayLike, classes: Sequence[str], benign: int = 0) -> Scores:
    """All metrics of one set of answers.

    Args:
        y_true: int, shape (n,), class indices.
        probabilities: float, shape (n, k).
        classes: k class names.
        benign: index of the class that is no attack.

    Raises:
        InputError: there are no flows, or the shapes, labels or probabilities are not as described above.
    """
    y, p = _checked(y_true, probabilities, classes)
    predicted = p.argmax(axis=1)
    confusion = confusion_matrix(y, predicted, len(classes))
    precision, recall, f1 = rates(confusion)
    support = confusion.sum(axis=1)
    roc_auc = np.array([_roc_auc(y == c, p[:, c]) for c in range(len(classes))])
    pr_auc = np.array([_pr_auc(y == c, p[:, c]) for c in range(len(classes))])
    metrics = {
        **confusion_metrics(confusion),
        "roc_auc": _mean(roc_auc),
        "pr_auc": _mean(pr_auc[support > 0]),
        **_binary(y != benign, predicted != benign, attack_score(p, benign)),
        "calibration_error": calibration_error(y, p),
    }
    per_class = {
        name: {
            "precision": float(precision[c]),
            "recall": float(recall[c]),
            "f1": float(f1[c]),
            "support": int(support[c]),
            "roc_auc": float(roc_auc[c]),
            "pr_auc": float(pr_auc[c]),
        }
        for c, name in enumerate(classes)
    }
    return Scores(metrics, per_class, confusion)


def confusion_matrix(y_true: npt.NDArray[Any], y_pred: npt.NDArray[Any], n_classes: int) -> Ints:
    """int64 array of shape (n_classes, n_classes): flows by [true class][predicted class]."""
    cells = np.asarray(y_true, np.int64) * n_classes + np.asarray(y_pred, np.int64)
    counts: Ints = np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)
    return counts


def rates(confusion: npt.NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 per class, from counts of shape (..., k, k) to three arrays of shape (..., k).

    A class without true flows has recall NaN. Its precision and F1 are 0 where it was predicted, else NaN.
    """
    counts = np.asarray(confusion, np.float64)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    recall = _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    # Never predicted, yet there: 0/0 by the formula, and worth nothing.
    precision = np.where((predicted == 0) & (support > 0), 0.0, _ratio(hits, predicted))
    return precision, recall, f1


def confusion_metrics(confusion: npt.NDArray[Any]) -> dict[str, float]:
    """Accuracy, macro and weighted precision, recall, F1, and MCC of counts of shape (k, k)."""
    counts = np.asarray(confusion, np.float64)
    support = counts.sum(axis=1)
    present = support > 0
    found: dict[str, float] = {"accuracy": float(np.trace(counts) / counts.sum())}
    for name, values in zip(("precision", "recall", "f1"), rates(counts), strict=True):
        found[f"macro_{name}"] = float(values[present].mean())
        found[f"weighted_{name}"] = float(np.average(values[present], weights=support[present]))
    return found | {"mcc": float(mcc(counts))}


def macro_f1(confusion: npt.NDArray[Any]) -> Floats:
    """Macro F1 of counts of shape (..., k, k): shape (...)."""
    f1, present = rates(confusion)[2], np.asarray(confusion).sum(axis=-1) > 0
    return _ratio(np.where(present, f1, 0.0).sum(axis=-1), present.sum(axis=-1))


def mcc(confusion: npt.NDArray[Any]) -> Floats:
    """Matthews correlation of counts of shape (..., k, k), after Gorodkin (2004): shape (...).

    0 where all flows got one answer (nothing was told apart); NaN where all flows are of one class.
    """
    counts = np.asarray(confusion, np.float64)
    total = counts.sum(axis=(-2, -1))
    support, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    covariance = np.trace(counts, axis1=-2, axis2=-1) * total - (support * predicted).sum(axis=-1)
    spread_true = total**2 - (support**2).sum(axis=-1)
    spread_predicted = total**2 - (predicted**2).sum(axis=-1)
    value = _ratio(covariance, np.sqrt(spread_true) * np.sqrt(spread_predicted))
    return np.where((spread_true > 0) & (spread_predicted == 0), 0.0, value)


def attack_score(probabilities: npt.NDArray[Any], benign: int = 0) -> Floats:
    """float64 array of shape (n,): 1 - P(benign), summed over the attacks so that small scores are not rounded away."""
    total: Floats = np.delete(np.asarray(probabilities, np.float64), benign, axis=1).sum(axis=1)
    return total


def calibration_bins(y_true: npt.NDArray[Any], probabilities: npt.NDArray[Any], bins: int = 15) -> Floats:
    """Stated confidence against accuracy: float64 array of shape (filled bins, 3) of confidence, accuracy, flows.

    Confidence is the probability of the predicted class; the bins have equal width over [0, 1].
    """
    p = np.asarray(probabilities, np.float64)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == np.asarray(y_true)
    place = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    flows = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (confidence, right.astype(np.float64))]
    filled = flows > 0
    return np.column_stack([*(total[filled] / flows[filled] for total in sums), flows[filled]])


def calibration_error(y_true: npt.NDArray[Any], probabilities: npt.NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error (Guo et al., 2017): |confidence - accuracy|, averaged over flows."""
    confidence, accuracy, flows = calibration_bins(y_true, probabilities, bins).T
    return float(np.average(np.abs(confidence - accuracy), weights=flows))


def recall_at_fpr(attack: npt.NDArray[np.bool_], scores: Floats, fpr: float) -> float:
    """Largest share of attacks flagged by a threshold on `scores` that flags at most the share `fpr` of benign flows.

    NaN without attacks or without benign flows.
    """
    if attack.all() or not attack.any():
        return float("nan")
    false_rate, true_rate, _ = roc_curve(attack, scores, drop_intermediate=False)
    return float(true_rate[false_rate <= fpr].max())


def attack_detection(
    names: Sequence[str],
    y_true: npt.NDArray[Any],
    probabilities: npt.NDArray[Any],
    seen: frozenset[str] | set[str],
    benign: int = 0,
) -> dict[str, dict[str, Any]]:
    """Detection by the finest attack name, sorted by name: `support`, `detected`, `seen_in_training`.

    Args:
        names: n attack names; those of benign flows are not read.
        seen: attack names that the training split held.
    """
    attack = np.asarray(y_true) != benign
    flagged = np.asarray(probabilities).argmax(axis=1) != benign
    table: dict[str, dict[str, Any]] = {}
    fine = np.asarray(names, object)
    for name in sorted(set(fine[attack].tolist())):
        rows = attack & (fine == name)
        table[name] = {
            "support": int(rows.sum()),
            "detected": int(flagged[rows].sum()),
            "seen_in_training": name in seen,
        }
    return table


def attack_metrics(detection: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Share of flows flagged, of attacks seen in training and of novel ones; NaN where there are none."""
    found = {}
    for key, seen in (("seen_attack_detection_rate", True), ("novel_attack_detection_rate", False)):
        rows = [row for row in detection.values() if row["seen_in_training"] is seen]
        support = sum(row["support"] for row in rows)
        found[key] = sum(row["detected"] for row in rows) / support if support else float("nan")
    return found


def _binary(attack: npt.NDArray[np.bool_], flagged: npt.NDArray[np.bool_], scores: Floats) -> dict[str, float]:
    counts = confusion_matrix(attack, flagged, 2)
    precision, recall, f1 = rates(counts)
    false_rate = float(_ratio(counts[0, 1], counts[0].sum()))
    return {
        "binary_accuracy": float(np.trace(counts) / counts.sum()),
        "binary_precision": float(precision[1]),
        "binary_f1": float(f1[1]),
        "binary_mcc": float(mcc(counts)),
        "detection_rate": float(recall[1]),
        "false_positive_rate": false_rate,
        "false_alarms": int(counts[0, 1]),
        "false_alarms_per_10k": 10_000 * false_rate,
        "binary_roc_auc": _roc_auc(attack, scores),
        "binary_pr_auc": _pr_auc(attack, scores),
        "recall_at_fpr_0.01": recall_at_fpr(attack, scores, 0.01),
        "recall_at_fpr_0.001": recall_at_fpr(attack, scores, 0.001),
    }


def _checked(y_true: npt.ArrayLike, probabilities: npt.ArrayLike, classes: Sequence[str]) -> tuple[Ints, Floats]:
    y, p = np.asarray(y_true), np.asarray(probabilities, np.float64)
    if y.ndim != 1 or not len(y) or p.shape != (len(y), len(classes)):
        raise InputError(
            f"Expected labels of shape (n,) and probabilities of shape (n, {len(classes)}), n > 0. "
            f"Received: {y.shape} and {p.shape}"
        )
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= len(classes):
        raise InputError(f"Expected class indices from 0 to {len(classes) - 1}. Received: {np.unique(y)[:10]}")
    bad = ~(np.isfinite(p).all(axis=1) & (p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"Expected finite probabilities that sum to 1 for every flow. "
            f"Received: {bad.sum()} of {len(p)} rows that do not, first row {row}: {p[row].tolist()}"
        )
    return y.astype(np.int64), p


def _ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Floats:
    """above / below, NaN where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    quotient: Floats = np.divide(above, below, out=np.full(below.shape, np.nan), where=below != 0)
    return quotient


def _mean(values: Floats) -> float:
    """Mean of the defined values; NaN where there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _roc_auc(positive: npt.NDArray[np.bool_], scores: Floats) -> float:
    return float("nan") if positive.all() or not positive.any() else float(roc_auc_score(positive, scores))


def _pr_auc(positive: npt.NDArray[np.bool_], scores: Floats) -> float:
    return float(average_precision_score(positive, scores)) if positive.any() else float("nan")
