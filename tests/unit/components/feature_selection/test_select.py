import functools

import numpy as np
import polars as pl
import pytest

from components.feature_selection.select import select
from nids.errors import InputError


def split(n=300, noise=4, seed=0):
    """Three classes; `a`, `b` and the code `k` tell them apart, `constant` and the noise columns say nothing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n).astype(np.int32)
    columns = {
        "noise0": rng.random(n),
        "a": np.clip(0.3 * y + rng.normal(0, 0.08, n), 0, 1),
        "constant": np.zeros(n),
        "b": np.clip(0.3 * (y == 1) + rng.normal(0.3, 0.08, n), 0, 1),
        **{f"noise{i}": rng.random(n) for i in range(1, noise)},
    }
    X = pl.DataFrame(columns).cast(pl.Float32)
    code = np.where(rng.random(n) < 0.9, y, rng.integers(0, 3, n)) + 1
    return X.with_columns(k=pl.Series(code, dtype=pl.Int32)), y


# 8 iterations are the fewest in which a feature can be confirmed or rejected.
FAST = {"boruta_iterations": 9, "rfe_features": 3, "n_jobs": 1}


@functools.cache
def selected_by(method):
    """The outcome on the split above, with room for two features in elimination, computed once."""
    return select(*split(), method=method, **(FAST | {"rfe_features": 2}))


def test_boruta_confirms_what_tells_the_classes_apart_and_nothing_else():
    made = selected_by("boruta")
    assert made.selected == ["a", "b", "k"]
    verdicts = {entry["name"]: entry["boruta"] for entry in made.table}
    assert {name for name, verdict in verdicts.items() if verdict == "confirmed"} == {"a", "b", "k"}
    assert verdicts["constant"] == "rejected"


def test_elimination_ranks_what_it_keeps_first():
    made = selected_by("rfe")
    ranks = {entry["name"]: entry["rfe_rank"] for entry in made.table}
    assert len(made.selected) == 2
    assert set(made.selected) < {"a", "b", "k"}
    assert sorted(ranks.values()) == [1, 1, 2, 3, 4, 5, 6, 7]
    assert ranks["constant"] == 7


def test_union_and_intersection_combine_the_two():
    by = {method: set(selected_by(method).selected) for method in ("boruta", "rfe", "union", "intersection")}
    assert by["union"] == by["boruta"] | by["rfe"]
    assert by["intersection"] == by["boruta"] & by["rfe"]
    assert by["union"] != by["intersection"]


def test_none_keeps_every_feature_in_order():
    X, y = split()
    made = select(X, y, method="none")
    assert made.selected == X.columns
    assert {(entry["boruta"], entry["importance"], entry["rfe_rank"]) for entry in made.table} == {(None, None, None)}


def test_selected_features_and_table_are_in_the_order_of_the_columns():
    X, y = split()
    X = X.select(reversed(X.columns))
    made = select(X, y, **FAST)
    assert made.selected == ["k", "b", "a"]
    assert [entry["name"] for entry in made.table] == X.columns
    assert [entry["name"] for entry in made.table if entry["selected"]] == made.selected


def test_importance_is_larger_for_what_tells_more():
    importance = {entry["name"]: entry["importance"] for entry in selected_by("boruta").table}
    assert min(importance[name] for name in "abk") > 2 * max(importance[f"noise{i}"] for i in range(4))
    assert importance["constant"] == 0


def test_the_same_seed_selects_alike_on_any_number_of_cores():
    again = select(*split(), **(FAST | {"rfe_features": 2, "n_jobs": 2}))
    assert again == selected_by("union")


def test_another_seed_draws_another_sample():
    X, y = split()
    first, second = (select(X, y, method="boruta", max_rows=200, seed=seed, **FAST) for seed in (1, 2))
    assert first.table != second.table


def test_the_record_says_what_was_asked():
    X, y = split()
    made = select(X, y, method="union", max_rows=150, seed=3, **FAST)
    assert made.method == "union"
    assert made.about == {"rows": 150, "of_rows": 300, "seed": 3, "boruta_iterations": 9, "rfe_features": 3}
    alone = select(X, y, method="none")
    assert (alone.about["boruta_iterations"], alone.about["rfe_features"]) == (None, None)


def test_every_iteration_is_reported():
    X, y = split()
    said = []
    select(X, y, method="boruta", say=said.append, **FAST)
    assert said[0].startswith("Boruta iteration 1/9: 0 confirmed, 8 open, 0 rejected (")
    assert [line.split(":")[0] for line in said] == [f"Boruta iteration {i}/9" for i in range(1, len(said) + 1)]


def test_more_features_than_there_are_means_all():
    X, y = split()
    said = []
    made = select(X, y, method="rfe", rfe_features=99, say=said.append)
    assert made.selected == X.columns
    assert said == ["RFE: keeps all 8 features"]
    assert made.about["rfe_features"] == 8


def test_nothing_left_says_what_to_change():
    X, y = split()
    noise = X.select("noise0", "noise1", "noise2", "constant")
    with pytest.raises(InputError, match=r"'intersection' \(Boruta confirmed 0 of 4 in 9 .*Raise boruta_iter"):
        select(noise, y, method="intersection", **FAST)


@pytest.mark.parametrize("method", ["boruta", "union"])
def test_a_single_feature_can_be_judged(method):
    X, y = split()
    assert select(X.select("a"), y, method=method, **FAST).selected == ["a"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "both"}, "method to be one of union, intersection, boruta, rfe, none. Received: 'both'"),
        ({"max_rows": 99}, "max_rows of at least 100. Received: 99"),
        ({"boruta_iterations": 0}, "boruta_iterations of at least 1. Received: 0"),
        ({"rfe_features": 0}, "rfe_features of at least 1. Received: 0"),
    ],
)
def test_a_parameter_out_of_range_is_refused(wrong, says):
    X, y = split()
    with pytest.raises(InputError, match=says):
        select(X, y, **wrong)


def test_one_class_is_refused():
    X, y = split()
    with pytest.raises(InputError, match="at least two classes"):
        select(X, np.zeros_like(y))
