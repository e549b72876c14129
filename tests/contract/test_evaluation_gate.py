from __future__ import annotations

import pytest
from kfp import dsl

from components.evaluation_gate.component import evaluation_gate
from nids import artifacts
from nids.errors import ArtifactError, InputError
from nids.files import read_json

GOOD = {"macro_f1": 0.8, "mcc": 0.7, "false_positive_rate": 0.01, "detection_rate": 0.9, "roc_auc": 0.95}


@pytest.fixture
def model(tmp_path):
    """A folder that has a digest; the gate never loads the model."""
    (tmp_path / "model" / "saved_model").mkdir(parents=True)
    (tmp_path / "model" / "saved_model" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "model" / "model.keras").write_bytes(b"weights")
    return artifacts.ModelFiles(tmp_path / "model")


def run(model, tmp_path, metrics, digest=None, **bounds):
    import polars as pl

    found = artifacts.Evaluation(digest or model.digest(), "split", "tiny", ["a", "b"], metrics, {}, {}, {}, [], {})
    artifacts.save_evaluation(tmp_path / "evaluation", found, pl.DataFrame({"label": [0]}))
    return evaluation_gate.python_func(
        evaluation=dsl.Artifact(uri=str(tmp_path / "evaluation")),
        model=dsl.Model(uri=str(model.root)),
        decision=dsl.Artifact(uri=str(tmp_path / "decision")),
        **bounds,
    )


def test_the_gate_says_yes_and_leaves_a_record(model, tmp_path, capsys):
    assert run(model, tmp_path, GOOD) is True
    decision = artifacts.load_decision(tmp_path / "decision")
    assert decision.approved
    assert decision.model_digest == model.digest()
    assert "APPROVED" in capsys.readouterr().out


def test_the_gate_says_no_and_leaves_a_record(model, tmp_path, capsys):
    assert run(model, tmp_path, GOOD, min_macro_f1=0.9) is False
    decision = artifacts.load_decision(tmp_path / "decision")
    assert not decision.approved
    assert [rule["metric"] for rule in decision.rules if not rule["passed"]] == ["macro_f1"]
    assert "REJECTED" in capsys.readouterr().out


def test_nan_on_disk_is_null_and_rejects(model, tmp_path):
    assert run(model, tmp_path, {**GOOD, "mcc": float("nan")}) is False
    assert read_json(tmp_path / "evaluation" / "evaluation.json")["metrics"]["mcc"] is None


def test_a_model_changed_after_its_evaluation_is_rejected(model, tmp_path):
    before = model.digest()
    model.keras.write_bytes(b"other weights")
    assert run(model, tmp_path, GOOD, digest=before) is False
    assert artifacts.load_decision(tmp_path / "decision").model_digest == model.digest()


def test_a_senseless_bound_stops_the_run_and_leaves_no_decision(model, tmp_path):
    with pytest.raises(InputError, match="max_false_positive_rate"):
        run(model, tmp_path, GOOD, max_false_positive_rate=5.0)
    assert not (tmp_path / "decision").exists()


def test_a_folder_that_is_no_model_stops_the_run(model, tmp_path):
    model.keras.unlink()
    with pytest.raises(ArtifactError, match=r"model\.keras"):
        run(model, tmp_path, GOOD, digest="x")
