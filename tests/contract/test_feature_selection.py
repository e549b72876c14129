import pytest
from kfp import dsl

from components.feature_selection.component import feature_selection
from nids import artifacts
from nids.errors import InputError
from nids.files import tree_digest
from nids.transform import Transform


@pytest.fixture
def train(tmp_path, tiny, flows):
    frame = flows()
    transform = Transform.fit(frame, tiny)
    split = artifacts.Split(tiny, transform.apply(frame), transform.labels(frame), frame)
    artifacts.save_split(tmp_path / "train", split)
    return split


def run(folder, name="features", **parameters):
    parameters = {"boruta_iterations": 9, "rfe_features": 1, **parameters}
    feature_selection.python_func(
        train=dsl.Dataset(uri=str(folder / "train")), features=dsl.Artifact(uri=str(folder / name)), **parameters
    )
    return artifacts.load_selection(folder / name)


def test_selected_features_are_written_and_told(tmp_path, train, capsys):
    made = run(tmp_path)
    assert "rate" in made.selected
    assert [name for name in train.X.columns if name in made.selected] == made.selected
    assert [entry["name"] for entry in made.table] == train.X.columns
    out = capsys.readouterr().out
    assert "Boruta iteration 1/9" in out
    assert f"{len(made.selected)} of 4 features: {', '.join(made.selected)}" in out


def test_none_selects_every_feature(tmp_path, train):
    assert run(tmp_path, method="none").selected == train.X.columns


def test_the_same_seed_makes_the_same_bytes(tmp_path, train):
    for name in ("a", "b"):
        run(tmp_path, name)
    assert tree_digest(tmp_path / "a") == tree_digest(tmp_path / "b")


def test_an_unknown_method_is_refused(tmp_path, train):
    with pytest.raises(InputError, match="Received: 'lasso'"):
        run(tmp_path, method="lasso")
    assert not (tmp_path / "features").exists()
