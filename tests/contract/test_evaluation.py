from __future__ import annotations

import json
import re
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from kfp import dsl

from components.evaluation.component import evaluation
from components.evaluation_gate.component import evaluation_gate
from nids import artifacts
from nids.datasets import get_schema
from nids.errors import ArtifactError, InputError

SCHEMA = get_schema("nsl-kdd")


@pytest.fixture(scope="module")
def given(trained, tmp_path_factory):
    """The artifacts that the room reads, as the rooms before it leave them."""
    folder = tmp_path_factory.mktemp("given")
    transform = artifacts.load_transform(trained.root)
    flows = artifacts.load_split(trained.test).flows.head(200)
    train = artifacts.Split(SCHEMA, transform.apply(flows), transform.labels(flows), flows, about={"role": "train"})
    artifacts.save_split(folder / "train", train)
    names = list(transform.feature_names)
    table = [
        {"name": name, "boruta": "confirmed", "importance": 0.1, "rfe_rank": 1, "selected": True} for name in names
    ]
    artifacts.save_selection(folder / "features", artifacts.Selection(names, "union", table))
    trial = {"hyperparameters": {"learning_rate": 0.001}, "score": 0.5, "epochs": 1, "best": True}
    tuning = artifacts.Tuning("dense", {"learning_rate": 0.001}, "val_macro_f1", [trial])
    artifacts.save_tuning(folder / "hyperparameters", tuning)
    expectation = {"name": "range", "column": "land", "level": "row", "success": False, "unexpected": 2, "examples": []}
    files = [{"file": "KDDTest+.txt", "sha256": "f" * 64, "rows": 300}]
    validation = artifacts.Validation(SCHEMA.name, 600, 2, [expectation], {"normal": 598}, {"files": files})
    artifacts.save_validation(folder / "validation", validation, pl.DataFrame())
    return SimpleNamespace(root=folder, model=trained.root, test=trained.test)


def run(given, out, **changed):
    """Run the room; its outputs lie in `out`."""
    outputs = {
        "evaluation": dsl.Artifact(uri=str(out / "evaluation")),
        "metrics": dsl.Metrics(uri=str(out / "metrics")),
        "classification": dsl.ClassificationMetrics(uri=str(out / "classification")),
        "report": dsl.HTML(uri=str(out / "report")),
    }
    inputs = {
        "test": dsl.Dataset(uri=str(given.test)),
        "train": dsl.Dataset(uri=str(given.root / "train")),
        "model": dsl.Model(uri=str(given.model)),
        "validation": dsl.Artifact(uri=str(given.root / "validation")),
        "features": dsl.Artifact(uri=str(given.root / "features")),
        "hyperparameters": dsl.Artifact(uri=str(given.root / "hyperparameters")),
    }
    evaluation.python_func(**{**inputs, "baselines": "majority,decision_tree", **changed}, **outputs)
    return SimpleNamespace(**outputs)


@pytest.fixture(scope="module")
def made(given, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    outputs = run(given, out)
    return SimpleNamespace(
        outputs=outputs,
        evaluation=artifacts.load_evaluation(outputs.evaluation.path),
        predictions=artifacts.load_predictions(outputs.evaluation.path),
        report=(out / "report").read_text(),
    )


def test_the_evaluation_speaks_of_exactly_this_model_and_split(made, given):
    assert made.evaluation.model_digest == artifacts.ModelFiles(given.model).digest()
    assert made.evaluation.split_digest == artifacts.split_digest(given.test)


def test_the_predictions_are_those_of_the_served_model_and_give_the_confusion(made, given):
    from nids.savedmodel import SavedModelScorer

    test = artifacts.load_split(given.test)
    columns = list(SCHEMA.classes)
    assert made.predictions.columns == ["label", *columns]
    stored = made.predictions.select(columns).to_numpy()
    served = SavedModelScorer(artifacts.ModelFiles(given.model).saved_model).probabilities(test.flows)
    assert np.allclose(stored, served, atol=1e-5)
    counted = np.zeros((5, 5), int)
    np.add.at(counted, (made.predictions["label"].to_numpy(), stored.argmax(axis=1)), 1)
    assert made.evaluation.confusion == counted.tolist()


def test_every_metric_a_gate_may_name_is_there(made):
    from nids.metrics import DESCRIPTIONS

    assert set(made.evaluation.metrics) == set(DESCRIPTIONS)
    assert set(made.evaluation.baselines) == {"majority", "decision_tree"}
    for scores in made.evaluation.baselines.values():
        assert set(scores) == set(DESCRIPTIONS)


def test_kubeflow_gets_finite_numbers_only(made):
    assert made.outputs.metrics.metadata["macro_f1"] == made.evaluation.metrics["macro_f1"]
    assert "novel_attack_detection_rate" not in made.outputs.metrics.metadata  # there is none in this split
    stored = made.outputs.classification.metadata
    assert [row["row"] for row in stored["confusionMatrix"]["rows"]] == made.evaluation.confusion
    points = stored["confidenceMetrics"]
    assert 2 <= len(points) <= 200
    assert json.dumps(points, allow_nan=False)


def test_latency_is_measured_through_the_served_graph(made):
    assert list(made.evaluation.latency) and all(ms > 0 for ms in made.evaluation.latency.values())
    assert set(made.evaluation.latency) == {"1", "64", "256", "1024"}


def test_the_report_stands_alone_and_tells_the_whole_story(made):
    assert made.report.startswith("<!doctype html>")
    assert not re.findall(r'(?:src|href)="(?!data:)', made.report)
    assert "<script" not in made.report
    for told in (
        "95 % interval",
        "Beside plain models",
        "decision tree",
        "False alarms:",
        "Boruta",
        "learning_rate",
        "2 set aside",
        made.evaluation.model_digest,
        "f" * 64,
    ):
        assert told in made.report, told
    assert "SIMULATED" not in made.report


def test_equal_seeds_give_equal_numbers_and_without_baselines_there_are_none(made, given, tmp_path):
    again = run(given, tmp_path, baselines="")
    found = artifacts.load_evaluation(again.evaluation.path)
    assert found.baselines == {}
    for part in ("metrics", "intervals", "per_class", "per_attack", "confusion"):
        assert getattr(found, part) == getattr(made.evaluation, part), part
    assert "No baseline was asked for" in (tmp_path / "report").read_text()


def test_the_gate_can_read_what_was_written(made, given, tmp_path):
    decision = dsl.Artifact(uri=str(tmp_path / "decision"))
    model = dsl.Model(uri=str(given.model))
    bounds = {"min_macro_f1": 0.0, "min_mcc": -1.0, "max_false_positive_rate": 1.0}
    bounds |= {"min_detection_rate": 0.0, "min_roc_auc": 0.0}
    verdict = evaluation_gate.python_func(evaluation=made.outputs.evaluation, model=model, decision=decision, **bounds)
    assert verdict is True
    assert (
        evaluation_gate.python_func(
            evaluation=made.outputs.evaluation, model=model, decision=decision, **bounds | {"min_macro_f1": 1.0}
        )
        is False
    )


def test_an_unknown_baseline_stops_the_run_and_leaves_nothing(given, tmp_path):
    with pytest.raises(InputError, match=r"Expected baselines among majority.*Received: 'svm'"):
        run(given, tmp_path, baselines="majority,svm")
    assert list(tmp_path.iterdir()) == []


def test_a_train_split_of_other_flows_is_refused(given, tiny, flows, tmp_path):
    from nids.transform import Transform

    records = flows()
    transform = Transform.fit(records, tiny)
    other = artifacts.Split(tiny, transform.apply(records), transform.labels(records), records)
    artifacts.save_split(tmp_path / "other", other)
    with pytest.raises(InputError, match="of one data set"):
        run(given, tmp_path / "out", train=dsl.Dataset(uri=str(tmp_path / "other")))


def test_a_test_split_without_raw_flows_is_refused(given, tmp_path):
    from dataclasses import replace

    artifacts.save_split(tmp_path / "bare", replace(artifacts.load_split(given.test), flows=None))
    with pytest.raises(InputError, match="raw records"):
        run(given, tmp_path / "out", test=dsl.Dataset(uri=str(tmp_path / "bare")))


def test_a_damaged_model_file_is_named(given, tmp_path):
    import shutil

    shutil.copytree(given.model, tmp_path / "model")
    artifacts.ModelFiles(tmp_path / "model").keras.write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match=r"Expected a Keras model at .*model\.keras"):
        run(given, tmp_path / "out", model=dsl.Model(uri=str(tmp_path / "model")))
