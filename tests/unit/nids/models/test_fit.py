import math

import numpy as np
import polars as pl
import pytest

from nids.artifacts import Split
from nids.errors import InputError
from nids.models import get_architecture
from nids.models.fit import Rows, best_epoch, epoch_order, fit_epoch, new_model, rank, sample_weights, validate
from nids.schema import Column, FlowSchema, Kind
from nids.transform import InputLayout

SCHEMA = FlowSchema("small", "Small", (Column("rate"), Column("service", Kind.CATEGORY)), ("normal", "dos"))
LAYOUT = InputLayout(("rate",), ("service",), (3,))


def split_of(rates=(0.0, 0.5, 1.0), class_weight=None):
    n = len(rates)
    X = pl.DataFrame(
        {"rate": rates, "service": [i % 3 for i in range(n)]}, schema={"rate": pl.Float32, "service": pl.Int32}
    )
    return Split(SCHEMA, X, np.arange(n, dtype=np.int32) % 2, class_weight=class_weight)


def learnable(n=96):
    y = np.arange(n, dtype=np.int32) % 2
    numbers = (y + np.random.default_rng(0).normal(0, 0.1, n)).astype(np.float32)[:, None]
    return Rows({"numbers": numbers, "codes": np.ones((n, 1), np.int32)}, y)


def small_model(seed=7, **hyperparameters):
    return new_model(get_architecture("attention_cnn_lstm"), LAYOUT, 2, {"lstm_units": 3, **hyperparameters}, seed)


def test_rows_are_the_inputs_of_the_layout_with_the_weights_of_their_classes():
    rows = Rows.of(split_of(class_weight={1: 4.0}), LAYOUT, "train")
    assert rows.inputs["numbers"].tolist() == [[0.0], [0.5], [1.0]]
    assert rows.inputs["codes"].tolist() == [[0], [1], [2]]
    assert rows.weight.tolist() == [1.0, 4.0, 1.0]
    assert len(rows) == 3


def test_taken_rows_keep_inputs_labels_and_weights_together():
    taken = Rows.of(split_of(class_weight={1: 4.0}), LAYOUT, "train").take(np.array([1, 0]))
    assert taken.inputs["numbers"].tolist() == [[0.5], [0.0]]
    assert (taken.y.tolist(), taken.weight.tolist()) == ([1, 0], [4.0, 1.0])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (split_of(()), "at least one flow in split 'val'"),
        (split_of((0.0, math.nan)), "column 'rate' of split 'val'"),
        (split_of((0.0, math.inf)), "column 'rate' of split 'val'"),
    ],
)
def test_rows_that_cannot_be_fitted_are_refused_by_name(split, message):
    with pytest.raises(InputError, match=message):
        Rows.of(split, LAYOUT, "val")


def test_a_split_without_a_selected_feature_is_refused():
    with pytest.raises(InputError, match=r"split 'val'\. Lacking: \['flags'\]"):
        Rows.of(split_of(), InputLayout(("rate", "flags"), (), ()), "val")


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_class_weights_mean_no_row_weights(nothing):
    assert sample_weights(np.array([0, 1], np.int32), nothing) is None


def test_the_order_of_an_epoch_is_a_function_of_seed_and_epoch_alone():
    first = epoch_order(50, 7, 1)
    assert sorted(first) == list(range(50))
    np.random.default_rng().random()
    assert (epoch_order(50, 7, 1) == first).all()
    assert (epoch_order(50, 7, 2) != first).any()
    assert (epoch_order(50, 8, 1) != first).any()


def test_fitting_lowers_the_loss_and_validation_sees_it():
    model, rows = small_model(learning_rate=0.01), learnable()
    before = validate(model, rows, 2)
    losses = [fit_epoch(model, rows, batch_size=16, seed=7, epoch=epoch) for epoch in range(1, 6)]
    after = validate(model, rows, 2)
    assert losses[-1] < losses[0]
    assert after["val_loss"] < before["val_loss"]
    assert after["val_macro_f1"] > 0.9


def test_the_same_seed_fits_the_same_weights_bit_for_bit():
    fitted = []
    for _ in range(2):
        model = small_model(dropout=0.5)
        fit_epoch(model, learnable(), batch_size=16, seed=7, epoch=1)
        fitted.append(model.get_weights())
    assert all((a == b).all() for a, b in zip(*fitted, strict=True))


def test_weights_of_zero_leave_their_rows_out_of_the_fit():
    rows = learnable()
    ignored = Rows(rows.inputs, rows.y, np.zeros(len(rows), np.float32))
    assert fit_epoch(small_model(), ignored, batch_size=16, seed=7, epoch=1) == 0.0


def test_the_first_epoch_traces_the_graph_and_the_next_ones_do_not(monkeypatch):
    model, rows = small_model(), learnable(40)  # 16 + 16 + 8: the last batch is short
    calls, call = [], model.call
    monkeypatch.setattr(model, "call", lambda *args, **kwargs: calls.append(1) or call(*args, **kwargs))
    traced = []
    for epoch in (1, 2, 3):
        fit_epoch(model, rows, batch_size=16, seed=7, epoch=epoch)
        validate(model, rows, 2)
        traced.append(len(calls))
    assert 0 < traced[0] <= 4
    assert traced[0] == traced[1] == traced[2]


class Answers:
    """Stands in for a model whose answers are known."""

    def __init__(self, probabilities):
        self.probabilities = np.array(probabilities, np.float32)

    def predict(self, *_, **__):
        return self.probabilities


def test_validation_is_cross_entropy_and_macro_f1():
    rows = Rows({}, np.array([0, 0, 1], np.int32))
    scores = validate(Answers([[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]), rows, 2)
    assert scores["val_loss"] == pytest.approx((math.log(2) + math.log(4) + 0) / 3)
    # The first of equals wins: class 0 once right of two, class 1 right of two answers.
    assert scores["val_macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_sure_and_wrong_answer_costs_much_but_not_infinitely_much():
    scores = validate(Answers([[0.0, 1.0]]), Rows({}, np.array([0], np.int32)), 2)
    assert scores["val_loss"] == pytest.approx(-math.log(1e-7))


def test_epochs_are_ranked_by_macro_f1_then_loss_then_first():
    history = [
        {"epoch": 1, "val_macro_f1": 0.7, "val_loss": 0.1},
        {"epoch": 2, "val_macro_f1": 0.8, "val_loss": 0.5},
        {"epoch": 3, "val_macro_f1": 0.8, "val_loss": 0.4},
        {"epoch": 4, "val_macro_f1": 0.8, "val_loss": 0.4},
    ]
    assert rank(history[0]) < rank(history[1]) < rank(history[2]) == rank(history[3])
    assert best_epoch(history) == 3
