from __future__ import annotations

import pytest
from kfp import dsl

from components.model_push.component import model_push
from nids import artifacts
from nids.errors import ArtifactError, InputError, NotApprovedError
from nids.model_store import ModelStore
from nids.savedmodel import SavedModelScorer


def decide(trained, tmp_path, *, approved=True, digest=None, split=None):
    digest = digest or artifacts.ModelFiles(trained.root).digest()
    split = split or artifacts.split_digest(trained.test)
    rule = {"metric": "macro_f1", "comparison": ">=", "bound": 0.5, "value": 0.8, "passed": approved, "reason": ""}
    artifacts.save_decision(tmp_path / "decision", artifacts.Decision(approved, digest, split, [rule]))


def run(trained, tmp_path, **changes):
    return model_push.python_func(
        model=dsl.Model(uri=str(trained.root)),
        decision=dsl.Artifact(uri=str(tmp_path / "decision")),
        test=dsl.Dataset(uri=str(trained.test)),
        pushed=dsl.Artifact(uri=str(tmp_path / "pushed")),
        **{"store": str(tmp_path / "store"), "parity_rows": 32, **changes},
    )


def test_an_approved_model_is_in_the_store_and_answers(trained, tmp_path, capsys):
    decide(trained, tmp_path)
    run(trained, tmp_path)
    pushed = artifacts.load_pushed(tmp_path / "pushed")
    assert (pushed.model, pushed.version, pushed.created) == ("nids", 1, True)
    assert pushed.path == str(tmp_path / "store" / "nids" / "1")
    flows = artifacts.load_split(trained.test).flows
    assert SavedModelScorer(pushed.path).probabilities(flows).shape == (flows.height, 5)
    assert "Published nids version 1" in capsys.readouterr().out


def test_a_second_run_finds_the_version(trained, tmp_path, capsys):
    decide(trained, tmp_path)
    run(trained, tmp_path, model_name="edge")
    run(trained, tmp_path, model_name="edge")
    assert artifacts.load_pushed(tmp_path / "pushed").created is False
    assert ModelStore(tmp_path / "store").versions("edge") == [1]
    assert "already holds" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [{"approved": False}, {"digest": "0" * 64}, {"split": "0" * 64}],
    ids=["rejected", "other model", "other test split"],
)
def test_a_model_that_is_not_approved_leaves_the_store_untouched(trained, tmp_path, changes):
    decide(trained, tmp_path, **changes)
    with pytest.raises(NotApprovedError):
        run(trained, tmp_path)
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "pushed").exists()


def test_without_a_decision_nothing_is_released(trained, tmp_path):
    with pytest.raises(ArtifactError, match=r"decision\.json"):
        run(trained, tmp_path)
    assert not (tmp_path / "store").exists()


def test_a_store_must_be_given(trained, tmp_path):
    decide(trained, tmp_path)
    with pytest.raises(InputError, match="model store"):
        run(trained, tmp_path, store="")
