import json

import pytest
from kfp import dsl

from components.tuning.component import tuning
from nids import artifacts
from nids.errors import InputError
from nids.files import tree_digest

GRID = {"lstm_units": [4, 3], "learning_rate": [0.01], "batch_size": [16]}


def run(folder, name="hyperparameters", grid=GRID, **parameters):
    parameters = {"epochs": 1, "max_rows": 60, **parameters}
    tuning.python_func(
        train=dsl.Dataset(uri=str(folder / "train")),
        val=dsl.Dataset(uri=str(folder / "val")),
        transform=dsl.Artifact(uri=str(folder / "transform")),
        features=dsl.Artifact(uri=str(folder / "features")),
        hyperparameters=dsl.Artifact(uri=str(folder / name)),
        grid=grid if isinstance(grid, str) else json.dumps(grid),
        **parameters,
    )
    return artifacts.load_tuning(folder / name)


@pytest.mark.slow
def test_the_table_holds_the_grid_in_its_order_and_the_best_point_complete(tmp_path, prepared, capsys):
    made = run(prepared)
    assert [trial["hyperparameters"]["lstm_units"] for trial in made.trials] == [4, 3]
    (best,) = (trial for trial in made.trials if trial["best"])
    assert best["hyperparameters"] == made.hyperparameters
    assert best["score"] == max(trial["score"] for trial in made.trials)
    assert made.hyperparameters["dropout"] == 0.2
    assert type(made.hyperparameters["lstm_units"]) is int
    assert made.architecture == "attention_cnn_lstm"
    assert made.objective.startswith("val_macro_f1")
    assert made.about["train_rows"] == 60
    out = capsys.readouterr().out
    assert "trial 2/2: lstm_units 3, learning_rate 0.01, batch_size 16: val macro-F1 " in out
    assert "best: {'learning_rate': 0.01, 'dropout': 0.2, 'lstm_units': " in out


@pytest.mark.slow
def test_the_same_seed_makes_the_same_bytes(prepared):
    for name in ("a", "b"):
        run(prepared, name, {"lstm_units": [3]})
    assert tree_digest(prepared / "a") == tree_digest(prepared / "b")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"architecture": "transformer"}, "Received: 'transformer'"),
        ({"grid": "lstm_units=3"}, "JSON object"),
        ({"grid": {"momentum": [0.9]}}, "Received: 'momentum'"),
        ({"epochs": 0}, "epochs=0"),
        ({"max_rows": 2}, "max_rows=2"),
    ],
)
def test_a_bad_parameter_is_refused_and_nothing_written(prepared, parameters, message):
    with pytest.raises(InputError, match=message):
        run(prepared, **parameters)
    assert not (prepared / "hyperparameters").exists()
