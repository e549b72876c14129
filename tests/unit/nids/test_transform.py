import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nids.errors import ArtifactError, InputError
from nids.schema import Column, FlowSchema, Kind
from nids.transform import UNKNOWN, InputLayout, NumberScale, Transform

SCHEMA = FlowSchema(
    name="tiny",
    title="Tiny flows",
    # Neither sorted by name nor by kind: both orders matter below.
    features=(
        Column("size", heavy_tailed=True),
        Column("service", Kind.CATEGORY),
        Column("rate"),
        Column("age", Kind.INTEGER),
    ),
    classes=("normal", "dos"),
)


def flows(**columns):
    given = {"size": [0.0, 9.0, 99.0], "service": ["http", "dns", "http"], "rate": [0.2, 0.4, 0.6], "age": [5, 5, 5]}
    given = {**given, "label": ["normal", "dos", "normal"], **columns}
    return pl.DataFrame(given, schema_overrides={"size": pl.Float32, "rate": pl.Float32, "service": pl.String})


@pytest.fixture
def transform():
    return Transform.fit(flows(), SCHEMA)


def test_numbers_are_scaled_between_the_fitted_ends(transform):
    X = transform.apply(flows())
    assert X["rate"].to_list() == pytest.approx([0, 0.5, 1])


def test_a_heavy_tailed_number_is_scaled_on_a_log_scale(transform):
    X = transform.apply(flows())
    assert X["size"].to_list() == pytest.approx([0, 0.5, 1])


def test_numbers_outside_the_fitted_range_are_clipped(transform):
    X = transform.apply(flows(size=[-5.0, 1e9, float("inf")], rate=[-1.0, 7.0, float("-inf")]))
    assert X["size"].to_list() == pytest.approx([0, 1, 1])
    assert X["rate"].to_list() == pytest.approx([0, 1, 0])


def test_a_number_constant_in_training_says_nothing(transform):
    assert transform.apply(flows(age=[5, 0, 10**15]))["age"].to_list() == [0, 0, 0]


def test_a_missing_number_stays_missing(transform):
    assert transform.apply(flows(rate=[float("nan"), None, 0.4]))["rate"].is_nan().to_list() == [True, True, False]


def test_categories_are_counted_from_one_in_sorted_order(transform):
    assert transform.vocabularies == {"service": ("dns", "http")}
    assert transform.apply(flows())["service"].to_list() == [2, 1, 2]


def test_a_category_unseen_in_training_falls_into_the_unknown_slot(transform):
    X = transform.apply(flows(service=["smtp", None, "HTTP"]))
    assert X["service"].to_list() == [UNKNOWN, UNKNOWN, UNKNOWN]


def test_a_category_that_was_always_missing_is_unknown():
    transform = Transform.fit(flows(service=[None, None, None]), SCHEMA)
    assert transform.vocabularies == {"service": ()}
    assert transform.apply(flows())["service"].to_list() == [UNKNOWN] * 3


def test_columns_come_out_as_float32_and_int32_numbers_first(transform):
    X = transform.apply(flows())
    assert dict(X.schema) == {"size": pl.Float32, "rate": pl.Float32, "age": pl.Float32, "service": pl.Int32}
    assert tuple(X.columns) == transform.feature_names


def test_no_flows_become_no_rows_in_the_same_columns(transform):
    assert transform.apply(flows().head(0)).schema == transform.apply(flows()).schema


def test_a_missing_feature_is_named(transform):
    with pytest.raises(InputError, match=r"Missing: \['rate'\]"):
        transform.apply(flows().drop("rate"))


def test_labels_become_class_indices(transform):
    y = transform.labels(flows())
    assert y.tolist() == [0, 1, 0]
    assert y.dtype == np.int32


@pytest.mark.parametrize("label", ["worm", None])
def test_an_unknown_label_is_named(transform, label):
    with pytest.raises(InputError, match=f"Received: .*{label}"):
        transform.labels(flows(label=["normal", label, "dos"]))


def test_there_must_be_flows_to_fit_on():
    with pytest.raises(InputError, match="at least one training flow"):
        Transform.fit(flows().head(0), SCHEMA)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
def test_a_number_to_fit_on_must_be_finite(value):
    with pytest.raises(InputError, match="finite numbers in column 'rate'"):
        Transform.fit(flows(rate=[0.1, value, 0.3]), SCHEMA)


def test_a_heavy_tailed_number_to_fit_on_must_not_be_negative():
    with pytest.raises(InputError, match=r"numbers >= 0 in column 'size'.*Received: -2"):
        Transform.fit(flows(size=[0.0, -2.0, 3.0]), SCHEMA)


def test_the_order_of_features_survives_json_with_sorted_keys(transform):
    again = Transform.from_json(json.loads(json.dumps(transform.to_json(), sort_keys=True)))
    assert again == transform
    assert again.feature_names == transform.feature_names == ("size", "rate", "age", "service")
    assert again.apply(flows()).equals(transform.apply(flows()))


@pytest.mark.parametrize("key", ["schema", "classes", "numbers", "vocabularies"])
def test_a_transform_without_a_part_is_refused(transform, key):
    data = transform.to_json()
    del data[key]
    with pytest.raises(ArtifactError, match=key):
        Transform.from_json(data)


@pytest.mark.parametrize("data", [[], None, {"schema": "x", "classes": [], "numbers": [1], "vocabularies": []}])
def test_other_json_is_refused(data):
    with pytest.raises(ArtifactError, match="Expected a transform"):
        Transform.from_json(data)


def test_a_range_that_json_could_not_hold_is_refused(transform):
    data = transform.to_json()
    data["numbers"][0]["maximum"] = None
    with pytest.raises(ArtifactError):
        Transform.from_json(data)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
numbers = st.lists(finite, min_size=1, max_size=20)


@given(fitted=numbers, values=numbers)
def test_a_scaled_number_never_leaves_zero_to_one(fitted, values):
    out = NumberScale.fit(np.array(fitted), log1p=False).apply(np.array(values))
    assert out.dtype == np.float32
    assert ((out >= 0) & (out <= 1)).all()


@given(fitted=st.lists(finite.map(abs), min_size=1, max_size=20), values=numbers)
def test_scaling_keeps_the_order(fitted, values):
    out = NumberScale.fit(np.array(fitted), log1p=True).apply(np.sort(np.array(values, dtype=np.float32)))
    assert ((out >= 0) & (out <= 1)).all()
    assert (np.diff(out) >= 0).all()


@pytest.mark.parametrize("ends", [(0.0, 1e-45), (-3e38, 3e38), (7.0, 7.0)])
def test_a_span_that_float32_cannot_divide_by_counts_as_constant(ends):
    scale = NumberScale.fit(np.array(ends), log1p=False)
    assert scale.minimum == scale.maximum
    assert scale.apply(np.array([ends[0], ends[1], 0.0])).tolist() == [0, 0, 0]


def test_a_layout_puts_each_feature_into_its_input(transform):
    layout = InputLayout.of(["service", "age", "size"], transform)
    assert layout == InputLayout(numbers=("age", "size"), codes=("service",), slots=(3,))
    assert layout.width == 5
    arrays = layout.arrays(transform.apply(flows()))
    assert arrays["numbers"].shape == (3, 2)
    assert arrays["numbers"].dtype == np.float32
    assert arrays["numbers"][:, 1].tolist() == pytest.approx([0, 0.5, 1])
    assert arrays["codes"].tolist() == [[2], [1], [2]]
    assert arrays["codes"].dtype == np.int32
    assert all(a.flags.c_contiguous for a in arrays.values())


@pytest.mark.parametrize(("selected", "inputs"), [(["rate"], {"numbers"}), (["service"], {"codes"})])
def test_an_input_without_features_is_left_out(transform, selected, inputs):
    assert InputLayout.of(selected, transform).arrays(transform.apply(flows())).keys() == inputs


@pytest.mark.parametrize(("selected", "named"), [(["rate", "colour"], "colour"), ([], "Received: ")])
def test_a_layout_needs_known_features(transform, selected, named):
    with pytest.raises(InputError, match=named):
        InputLayout.of(selected, transform)
