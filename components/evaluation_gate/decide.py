"""Approve a model or not. Fails closed: what is missing, undefined or of another model rejects."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nids.artifacts import Decision, Evaluation
from nids.errors import InputError

_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    ">=": (operator.ge, "at least"),
    "<=": (operator.le, "at most"),
}


@dataclass(frozen=True)
class Rule:
    """One bound on one metric of `Evaluation.metrics`: `metric comparison bound`, as in macro_f1 >= 0.5.

    Raises:
        InputError: another comparison, or a bound that no value of the metric could be held against (NaN, infinite, or
            outside [-1, 1] for a correlation and [0, 1] for a share); names `parameter`.
    """

    metric: str
    comparison: str
    bound: float
    parameter: str = ""

    def __post_init__(self) -> None:
        name = self.parameter or f"the bound of {self.metric}"
        if self.comparison not in _COMPARISONS:
            raise InputError(f"Expected >= or <= as comparison in {name}. Received: {self.comparison!r}")
        low = -1.0 if self.metric.endswith("mcc") else 0.0
        if not low <= self.bound <= 1.0:  # false for NaN, too
            raise InputError(f"Expected {name} to be a number from {low:g} to 1. Received: {self.bound}")

    def judge(self, metrics: Mapping[str, float | None]) -> dict[str, Any]:
        """The verdict, as one entry of `Decision.rules`."""
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            passed, found = False, "is undefined" if self.metric in metrics else "is missing from the evaluation"
        else:
            holds, _ = _COMPARISONS[self.comparison]
            passed, found = holds(value, self.bound), f"is {value:.4f}"
        verdict = "as it should be" if passed else "so the model is rejected"
        wanted = f"{_COMPARISONS[self.comparison][1]} {self.bound:g}"
        return {
            "metric": self.metric,
            "comparison": self.comparison,
            "bound": self.bound,
            "value": value if value is not None and math.isfinite(value) else None,
            "passed": passed,
            "reason": f"{self.metric} {found}; expected {wanted}: {verdict}.",
        }


def threshold_rules(
    *,
    min_macro_f1: float,
    min_mcc: float,
    max_false_positive_rate: float,
    min_detection_rate: float,
    min_roc_auc: float,
) -> list[Rule]:
    """The gate's parameters as rules. InputError names a parameter that makes no sense as a bound."""
    return [
        Rule("macro_f1", ">=", min_macro_f1, "min_macro_f1"),
        Rule("mcc", ">=", min_mcc, "min_mcc"),
        Rule("false_positive_rate", "<=", max_false_positive_rate, "max_false_positive_rate"),
        Rule("detection_rate", ">=", min_detection_rate, "min_detection_rate"),
        Rule("roc_auc", ">=", min_roc_auc, "min_roc_auc"),
    ]


def decide(rules: Sequence[Rule], evaluation: Evaluation, model_digest: str) -> Decision:
    """Hold an evaluation against the rules.

    Approved only if the evaluation is of exactly the model with `model_digest`, there is at least one rule, and every
    rule passed. Else some entry of `Decision.rules` failed and says why.
    """
    verdicts = [rule.judge(evaluation.metrics) for rule in rules]
    if not rules:
        reason = "Expected at least one rule; received none: so the model is rejected."
        verdicts.append(_refused("rules", ">=", 1, 0, reason))
    if evaluation.model_digest != model_digest:
        reason = f"The evaluation is of the model {evaluation.model_digest or '(none)'}: so this one is rejected."
        verdicts.append(_refused("model_digest", "==", model_digest, None, reason))
    return Decision(
        approved=all(verdict["passed"] for verdict in verdicts),
        model_digest=model_digest,
        split_digest=evaluation.split_digest,
        rules=verdicts,
    )


def describe(decision: Decision) -> str:
    """The rules as a plain text table, and the verdict below."""
    lines = [f"{'rule':<34} {'value':>9}  verdict"]
    for rule in decision.rules:
        value = rule["value"]
        name = f"{rule['metric']} {rule['comparison']} {str(rule['bound'])[:12]}"
        shown = "-" if value is None else f"{value:.4f}"
        lines.append(f"{name:<34} {shown:>9}  {'passed' if rule['passed'] else 'FAILED: ' + rule['reason']}")
    failed = sum(not rule["passed"] for rule in decision.rules)
    lines.append("APPROVED: every rule passed" if decision.approved else f"REJECTED: {failed} rule(s) failed")
    return "\n".join(lines)


def _refused(about: str, comparison: str, bound: int | str, value: int | None, reason: str) -> dict[str, Any]:
    return {
        "metric": about,
        "comparison": comparison,
        "bound": bound,
        "value": value,
        "passed": False,
        "reason": reason,
    }
