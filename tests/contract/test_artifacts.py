"""Every artifact comes back as it was saved, equal content makes equal bytes, and another kind of folder is refused."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from nids import artifacts
from nids.datasets.base import UNREADABLE_SCHEMA, RawFlows
from nids.errors import ArtifactError, InputError
from nids.files import tree_digest
from nids.transform import Transform


@pytest.fixture
def fitted(tiny, flows):
    return Transform.fit(flows(), tiny)


@pytest.fixture
def split(tiny, flows, fitted):
    frame = flows()
    about = {"role": "train", "method": "by hand", "seed": 7}
    return artifacts.Split(tiny, fitted.apply(frame), fitted.labels(frame), frame, about=about)


RECORDS = {
    "selection": (
        artifacts.save_selection,
        artifacts.load_selection,
        artifacts.Selection(["rate", "bytes"], "union", [{"name": "rate", "boruta": None}], {"seed": 7}),
    ),
    "tuning": (
        artifacts.save_tuning,
        artifacts.load_tuning,
        artifacts.Tuning("mlp", {"units": 32, "rate": 0.1}, "max val_macro_f1", [{"score": 0.5, "best": True}]),
    ),
    "decision": (
        artifacts.save_decision,
        artifacts.load_decision,
        artifacts.Decision(False, "m", "s", [{"metric": "mcc", "value": None, "passed": False}]),
    ),
    "pushed": (artifacts.save_pushed, artifacts.load_pushed, artifacts.Pushed("nids", 3, "store/nids/3", "m", True)),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_comes_back(tmp_path, kind):
    save, load, record = RECORDS[kind]
    save(tmp_path / kind, record)
    assert load(tmp_path / kind) == record


@pytest.mark.parametrize("kind", RECORDS)
def test_a_missing_record_is_refused(tmp_path, kind):
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        RECORDS[kind][1](tmp_path)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_with_another_field_is_refused(tmp_path, kind):
    save, load, record = RECORDS[kind]
    save(tmp_path / kind, record)
    (file,) = (tmp_path / kind).iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"colour": "red"}))
    with pytest.raises(ArtifactError, match=f"{type(record).__name__}.*colour"):
        load(tmp_path / kind)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("approved", "false"),
        ("approved", 1),
        ("approved", None),
        ("model_digest", None),
        ("split_digest", 7),
        ("rules", {"mcc": True}),
        ("rules", ["mcc"]),
        ("rules", [{"metric": "mcc"}]),
        ("rules", [{"metric": "mcc", "passed": "false"}]),
        ("rules", [{"metric": None, "passed": True}]),
    ],
)
def test_a_decision_of_other_types_is_refused(tmp_path, field, value):
    save, load, record = RECORDS["decision"]
    save(tmp_path / "decision", record)
    file = tmp_path / "decision" / "decision.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(ArtifactError, match=rf"{field}.* in {file}\. Received: "):
        load(tmp_path / "decision")


def test_flows_come_back(tmp_path, tiny, flows):
    unreadable = pl.DataFrame([["tiny.csv", 3, "rate", "not a number", "x,y"]], UNREADABLE_SCHEMA, orient="row")
    artifacts.save_flows(tmp_path / "flows", tiny, RawFlows(flows(), unreadable, {"files": ["tiny.csv"]}))
    back = artifacts.load_flows(tmp_path / "flows")
    assert back.schema is tiny
    assert back.raw.frame.equals(flows())
    assert back.raw.unreadable.equals(unreadable)
    assert back.raw.about == {"schema": "tiny", "files": ["tiny.csv"]}


def test_flows_name_their_schema_in_the_parquet_file(tmp_path, tiny, flows):
    artifacts.save_flows(tmp_path / "flows", tiny, RawFlows(flows()))
    assert pl.read_parquet_metadata(tmp_path / "flows" / "flows.parquet")["schema"] == "tiny"


@pytest.mark.parametrize("spoil", [lambda f: f.drop("rate"), lambda f: f.with_columns(pl.col("rate").cast(pl.Float64))])
def test_flows_with_other_columns_are_not_saved(tmp_path, tiny, flows, spoil):
    with pytest.raises(ArtifactError, match="Expected the columns"):
        artifacts.save_flows(tmp_path / "flows", tiny, RawFlows(spoil(flows())))
    assert list(tmp_path.iterdir()) == []


def test_a_split_comes_back(tmp_path, split, flows):
    artifacts.save_split(tmp_path / "split", split)
    back = artifacts.load_split(tmp_path / "split")
    assert back.schema is split.schema
    assert back.X.equals(split.X)
    assert back.X.schema == split.X.schema
    assert back.y.tolist() == split.y.tolist()
    assert back.y.dtype == np.int32
    assert back.flows is not None
    assert back.flows.equals(flows())
    assert back.class_weight is None
    assert back.about == {**split.about, "schema": "tiny"}
    assert back.counts == {"normal": 60, "dos": 30, "probe": 10}


def test_a_split_without_raw_flows_and_with_weights_comes_back(tmp_path, split):
    weighted = dataclasses.replace(split, flows=None, class_weight={0: 0.5, 2: 3.0})
    artifacts.save_split(tmp_path / "split", weighted)
    back = artifacts.load_split(tmp_path / "split")
    assert back.flows is None
    assert back.class_weight == {0: 0.5, 2: 3.0}


def test_a_class_without_flows_counts_zero(split):
    none = dataclasses.replace(split, y=np.zeros(100, dtype=np.int32))
    assert none.counts == {"normal": 100, "dos": 0, "probe": 0}


@pytest.mark.parametrize("part", ["y", "flows"])
def test_a_split_whose_parts_differ_in_length_is_not_saved(tmp_path, split, part):
    with pytest.raises(ArtifactError, match=r"Received: \[99, 100\]"):
        artifacts.save_split(tmp_path / "split", dataclasses.replace(split, **{part: getattr(split, part)[:99]}))
    assert list(tmp_path.iterdir()) == []


def test_equal_splits_make_equal_bytes(tmp_path, split):
    for name in ("a", "b"):
        artifacts.save_split(tmp_path / name, split)
    assert tree_digest(tmp_path / "a") == tree_digest(tmp_path / "b")


def test_a_split_digest_speaks_of_rows_and_labels_alone(tmp_path, split):
    y = split.y.copy()
    y[0] = 1
    variants = {
        "as it was": split,
        "another remark": dataclasses.replace(split, about={"role": "test"}, flows=None),
        "another label": dataclasses.replace(split, y=y),
        "another order": dataclasses.replace(split, X=split.X.reverse(), y=split.y[::-1]),
    }
    digests = {}
    for name, variant in variants.items():
        artifacts.save_split(tmp_path / name, variant)
        digests[name] = artifacts.split_digest(tmp_path / name)
    assert digests["as it was"] == digests["another remark"]
    assert len(set(digests.values())) == 3


def test_a_transform_comes_back_with_its_features_in_order(tmp_path, fitted):
    artifacts.save_transform(tmp_path / "transform", fitted)
    back = artifacts.load_transform(tmp_path / "transform")
    assert back == fitted
    assert back.feature_names == fitted.feature_names == ("bytes", "rate", "count", "service")


def test_a_validation_comes_back_with_the_rows_it_set_aside(tmp_path, flows):
    found = artifacts.Validation("tiny", 101, 1, [{"name": "nulls", "success": True}], {"normal": 60}, {"files": []})
    rejected = flows().head(1).with_columns(reason=pl.lit("rate above 1"))
    artifacts.save_validation(tmp_path / "validation", found, rejected)
    assert artifacts.load_validation(tmp_path / "validation") == found
    assert artifacts.load_rejected(tmp_path / "validation").equals(rejected)


def test_an_evaluation_comes_back_and_an_undefined_metric_is_null(tmp_path):
    evaluation = artifacts.Evaluation(
        "m", "s", "tiny", ["normal", "dos"], {"mcc": float("nan"), "accuracy": 0.5}, {}, {}, {}, [[1, 0], [1, 0]], {}
    )
    predictions = pl.DataFrame({"label": [0, 1], "normal": [0.9, 0.8], "dos": [0.1, 0.2]})
    artifacts.save_evaluation(tmp_path / "evaluation", evaluation, predictions)
    back = artifacts.load_evaluation(tmp_path / "evaluation")
    assert back.metrics == {"mcc": None, "accuracy": 0.5}
    assert dataclasses.replace(back, metrics={}) == dataclasses.replace(evaluation, metrics={})
    assert artifacts.load_predictions(tmp_path / "evaluation").equals(predictions)


@pytest.fixture
def model(tmp_path):
    files = artifacts.ModelFiles(tmp_path / "model")
    files.saved_model.mkdir(parents=True)
    (files.saved_model / "saved_model.pb").write_bytes(b"graph")
    files.keras.write_bytes(b"weights")
    return files


def test_a_model_info_comes_back(model):
    info = artifacts.ModelInfo("mlp", {"units": 32}, "tiny", ["normal", "dos"], ["rate"], 7, 100, [{"epoch": 1}])
    model.write_info(info)
    assert model.info() == info


def test_a_model_digest_covers_every_file(model):
    digests = {model.digest()}
    for file in (model.keras, model.saved_model / "saved_model.pb", model.transform):
        file.write_bytes(b"other")
        digests.add(model.digest())
    assert len(digests) == 4


def test_half_a_model_has_no_digest(model):
    model.keras.unlink()
    with pytest.raises(ArtifactError, match=r"Expected model\.keras and saved_model"):
        model.digest()


LOADERS = {
    "flows": artifacts.load_flows,
    "split": artifacts.load_split,
    "transform": artifacts.load_transform,
    "validation": artifacts.load_validation,
    "rejected": artifacts.load_rejected,
    "evaluation": artifacts.load_evaluation,
    "predictions": artifacts.load_predictions,
}


@pytest.mark.parametrize("kind", LOADERS)
def test_an_empty_folder_is_none_of_them(tmp_path, kind):
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        LOADERS[kind](tmp_path)


def test_a_split_is_not_taken_for_flows_nor_flows_for_a_split(tmp_path, tiny, split, flows):
    artifacts.save_split(tmp_path / "split", split)
    artifacts.save_flows(tmp_path / "flows", tiny, RawFlows(flows()))
    with pytest.raises(ArtifactError, match=r"unreadable\.parquet"):
        artifacts.load_flows(tmp_path / "split")
    with pytest.raises(ArtifactError, match=r"features\.parquet"):
        artifacts.load_split(tmp_path / "flows")


@pytest.mark.parametrize("about", ["{}", "[]"])
def test_a_split_that_names_no_schema_is_refused(tmp_path, split, about):
    artifacts.save_split(tmp_path / "split", split)
    (tmp_path / "split" / "about.json").write_text(about)
    with pytest.raises(ArtifactError, match="name of a schema"):
        artifacts.load_split(tmp_path / "split")


def test_a_split_of_an_unknown_schema_is_refused(tmp_path, split):
    artifacts.save_split(tmp_path / "split", split)
    (tmp_path / "split" / "about.json").write_text('{"schema": "kdd-2042"}')
    with pytest.raises(InputError, match="kdd-2042"):
        artifacts.load_split(tmp_path / "split")


def test_a_truncated_parquet_file_is_named(tmp_path, split):
    artifacts.save_split(tmp_path / "split", split)
    file = tmp_path / "split" / "features.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match=r"features\.parquet"):
        artifacts.load_split(tmp_path / "split")
