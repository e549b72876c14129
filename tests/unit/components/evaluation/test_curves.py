from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from components.evaluation.curves import pr_points, roc_points

RNG = np.random.default_rng(4)
POSITIVE = RNG.random(5000) < 0.3
SCORES = RNG.normal(POSITIVE * 1.0)


def test_a_thinned_roc_curve_keeps_its_ends_and_its_area():
    curve = roc_points(POSITIVE, SCORES)
    assert len(curve) <= 200
    assert curve[0, :2].tolist() == [0, 0]
    assert curve[-1, :2].tolist() == [1, 1]
    assert np.isfinite(curve).all()
    assert curve[0, 2] > SCORES.max()
    assert (np.diff(curve[:, :2], axis=0) >= 0).all()
    assert (np.diff(curve[:, 2]) < 0).all()
    assert sk.auc(curve[:, 0], curve[:, 1]) == pytest.approx(sk.roc_auc_score(POSITIVE, SCORES), abs=2e-3)


def test_every_point_is_what_its_threshold_gives():
    for false_rate, true_rate, threshold in roc_points(POSITIVE, SCORES, 20):
        flagged = threshold <= SCORES
        assert flagged[~POSITIVE].mean() == pytest.approx(false_rate)
        assert flagged[POSITIVE].mean() == pytest.approx(true_rate)


def test_a_thinned_precision_recall_curve_keeps_its_ends_and_its_area():
    curve = pr_points(POSITIVE, SCORES)
    assert len(curve) <= 200
    assert curve[0, 0] == 1
    assert curve[-1].tolist() == [0, 1]
    area = -np.sum(np.diff(curve[:, 0]) * curve[:-1, 1])
    assert area == pytest.approx(sk.average_precision_score(POSITIVE, SCORES), abs=0.01)


def test_a_short_curve_stays_whole():
    curve = roc_points(np.array([True, False, True]), np.array([0.9, 0.5, 0.2]))
    assert curve[:, 0].tolist() == [0, 0, 1, 1]


def test_without_one_of_the_two_there_is_no_curve():
    assert roc_points(np.ones(3, bool), np.arange(3.0)).shape == (0, 3)
    assert roc_points(np.zeros(3, bool), np.arange(3.0)).shape == (0, 3)
    assert pr_points(np.zeros(3, bool), np.arange(3.0)).shape == (0, 2)
