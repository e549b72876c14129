from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as sk

from nids import metrics
from nids.errors import InputError

CLASSES = ("normal", "dos", "probe")

# By hand: normal 3 of 4 right, dos 2 of 3, probe 0 of 1 (taken for normal).
Y = np.array([0, 0, 0, 0, 1, 1, 1, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 0])


def certain(predicted: np.ndarray, k: int = 3) -> np.ndarray:
    return np.eye(k)[predicted]


def random_answers(n: int = 400, k: int = 4, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.choice(k, n, p=[0.6, 0.25, 0.1, 0.05])
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[y]
    p = np.exp(logits)
    return y, p / p.sum(axis=1, keepdims=True)


def test_a_small_example_equals_the_sums_by_hand():
    found = metrics.score(Y, certain(PREDICTED), CLASSES)
    assert found.confusion.tolist() == [[3, 1, 0], [1, 2, 0], [1, 0, 0]]
    normal, dos, probe = (found.per_class[name] for name in CLASSES)
    assert normal["precision"] == 3 / 5
    assert normal["recall"] == 3 / 4
    assert normal["f1"] == pytest.approx(2 * 3 / (4 + 5))
    assert dos["f1"] == pytest.approx(2 / 3)
    assert (probe["precision"], probe["recall"], probe["f1"], probe["support"]) == (0, 0, 0, 1)
    m = found.metrics
    assert m["accuracy"] == 5 / 8
    assert m["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert m["macro_recall"] == pytest.approx((3 / 4 + 2 / 3) / 3)
    assert m["weighted_recall"] == pytest.approx(m["accuracy"])
    assert m["detection_rate"] == 2 / 4
    assert m["false_positive_rate"] == 1 / 4
    assert m["false_alarms"] == 1
    assert m["false_alarms_per_10k"] == 2500
    assert m["binary_accuracy"] == 5 / 8
    assert m["binary_precision"] == pytest.approx(2 / 3)


def test_all_numbers_equal_those_of_scikit_learn_where_every_class_is_there():
    y, p = random_answers()
    predicted = p.argmax(axis=1)
    m = metrics.score(y, p, ("normal", "a", "b", "c")).metrics
    expected = {"accuracy": sk.accuracy_score(y, predicted), "mcc": sk.matthews_corrcoef(y, predicted)}
    for average in ("macro", "weighted"):
        expected[f"{average}_precision"] = sk.precision_score(y, predicted, average=average)
        expected[f"{average}_recall"] = sk.recall_score(y, predicted, average=average)
        expected[f"{average}_f1"] = sk.f1_score(y, predicted, average=average)
    expected["roc_auc"] = sk.roc_auc_score(y, p, multi_class="ovr", average="macro")
    expected["pr_auc"] = sk.average_precision_score(np.eye(4)[y], p, average="macro")
    attack, flagged, scores = y > 0, predicted > 0, 1 - p[:, 0]
    expected["binary_f1"] = sk.f1_score(attack, flagged)
    expected["binary_mcc"] = sk.matthews_corrcoef(attack, flagged)
    expected["binary_roc_auc"] = sk.roc_auc_score(attack, scores)
    expected["binary_pr_auc"] = sk.average_precision_score(attack, scores)
    for name, value in expected.items():
        assert m[name] == pytest.approx(value, abs=1e-12), name


def test_every_metric_has_a_description_and_every_description_a_metric():
    y, p = random_answers()
    detection = metrics.attack_detection(["a"] * len(y), y, p, {"a"})
    found = metrics.score(y, p, ("normal", "a", "b", "c")).metrics | metrics.attack_metrics(detection)
    assert list(found) and set(found) == set(metrics.DESCRIPTIONS)


def test_macro_averages_run_over_the_classes_that_are_there():
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    found = metrics.score(y, certain(predicted), CLASSES)
    assert found.metrics["macro_recall"] == pytest.approx((0.5 + 1) / 2)
    assert found.metrics["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    lacking = found.per_class["probe"]
    assert (lacking["precision"], lacking["f1"], lacking["support"]) == (0, 0, 0)
    assert math.isnan(lacking["recall"]) and math.isnan(lacking["roc_auc"]) and math.isnan(lacking["pr_auc"])


def test_a_class_neither_there_nor_predicted_has_no_numbers():
    lacking = metrics.score(np.array([0, 1]), certain(np.array([0, 1])), CLASSES).per_class["probe"]
    assert all(math.isnan(lacking[name]) for name in ("precision", "recall", "f1"))


def test_without_attacks_the_detection_rate_is_nan_and_without_benign_flows_the_false_positive_rate():
    benign = metrics.score(np.zeros(3, int), certain(np.array([0, 0, 1])), CLASSES).metrics
    assert benign["false_positive_rate"] == pytest.approx(1 / 3)
    for name in ("detection_rate", "binary_roc_auc", "binary_pr_auc", "recall_at_fpr_0.01", "mcc", "roc_auc"):
        assert math.isnan(benign[name]), name
    attacks = metrics.score(np.ones(3, int), certain(np.array([0, 0, 1])), CLASSES).metrics
    assert attacks["detection_rate"] == pytest.approx(1 / 3)
    for name in ("false_positive_rate", "false_alarms_per_10k", "binary_roc_auc", "recall_at_fpr_0.01"):
        assert math.isnan(attacks[name]), name


def test_one_answer_for_all_has_correlation_zero():
    assert metrics.score(Y, certain(np.zeros(8, int)), CLASSES).metrics["mcc"] == 0


def test_the_correlation_and_macro_f1_of_many_matrices_equal_those_of_each():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 50, size=(5, 3, 3))
    for matrix, one_mcc, one_f1 in zip(stack, metrics.mcc(stack), metrics.macro_f1(stack), strict=True):
        y, predicted = (np.repeat(index.ravel(), matrix.ravel()) for index in np.indices((3, 3)))
        assert one_mcc == pytest.approx(sk.matthews_corrcoef(y, predicted))
        assert one_f1 == pytest.approx(sk.f1_score(y, predicted, average="macro"))


def test_the_benign_class_may_stand_anywhere():
    y, p = random_answers()
    names = ("normal", "a", "b", "c")
    first = metrics.score(y, p, names).metrics
    last = metrics.score(3 - y, p[:, ::-1], names[::-1], benign=3).metrics
    for name, value in first.items():
        assert last[name] == pytest.approx(value), name


def test_recall_at_a_false_positive_rate_takes_the_best_threshold_within_it():
    attack = np.array([False] * 10 + [True] * 4)
    scores = np.array([0.1] * 9 + [0.7] + [0.9, 0.8, 0.6, 0.05])
    assert metrics.recall_at_fpr(attack, scores, 0.0) == 0.5
    assert metrics.recall_at_fpr(attack, scores, 0.1) == 0.75
    assert metrics.recall_at_fpr(attack, scores, 1.0) == 1.0


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    p = np.array([[0.8, 0.2]] * 10)
    assert metrics.calibration_error(np.array([0] * 8 + [1] * 2), p) == pytest.approx(0)
    assert metrics.calibration_error(np.array([0] * 5 + [1] * 5), p) == pytest.approx(0.3)
    certain_and_wrong = np.array([[1.0, 0.0]])
    assert metrics.calibration_bins(np.array([1]), certain_and_wrong).tolist() == [[1.0, 0.0, 1.0]]


def test_the_attack_score_keeps_what_subtraction_would_round_away():
    p = np.array([[1.0, 1e-12, 1e-12]], np.float32)
    assert metrics.attack_score(p)[0] == pytest.approx(2e-12)


def test_attacks_are_counted_by_finest_name_and_by_whether_training_held_them():
    names = ["-", "-", "-", "-", "neptune", "neptune", "apache2", "nmap"]
    found = metrics.attack_detection(names, Y, certain(PREDICTED), {"neptune", "nmap"})
    assert found == {
        "apache2": {"support": 1, "detected": 0, "seen_in_training": False},
        "neptune": {"support": 2, "detected": 2, "seen_in_training": True},
        "nmap": {"support": 1, "detected": 0, "seen_in_training": True},
    }
    assert list(found) == sorted(found)
    assert metrics.attack_metrics(found) == {
        "seen_attack_detection_rate": pytest.approx(2 / 3),
        "novel_attack_detection_rate": 0,
    }


def test_an_attack_taken_for_another_attack_is_detected():
    found = metrics.attack_detection(["nmap"], np.array([2]), certain(np.array([1])), set())
    assert found["nmap"]["detected"] == 1


def test_without_novel_attacks_their_rate_is_nan():
    found = metrics.attack_metrics({"a": {"support": 2, "detected": 1, "seen_in_training": True}})
    assert found["seen_attack_detection_rate"] == 0.5
    assert math.isnan(found["novel_attack_detection_rate"])


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (np.zeros(0, int), np.zeros((0, 3)), "n > 0"),
        (np.zeros(2, int), np.ones((2, 2)) / 2, r"\(n, 3\)"),
        (np.zeros(2, int), certain(np.zeros(3, int)), r"\(2,\) and \(3, 3\)"),
        (np.array([0, 3]), certain(np.zeros(2, int)), "from 0 to 2"),
        (np.array([-1, 0]), certain(np.zeros(2, int)), "from 0 to 2"),
        (np.array([0.0, 1.0]), certain(np.zeros(2, int)), "class indices"),
        (np.array([0, 1]), np.array([[1.0, 0, 0], [np.nan, 0, 0]]), "1 of 2 rows that do not, first row 1"),
        (np.array([0]), np.array([[0.9, 0.0, 0.0]]), "sum to 1"),
        (np.array([0]), np.array([[1.5, -0.5, 0.0]]), "sum to 1"),
    ],
)
def test_what_is_not_an_answer_is_refused(y, p, message):
    with pytest.raises(InputError, match=message):
        metrics.score(y, p, CLASSES)
