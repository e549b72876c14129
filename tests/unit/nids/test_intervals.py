from __future__ import annotations

import math

import numpy as np
import pytest

from nids import intervals, metrics

CONFUSION = np.array([[900, 60, 40], [30, 160, 10], [5, 5, 20]])


def test_the_wilson_interval_equals_the_published_example():
    # Newcombe (1998), table I, method 3: 81 of 263 and 0 of 20.
    assert intervals.wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=1e-4)
    assert intervals.wilson(0, 20) == pytest.approx([0.0, 0.1611], abs=1e-4)
    assert intervals.wilson(20, 20)[1] == 1.0


def test_no_trials_no_interval():
    assert all(math.isnan(end) for end in intervals.wilson(0, 0))


def test_every_interval_holds_its_metric():
    y, predicted = (np.repeat(index.ravel(), CONFUSION.ravel()) for index in np.indices((3, 3)))
    values = metrics.score(y, np.eye(3)[predicted], ("normal", "dos", "probe")).metrics
    for name, (low, high) in intervals.intervals(CONFUSION, seed=7).items():
        assert 0 <= low < values[name] < high <= 1, name


def test_equal_seeds_give_equal_intervals_and_others_nearby_ones():
    first, again, other = (intervals.bootstrap(CONFUSION, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first["macro_f1"] == pytest.approx(other["macro_f1"], abs=0.01)


def test_drawing_from_the_matrix_is_drawing_flows_within_each_class():
    rng = np.random.default_rng(5)
    y, predicted = (np.repeat(index.ravel(), CONFUSION.ravel()) for index in np.indices((3, 3)))
    drawn = []
    for _ in range(1000):
        rows = np.concatenate([rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in range(3)])
        drawn.append(float(metrics.macro_f1(metrics.confusion_matrix(y[rows], predicted[rows], 3))))
    assert intervals.bootstrap(CONFUSION, seed=1)["macro_f1"] == pytest.approx(
        np.quantile(drawn, [0.025, 0.975]), abs=0.01
    )


def test_more_flows_narrow_the_interval():
    few, many = (intervals.bootstrap(CONFUSION * factor, seed=1)["mcc"] for factor in (1, 100))
    assert many[1] - many[0] < 0.2 * (few[1] - few[0])


def test_a_class_without_flows_leaves_the_others_their_interval():
    found = intervals.bootstrap(np.array([[90, 10, 0], [5, 15, 0], [0, 0, 0]]), seed=1)
    assert found["macro_f1"][0] < found["macro_f1"][1]


def test_folding_keeps_benign_first_wherever_it_stood():
    folded = intervals.binary_confusion(CONFUSION)
    assert folded.tolist() == [[900, 100], [35, 195]]
    assert intervals.binary_confusion(CONFUSION[::-1, ::-1], benign=2).tolist() == folded.tolist()
