from __future__ import annotations

import math

import pytest

from components.evaluation_gate.decide import Rule, decide, describe, threshold_rules
from nids.artifacts import Evaluation
from nids.errors import InputError

DIGEST = "a" * 64
BOUNDS = {
    "min_macro_f1": 0.5,
    "min_mcc": 0.5,
    "max_false_positive_rate": 0.05,
    "min_detection_rate": 0.5,
    "min_roc_auc": 0.0,
}
GOOD = {"macro_f1": 0.8, "mcc": 0.7, "false_positive_rate": 0.01, "detection_rate": 0.9, "roc_auc": 0.95}


def evaluation(digest: str = DIGEST, **metrics: float | None) -> Evaluation:
    return Evaluation(digest, "b" * 64, "tiny", ["benign", "dos"], {**GOOD, **metrics}, {}, {}, {}, [], {})


def verdict(**metrics: float | None):
    return decide(threshold_rules(**BOUNDS), evaluation(**metrics), DIGEST)


def test_a_model_that_keeps_every_bound_is_approved_for_exactly_its_digest():
    decision = verdict()
    assert decision.approved
    assert (decision.model_digest, decision.split_digest) == (DIGEST, "b" * 64)
    assert [rule["metric"] for rule in decision.rules] == list(GOOD)
    assert all(rule["passed"] for rule in decision.rules)
    assert decision.rules[0] == {
        "metric": "macro_f1",
        "comparison": ">=",
        "bound": 0.5,
        "value": 0.8,
        "passed": True,
        "reason": "macro_f1 is 0.8000; expected at least 0.5: as it should be.",
    }


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("macro_f1", 0.4999),
        ("mcc", -0.2),
        ("false_positive_rate", 0.0501),
        ("detection_rate", 0.1),
        ("roc_auc", math.nan),
    ],
)
def test_one_broken_bound_rejects_and_says_which(metric, value):
    decision = verdict(**{metric: value})
    assert not decision.approved
    assert [rule["metric"] for rule in decision.rules if not rule["passed"]] == [metric]


def test_a_value_equal_to_its_bound_passes():
    assert verdict(macro_f1=0.5, mcc=0.5, false_positive_rate=0.05, detection_rate=0.5, roc_auc=0.0).approved


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", list(GOOD))
def test_an_undefined_metric_rejects_on_either_side_of_a_bound(metric, value):
    decision = verdict(**{metric: value})
    (failed,) = [rule for rule in decision.rules if not rule["passed"]]
    assert not decision.approved
    assert failed["value"] is None
    assert f"{metric} is undefined" in failed["reason"]


def test_a_missing_metric_rejects():
    decision = decide([Rule("recall_at_fpr_0.01", ">=", 0.0)], evaluation(), DIGEST)
    assert not decision.approved
    assert "is missing from the evaluation" in decision.rules[0]["reason"]


def test_no_rules_reject():
    decision = decide([], evaluation(), DIGEST)
    assert not decision.approved
    assert "at least one rule" in decision.rules[0]["reason"]


def test_an_evaluation_of_another_model_rejects_however_good():
    decision = decide(threshold_rules(**BOUNDS), evaluation(digest="c" * 64), DIGEST)
    assert not decision.approved
    assert decision.model_digest == DIGEST
    assert decision.rules[-1]["metric"] == "model_digest"
    assert "c" * 64 in decision.rules[-1]["reason"]


def test_an_evaluation_without_a_digest_rejects():
    assert not decide(threshold_rules(**BOUNDS), evaluation(digest=""), DIGEST).approved


@pytest.mark.parametrize("parameter", list(BOUNDS))
@pytest.mark.parametrize("bound", [math.nan, math.inf, -1.5, 1.5])
def test_a_bound_without_a_meaning_names_its_parameter(parameter, bound):
    with pytest.raises(InputError, match=rf"Expected {parameter} to be a number from .* to 1\. Received: {bound}"):
        threshold_rules(**{**BOUNDS, parameter: bound})


def test_only_a_correlation_may_be_bounded_below_zero():
    assert Rule("mcc", ">=", -0.5).bound == -0.5
    with pytest.raises(InputError, match="from 0 to 1"):
        Rule("macro_f1", ">=", -0.5)


def test_another_comparison_is_refused():
    with pytest.raises(InputError, match=">= or <="):
        Rule("mcc", "==", 0.5)


def test_the_table_shows_every_rule_and_the_verdict():
    approved, rejected = describe(verdict()), describe(verdict(mcc=None))
    assert approved.endswith("APPROVED: every rule passed")
    assert approved.count("passed") == 6
    assert "FAILED: mcc is undefined" in rejected
    assert rejected.endswith("REJECTED: 1 rule(s) failed")
    assert "model_digest" in describe(decide(threshold_rules(**BOUNDS), evaluation(digest="c"), DIGEST))
