import numpy as np
import pytest
from kfp import dsl

from components.smote.component import smote
from nids import artifacts
from nids.errors import InputError
from nids.files import tree_digest
from nids.transform import Transform


@pytest.fixture
def train(tmp_path, tiny, flows):
    frame = flows(normal=60, dos=35, probe=3)
    transform = Transform.fit(frame, tiny)
    about = {"role": "train", "method": "by hand", "seed": 7, "rows": 98}
    split = artifacts.Split(tiny, transform.apply(frame), transform.labels(frame), frame, about=about)
    artifacts.save_split(tmp_path / "train", split)
    return split


def run(folder, name="resampled", **parameters):
    smote.python_func(
        train=dsl.Dataset(uri=str(folder / "train")), resampled=dsl.Dataset(uri=str(folder / name)), **parameters
    )
    return artifacts.load_split(folder / name)


def test_a_balanced_split_is_written_and_the_log_tells_how(tmp_path, train, capsys):
    made = run(tmp_path)
    assert made.counts == {"normal": 60, "dos": 35, "probe": 30}
    assert made.X.head(98).equals(train.X)
    assert made.flows is None
    assert made.about["role"] == "train"
    assert made.about["method"] == "by hand"
    assert made.about["rows"] == 125
    assert made.about["balancing"]["strategy"] == "smote"
    assert made.about["balancing"]["per_class"][2] == {
        "class": "probe",
        "before": 3,
        "after": 30,
        "how": "SMOTENC, 2 neighbours (only 3 flows)",
    }
    assert "probe: 3 -> 30 flows, SMOTENC, 2 neighbours (only 3 flows)" in capsys.readouterr().out


def test_none_passes_the_split_through(tmp_path, train):
    made = run(tmp_path, strategy="none")
    assert artifacts.split_digest(tmp_path / "resampled") == artifacts.split_digest(tmp_path / "train")
    assert made.flows.equals(train.flows)
    assert made.class_weight is None


def test_class_weights_come_with_the_split(tmp_path, train):
    made = run(tmp_path, strategy="class_weight")
    assert made.class_weight == pytest.approx({0: 98 / 180, 1: 98 / 105, 2: 98 / 9})
    assert np.array_equal(made.y, train.y)


def test_the_same_seed_makes_the_same_bytes(tmp_path, train):
    for name in ("a", "b"):
        run(tmp_path, name)
    assert tree_digest(tmp_path / "a") == tree_digest(tmp_path / "b")


def test_an_unknown_strategy_is_refused(tmp_path, train):
    with pytest.raises(InputError, match="Received: 'adasyn'"):
        run(tmp_path, strategy="adasyn")
    assert not (tmp_path / "resampled").exists()
