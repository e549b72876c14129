import numpy as np
import pytest

from components.training.prior import STRENGTHS, Correction, apply, choose
from nids.metrics import confusion_matrix, macro_f1


def two_overlapping_classes(n: int, rare_share: float, seed: int):
    """One number per flow, normal around 0 (common) or 1.5 (rare); the exact posterior under equal shares."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < rare_share).astype(np.int32)
    x = rng.normal(1.5 * y, 1)
    odds = np.exp(1.5 * x - 1.5**2 / 2)
    return y, np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)


def macro(probabilities, y, shift) -> float:
    return macro_f1(confusion_matrix(y, (np.log(probabilities) + shift).argmax(axis=1), 2))


BALANCED = np.array([0, 1] * 500, dtype=np.int32)


def test_a_model_of_balanced_flows_raises_fewer_false_alarms_on_fresh_skewed_traffic() -> None:
    y_val, p_val = two_overlapping_classes(4000, 0.03, seed=1)
    found = choose(p_val, y_val, BALANCED)
    assert found.strength > 0
    y_new, p_new = two_overlapping_classes(20000, 0.03, seed=2)
    before, after = p_new[:, 1] > 0.5, (np.log(p_new) + found.shift).argmax(axis=1) == 1
    assert after[y_new == 0].mean() < before[y_new == 0].mean() / 3
    assert macro(p_new, y_new, found.shift) > macro(p_new, y_new, 0)


def test_the_choice_is_never_worse_on_validation_than_no_correction() -> None:
    for seed in range(5):
        y_val, p_val = two_overlapping_classes(300, 0.2, seed=seed)
        found = choose(p_val, y_val, BALANCED)
        assert found.val_macro_f1 >= macro(p_val, y_val, 0)
        assert found.strength in STRENGTHS


def test_nothing_is_shifted_where_training_had_the_shares_of_traffic() -> None:
    y_val, p_val = two_overlapping_classes(2000, 0.1, seed=3)
    assert np.abs(choose(p_val, y_val, y_val).shift).max() == 0


def test_loss_weights_count_as_shares() -> None:
    y_val, p_val = two_overlapping_classes(4000, 0.03, seed=4)
    weight = np.where(y_val == 1, (y_val == 0).sum() / (y_val == 1).sum(), 1).astype(np.float32)
    by_weight, by_number = choose(p_val, y_val, y_val, weight), choose(p_val, y_val, BALANCED)
    assert by_weight.strength == by_number.strength
    np.testing.assert_allclose(by_weight.shift, by_number.shift, rtol=0.02)


def test_a_class_that_validation_lacks_stays_possible() -> None:
    y_val = np.zeros(100, dtype=np.int32)
    found = choose(np.tile([0.4, 0.6], (100, 1)), y_val, BALANCED)
    assert np.isfinite(found.shift).all()


def test_the_shift_is_added_to_the_bias_alone() -> None:
    class Layer:
        def __init__(self):
            self.weights = [np.ones((3, 2), np.float32), np.array([0.5, -0.5], np.float32)]

        def get_weights(self):
            return self.weights

        def set_weights(self, weights):
            self.weights = weights

    layer = Layer()
    apply(layer, Correction(1.0, np.array([1, -1], np.float32), 0.5))
    assert layer.weights[0].tolist() == np.ones((3, 2)).tolist()
    assert layer.weights[1].tolist() == [1.5, -1.5]


@pytest.mark.parametrize("strength", STRENGTHS)
def test_shifted_logits_are_the_reweighted_posterior(strength: float) -> None:
    y_val, p_val = two_overlapping_classes(1000, 0.1, seed=5)
    shares = np.array([(y_val == 0).sum() + 1, (y_val == 1).sum() + 1]) / (len(y_val) + 2)
    shifted = np.log(p_val) + strength * np.log(shares / 0.5)
    reweighted = p_val * (shares / 0.5) ** strength
    assert (shifted.argmax(axis=1) == reweighted.argmax(axis=1)).all()
