from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from components.evaluation import baselines
from nids.artifacts import Split
from nids.errors import InputError
from nids.schema import Column, FlowSchema, Kind

SCHEMA = FlowSchema(
    name="toy",
    title="Toy flows",
    features=(Column("rate"), Column("service", Kind.CATEGORY)),
    classes=("normal", "dos", "probe", "u2r"),
)


def split(n=400, seed=0, classes=(0, 1, 2), services=3):
    """Class shows in the service's code, and not in its order; `rate` is noise."""
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n).astype(np.int32)
    code = np.array([2, 3, 1, 1])[y] if services == 3 else rng.integers(0, services, n)
    X = pl.DataFrame({"rate": rng.random(n, np.float32), "service": code.astype(np.int32)})
    return Split(SCHEMA, X, y)


def answers(names, train, test, seed=7):
    return {name: p for name, p, _ in baselines.answers(names, train, test.X, seed=seed)}


def test_all_learn_what_there_is_to_learn_and_answer_with_probabilities_of_every_class():
    train, test = split(), split(seed=1)
    found = answers(list(baselines.NAMES), train, test)
    assert list(found) == list(baselines.NAMES)
    for name, p in found.items():
        assert p.shape == (400, 4)
        assert np.allclose(p.sum(axis=1), 1)
        assert (p[:, 3] == 0).all()  # training held no u2r
        if name != "majority":
            assert (p.argmax(axis=1) == test.y).all(), name


def test_majority_gives_the_largest_class_to_all():
    train = Split(SCHEMA, split(10).X, np.array([1] * 7 + [0] * 3, np.int32))
    p = answers(["majority"], train, split())["majority"]
    assert (p == [0.3, 0.7, 0, 0]).all()


def test_equal_seeds_give_equal_bytes():
    train, test = split(services=9), split(seed=1)
    first, again = (answers(list(baselines.NAMES), train, test) for _ in range(2))
    for name in baselines.NAMES:
        assert first[name].tobytes() == again[name].tobytes(), name


def test_the_columns_may_come_in_another_order():
    train, test = split(), split(seed=1)
    turned = Split(SCHEMA, test.X.select("service", "rate"), test.y)
    for name, p in answers(["decision_tree"], train, turned).items():
        assert (p.argmax(axis=1) == test.y).all(), name


def test_a_column_of_very_many_categories_goes_in_as_a_number():
    train = split(services=600)
    assert answers(["gradient_boosting"], train, split(seed=1))["gradient_boosting"].shape == (400, 4)


def test_a_class_with_one_flow_does_not_stop_boosting():
    big = split(12000)
    y = big.y.copy()
    y[0] = 3
    found = answers(["gradient_boosting"], Split(SCHEMA, big.X, y), split(seed=1))["gradient_boosting"]
    assert np.isfinite(found).all()


def test_a_split_of_one_class_teaches_that_class():
    for p in answers(list(baselines.NAMES), split(classes=(2,)), split(50)).values():
        assert (p.argmax(axis=1) == 2).all()


def test_names_are_read_in_their_order():
    assert baselines.parse_names(" random_forest , majority") == ["random_forest", "majority"]
    assert baselines.parse_names("") == baselines.parse_names(" , ") == []


@pytest.mark.parametrize("text", ["svm", "majority,SVM", "majority,majority"])
def test_an_unknown_or_repeated_name_is_refused(text):
    with pytest.raises(InputError, match="Expected baselines among majority"):
        baselines.parse_names(text)
