import numpy as np
import polars as pl
import pytest

from components.smote.oversample import balance
from nids.errors import InputError

CLASSES = ("normal", "dos", "probe", "worm")


def split(counts, numbers=4, codes=2, seed=0):
    """A transformed training split: each class a cloud of its own, each category coded 1, 3, 5, ..."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    rng.shuffle(y)
    columns = {f"n{i}": np.clip(rng.normal(0.2 * y + 0.1, 0.05), 0, 1).astype(np.float32) for i in range(numbers)}
    columns |= {f"c{i}": (2 * rng.integers(0, 3, len(y)) + 1 + 2 * (y == 2)).astype(np.int32) for i in range(codes)}
    return pl.DataFrame(columns), y


def test_every_minority_class_is_raised_to_the_ratio():
    X, y = split([200, 150, 20, 6])
    made = balance(X, y, CLASSES, ratio=0.5)
    assert np.bincount(made.y).tolist() == [200, 150, 100, 100]
    assert made.X.height == len(made.y)
    assert made.y.dtype == np.int32
    assert made.class_weight is None


def test_originals_come_first_in_order():
    X, y = split([200, 150, 20, 6])
    made = balance(X, y, CLASSES)
    assert made.X.head(376).equals(X)
    assert made.y[:376].tolist() == y.tolist()
    assert made.X.schema == X.schema


@pytest.mark.parametrize(("numbers", "codes"), [(4, 2), (4, 0), (0, 3)], ids=["mixed", "numbers", "codes"])
def test_a_synthetic_flow_lies_within_its_class(numbers, codes):
    X, y = split([200, 150, 20, 6], numbers, codes)
    made = balance(X, y, CLASSES)
    assert np.bincount(made.y).tolist() == [200, 150, 100, 100]
    for c in range(4):
        before, after = X.filter(y == c), made.X.filter(made.y == c)
        for name, kind in X.schema.items():
            if kind == pl.Int32:
                assert set(after[name]) <= set(before[name])
            else:
                assert before[name].min() <= after[name].min() + 1e-6
                assert after[name].max() <= before[name].max() + 1e-6


@pytest.mark.parametrize(("numbers", "codes", "how"), [(4, 2, "SMOTENC"), (4, 0, "SMOTE"), (0, 3, "SMOTEN")])
def test_the_log_names_what_was_done_per_class(numbers, codes, how):
    X, y = split([200, 150, 20, 4], numbers, codes)
    assert balance(X, y, CLASSES).per_class == [
        {"class": "normal", "before": 200, "after": 200, "how": "kept"},
        {"class": "dos", "before": 150, "after": 150, "how": "kept"},
        {"class": "probe", "before": 20, "after": 100, "how": f"{how}, 5 neighbours"},
        {"class": "worm", "before": 4, "after": 100, "how": f"{how}, 3 neighbours (only 4 flows)"},
    ]


def test_two_flows_have_one_neighbour_and_one_flow_is_repeated():
    X, y = split([20, 20, 2, 1])
    made = balance(X, y, CLASSES)
    assert [entry["how"] for entry in made.per_class[2:]] == [
        "SMOTENC, 1 neighbour (only 2 flows)",
        "its only flow repeated",
    ]
    assert made.X.filter(made.y == 3).n_unique() == 1
    assert (made.y == 3).sum() == 10


def test_a_class_whose_numbers_do_not_vary_keeps_its_categories():
    X, y = split([40, 10, 0, 0])
    X = X.with_columns(
        pl.when(pl.Series(y == 1)).then(0.5).otherwise(pl.col(f"n{i}")).cast(pl.Float32).alias(f"n{i}")
        for i in range(4)
    )
    made = balance(X, y, CLASSES, ratio=1)
    for name in ("c0", "c1"):
        assert set(made.X[name].filter(made.y == 1)) <= set(X[name].filter(y == 1))


def test_an_absent_class_stays_absent():
    X, y = split([40, 0, 10, 0])
    made = balance(X, y, CLASSES)
    assert [(entry["after"], entry["how"]) for entry in made.per_class] == [
        (40, "kept"),
        (0, "absent"),
        (20, "SMOTENC, 5 neighbours"),
        (0, "absent"),
    ]


def test_a_single_class_is_kept_as_it_is():
    X, y = split([40, 0, 0, 0])
    assert balance(X, y, CLASSES).X.equals(X)


def test_no_warning_reaches_the_user(recwarn):
    X, y = split([200, 150, 20, 6])
    balance(X, y, CLASSES)
    assert [str(w.message) for w in recwarn] == []


def test_the_same_seed_makes_the_same_flows_and_another_seed_does_not():
    X, y = split([200, 150, 20, 6])
    assert balance(X, y, CLASSES, seed=1).X.equals(balance(X, y, CLASSES, seed=1).X)
    assert not balance(X, y, CLASSES, seed=1).X.equals(balance(X, y, CLASSES, seed=2).X)


def test_a_class_is_raised_alike_whatever_the_others_hold():
    X, y = split([200, 150, 20, 6])
    fewer = pl.Series(y != 1)
    alone = balance(X.filter(fewer), y[y != 1], CLASSES)
    both = balance(X, y, CLASSES)
    assert alone.X.filter(alone.y == 2).equals(both.X.filter(both.y == 2))


def test_none_changes_nothing():
    X, y = split([200, 150, 20, 6])
    made = balance(X, y, CLASSES, strategy="none")
    assert made.X.equals(X)
    assert made.y.tolist() == y.tolist()
    assert made.class_weight is None
    assert {entry["how"] for entry in made.per_class} == {"kept"}


def test_class_weights_balance_the_loss_and_leave_the_flows():
    X, y = split([60, 30, 10, 0])
    made = balance(X, y, CLASSES, strategy="class_weight")
    assert made.X.equals(X)
    assert made.class_weight == pytest.approx({0: 100 / 180, 1: 100 / 90, 2: 100 / 30})
    assert sum(made.class_weight[c] for c in y) == pytest.approx(100)
    assert [entry["how"] for entry in made.per_class] == ["weight 0.5556", "weight 1.111", "weight 3.333", "absent"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"strategy": "smoote"}, "strategy to be one of smote, none, class_weight. Received: 'smoote'"),
        ({"ratio": 0.0}, "ratio above 0 and at most 1. Received: 0.0"),
        ({"ratio": 1.5}, "Received: 1.5"),
        ({"ratio": float("nan")}, "Received: nan"),
        ({"k_neighbors": 0}, "k_neighbors of at least 1. Received: 0"),
    ],
)
def test_a_parameter_out_of_range_is_refused(wrong, says):
    X, y = split([10, 5])
    with pytest.raises(InputError, match=says):
        balance(X, y, CLASSES, **wrong)


def test_no_flows_are_refused():
    X, y = split([10, 5])
    with pytest.raises(InputError, match="Expected training flows"):
        balance(X.head(0), y[:0], CLASSES)
