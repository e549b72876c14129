import polars as pl
import pytest
from kfp import dsl

from components.preprocessing.component import preprocessing
from nids import artifacts
from nids.datasets.base import RawFlows
from nids.errors import InputError
from nids.files import tree_digest

OUTPUTS = ("train", "val", "test", "transform")


def run(folder, schema, frame, about=None, **parameters):
    artifacts.save_flows(folder / "flows", schema, RawFlows(frame, about=about or {}))
    outputs = {name: dsl.Dataset(uri=str(folder / name)) for name in OUTPUTS[:3]}
    preprocessing.python_func(
        flows=dsl.Dataset(uri=str(folder / "flows")),
        transform=dsl.Artifact(uri=str(folder / "transform")),
        **outputs,
        **parameters,
    )


def test_three_sides_and_a_transform_are_written(tmp_path, tiny, flows, capsys):
    run(tmp_path, tiny, flows(), {"split_note": "Made by hand."})
    sides = {name: artifacts.load_split(tmp_path / name) for name in OUTPUTS[:3]}
    assert {name: len(side.y) for name, side in sides.items()} == {"train": 64, "val": 16, "test": 20}
    assert {name: side.about["role"] for name, side in sides.items()} == {name: name for name in sides}
    transform = artifacts.load_transform(tmp_path / "transform")
    for side in sides.values():
        assert side.about["method"].endswith("Made by hand.")
        assert tuple(side.X.columns) == transform.feature_names
        assert side.X.equals(transform.apply(side.flows))
    out = capsys.readouterr().out
    assert "Made by hand." in out
    assert "train: 64 flows (normal 39, dos 19, probe 6)" in out


def test_a_class_absent_on_a_side_is_printed(tmp_path, tiny, flows, capsys):
    run(tmp_path, tiny, flows(probe=2))
    assert "without a flow of class probe" in capsys.readouterr().out
    assert artifacts.load_split(tmp_path / "test").about["absent"] == ["probe"]


def test_test_flows_equal_to_training_flows_are_counted(tmp_path, tiny, flows, capsys):
    official = pl.concat([flows().with_columns(split=pl.lit("train")), flows().with_columns(split=pl.lit("test"))])
    run(tmp_path, tiny, official)
    assert artifacts.load_split(tmp_path / "test").about["also_in_train"] == 86
    assert "86 flows have the features of a training flow" in capsys.readouterr().out


def test_the_same_seed_makes_the_same_bytes(tmp_path, tiny, flows):
    for name in ("a", "b"):
        run(tmp_path / name, tiny, flows(), seed=5)
    for output in OUTPUTS:
        assert tree_digest(tmp_path / "a" / output) == tree_digest(tmp_path / "b" / output)


def test_a_class_with_one_flow_stops_the_run_before_anything_is_written(tmp_path, tiny, flows):
    with pytest.raises(InputError, match=r"'probe'.*Received: 1 \(tiny\.csv row 91\)"):
        run(tmp_path, tiny, flows(probe=1))
    assert not any((tmp_path / name).exists() for name in OUTPUTS)


def test_the_defaults_are_those_of_the_pure_function():
    import inspect

    from components.preprocessing.split import preprocess

    assert defaults(inspect.signature(preprocessing.python_func)) == defaults(inspect.signature(preprocess)) - {
        ("note", "")
    }


def defaults(signature):
    return {(p.name, p.default) for p in signature.parameters.values() if p.default is not p.empty}
