"""Give a model that learned from balanced flows the base rates of real traffic back.

SMOTE and class weights teach the rare classes by making them common, and the model comes to expect them: it raises
false alarms. For a softmax the expectation is a constant in its logits, log(share in training / share in traffic),
which can be taken off again (Saerens, Latinne, Decaestecker 2002; Menon et al. 2021, post-hoc logit adjustment). How
much of it is best taken off depends on the score; the validation split, which nothing has balanced, decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nids.metrics import confusion_matrix, macro_f1

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the full correction that are tried; 0 leaves the model as it is."""


@dataclass(frozen=True)
class Correction:
    """A correction chosen on validation flows.

    Attributes:
        strength: one of `STRENGTHS`.
        shift: float32 of shape (n_classes,), what is added to the logits.
        val_macro_f1: of the corrected answers.
    """

    strength: float
    shift: npt.NDArray[np.float32]
    val_macro_f1: float


def choose(
    probabilities: npt.NDArray[Any],
    y_val: npt.NDArray[np.int32],
    y_train: npt.NDArray[np.int32],
    weight: npt.NDArray[np.float32] | None = None,
) -> Correction:
    """The correction with the best macro-F1 on validation flows; of equals the weaker one.

    Args:
        probabilities: the model's answers to the validation flows, shape (n_val, n_classes).
        y_val: their classes, shape (n_val,).
        y_train: classes of the flows the model was trained on, shape (n_train,).
        weight: their loss weights, shape (n_train,); None for equal ones.
    """
    classes = probabilities.shape[1]
    # One flow more of each class: a class that validation lacks is rare, not impossible.
    full = np.log(_shares(y_val, classes) / _shares(y_train, classes, weight))
    logits = np.log(np.clip(probabilities.astype(np.float64), 1e-12, 1))
    scored = [(_score(logits + strength * full, y_val, classes), strength) for strength in STRENGTHS]
    best, strength = max(scored, key=lambda each: (each[0], -each[1]))
    return Correction(strength, (strength * full).astype(np.float32), best)


def apply(layer: Any, correction: Correction) -> None:
    """Add the shift to the bias of `layer`, the Dense layer with the softmax."""
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + correction.shift])


def _shares(
    y: npt.NDArray[np.int32], classes: int, weight: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float64]:
    counts = np.bincount(y, weights=weight, minlength=classes).astype(np.float64) + 1
    shares: npt.NDArray[np.float64] = counts / counts.sum()
    return shares


def _score(logits: npt.NDArray[np.float64], y: npt.NDArray[np.int32], classes: int) -> float:
    return float(macro_f1(confusion_matrix(y, logits.argmax(axis=1), classes)))
