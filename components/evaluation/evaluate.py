"""Score answers on the test split. No model is loaded here: probabilities in, numbers out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids import intervals, metrics
from nids.artifacts import Split
from nids.errors import InputError

HEADLINES = (
    "accuracy",
    "macro_f1",
    "mcc",
    "roc_auc",
    "pr_auc",
    "binary_accuracy",
    "binary_f1",
    "detection_rate",
    "false_positive_rate",
    "recall_at_fpr_0.01",
    "novel_attack_detection_rate",
    "calibration_error",
)
"""The numbers that a person reads first, in that order."""


@dataclass(frozen=True)
class Findings:
    """What `evaluate` found, in the terms of `nids.artifacts.Evaluation`."""

    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    per_class: dict[str, dict[str, float]]
    per_attack: dict[str, dict[str, Any]]
    confusion: npt.NDArray[np.int64]


def evaluate(test: Split, seen: frozenset[str], probabilities: npt.NDArray[Any], *, seed: int) -> Findings:
    """Score one model's answers.

    Args:
        test: the untouched test split, with its raw flows.
        seen: attack names of the training split (`attacks_in`).
        probabilities: shape (n_flows, n_classes), in test order.
        seed: of the bootstrap.

    Raises:
        InputError: the answers are not probabilities of these flows and classes.
    """
    classes = test.schema.classes
    scores = metrics.score(test.y, probabilities, classes)
    per_attack = metrics.attack_detection(attack_names(test), test.y, probabilities, seen)
    shares = metrics.attack_metrics(per_attack)
    found = intervals.intervals(scores.confusion, seed=seed)
    for name, is_seen in (("seen_attack_detection_rate", True), ("novel_attack_detection_rate", False)):
        rows = [row for row in per_attack.values() if row["seen_in_training"] is is_seen]
        found[name] = intervals.wilson(sum(r["detected"] for r in rows), sum(r["support"] for r in rows))
    return Findings(
        metrics=scores.metrics | shares,
        intervals={name: ends for name, ends in found.items() if np.isfinite(ends).all()},
        per_class=scores.per_class,
        per_attack=per_attack,
        confusion=scores.confusion,
    )


def check_sides(test: Split, train: Split, model_schema: str, model_classes: Iterable[str]) -> None:
    """InputError unless test, train and model speak of the same flows and classes, and test has its raw flows."""
    schemas = {"test": test.schema.name, "train": train.schema.name, "model": model_schema}
    if len(set(schemas.values())) != 1:
        raise InputError(f"Expected the test split, the train split and the model of one data set. Received: {schemas}")
    if list(model_classes) != list(test.schema.classes):
        raise InputError(f"Expected a model of the classes {test.schema.classes}. Received: {list(model_classes)}")
    if test.flows is None or not len(test.y):
        raise InputError("Expected a test split with at least one flow and its raw records. Received: none")
    if not len(train.y):
        raise InputError("Expected a train split with at least one flow. Received: none")


def attack_names(split: Split) -> list[str]:
    """The finest attack name of every flow; the class name where the data set has no finer one."""
    names: list[str] = np.array(split.schema.classes, object)[split.y].tolist()
    if split.schema.attack is None or split.flows is None:
        return names
    fine = split.flows[split.schema.attack].cast(pl.String).to_list()
    return [name if name else coarse for name, coarse in zip(fine, names, strict=True)]


def attacks_in(split: Split) -> frozenset[str]:
    """The finest attack names that a split holds."""
    names = np.array(attack_names(split), object)
    return frozenset(names[split.y != 0].tolist())
