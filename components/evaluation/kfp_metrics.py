"""The evaluation in the words of Kubeflow Pipelines' user interface. Knows its two artifacts by what they can do."""

from __future__ import annotations

import math
from typing import Any, Protocol

from components.evaluation.assess import Assessment
from components.evaluation.curves import roc_points
from components.evaluation.evaluate import HEADLINES
from nids.artifacts import Evaluation
from nids.metrics import attack_score


class _Metrics(Protocol):
    def log_metric(self, metric: str, value: float) -> None: ...


class _Classification(Protocol):
    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None: ...
    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None: ...


def log_metrics(artifact: _Metrics, evaluation: Evaluation) -> None:
    """Log the headline numbers that are defined; NaN has no form there."""
    for name in HEADLINES:
        value = evaluation.metrics.get(name)
        if value is not None and math.isfinite(value):
            artifact.log_metric(name, float(value))


def log_classification(artifact: _Classification, assessment: Assessment) -> None:
    """Log the confusion matrix, and the ROC curve of 'attack or not' where both are there."""
    artifact.log_confusion_matrix(assessment.evaluation.classes, assessment.evaluation.confusion)
    curve: Any = roc_points(assessment.y != 0, attack_score(assessment.probabilities))
    if len(curve):
        artifact.log_roc_curve(*(column.tolist() for column in curve.T))
