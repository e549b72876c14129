import math

import numpy as np
import pytest

from components.tuning import tune as room
from components.tuning.tune import tune
from nids.errors import InputError
from nids.models import get_architecture
from nids.models.fit import Rows
from nids.models.grid import parse_grid
from nids.transform import InputLayout

ARCHITECTURE = get_architecture("attention_cnn_lstm")
LAYOUT = InputLayout(("a", "b"), (), ())


def rows(n=48, seed=0):
    y = np.arange(n, dtype=np.int32) % 2
    noise = np.random.default_rng(seed).normal(0, 0.1, (n, 2))
    return Rows({"numbers": (y[:, None] + noise).astype(np.float32)}, y)


def run(grid, epochs=1, seed=7, lines=None):
    say = (lambda _: None) if lines is None else lines.append
    return tune(rows(), rows(24, 1), LAYOUT, 2, architecture=ARCHITECTURE, grid=grid, epochs=epochs, seed=seed, say=say)


def test_a_grid_is_read_in_its_order_and_in_the_types_of_its_names():
    grid = parse_grid('{"lstm_units": [64, 32.0], "dropout": [0, 0.2]}', ARCHITECTURE)
    assert list(grid.items()) == [("lstm_units", [64, 32]), ("dropout", [0.0, 0.2])]
    assert [type(value) for value in grid["lstm_units"]] == [int, int]


def test_an_empty_object_is_the_one_point_of_all_defaults():
    assert parse_grid("{}", ARCHITECTURE) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "grid to be a JSON object"),
        ("{'lstm_units': [32]}", "grid to be a JSON object"),
        ("[32]", "grid to be a JSON object"),
        ("32", "grid to be a JSON object"),
        ('{"lstm_units": 32}', r"grid\['lstm_units'\] to be a list"),
        ('{"lstm_units": []}', r"grid\['lstm_units'\] to be a list"),
        ('{"lstm_units": ["32"]}', "lstm_units to be a whole number"),
        ('{"lstm_units": [32.5]}', "lstm_units to be a whole number"),
        ('{"learning_rate": [NaN]}', "learning_rate to be a number"),
        ('{"dropout": [true]}', "dropout to be a number"),
        ('{"dropout": [1.0]}', "dropout to be a number"),
        ('{"lstm_units": [32, 32.0]}', r"each value in grid\['lstm_units'\] once"),
        ('{"momentum": [0.9]}', "Received: 'momentum'"),
    ],
)
def test_a_bad_grid_is_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_grid(text, ARCHITECTURE)
    assert "\n" not in str(caught.value)


def fake_scores(monkeypatch, scores):
    """Let the point with `lstm_units` u score `scores[u]`: (val_macro_f1, val_loss) per epoch."""

    def score(train, val, layout, n_classes, architecture, point, epochs, seed):
        f1, loss = scores[point["lstm_units"]]
        return {"val_macro_f1": f1, "val_loss": loss, "best_epoch": None if loss == math.inf else 1}

    monkeypatch.setattr(room, "_fit_and_score", score)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ({1: (0.5, 0.1), 2: (0.6, 0.9), 3: (0.4, 0.1)}, 2),
        ({1: (0.6, 0.3), 2: (0.6, 0.2), 3: (0.5, 0.1)}, 2),
        ({1: (0.5, 0.3), 2: (0.6, 0.2), 3: (0.6, 0.2)}, 2),
        ({1: (0.0, math.inf), 2: (0.0, 3.0), 3: (0.0, math.inf)}, 2),
    ],
    ids=["macro-F1", "then loss", "then grid order", "a diverged point is the worst"],
)
def test_the_best_point_is_chosen_by(monkeypatch, scores, best):
    fake_scores(monkeypatch, scores)
    made = run({"lstm_units": [1, 2, 3]})
    assert made.hyperparameters == ARCHITECTURE.defaults | {"lstm_units": best}
    assert [trial["hyperparameters"]["lstm_units"] for trial in made.trials if trial["best"]] == [best]
    assert [trial["score"] for trial in made.trials] == [scores[u][0] for u in (1, 2, 3)]


def test_a_grid_of_which_every_point_diverges_is_refused(monkeypatch):
    fake_scores(monkeypatch, {1: (0.0, math.inf), 2: (0.0, math.inf)})
    with pytest.raises(InputError, match="at least one point that can be fitted"):
        run({"lstm_units": [1, 2]})


def test_no_epochs_are_refused():
    with pytest.raises(InputError, match="epochs=0"):
        run({}, epochs=0)


def test_a_point_scores_as_its_best_epoch(monkeypatch):
    scores = iter([(0.5, 0.3), (0.9, 0.2), (0.7, 0.1)])
    monkeypatch.setattr(room, "new_model", lambda *_: None)
    monkeypatch.setattr(room, "fit_epoch", lambda *_, **__: 0.1)
    monkeypatch.setattr(room, "validate", lambda *_: dict(zip(("val_macro_f1", "val_loss"), next(scores), strict=True)))
    (trial,) = run({"lstm_units": [3]}, epochs=3).trials
    assert (trial["score"], trial["val_loss"], trial["best_epoch"], trial["epochs"]) == (0.9, 0.2, 2, 3)


def test_a_point_that_diverges_scores_what_it_had(monkeypatch):
    losses = iter([0.4, math.nan])
    monkeypatch.setattr(room, "new_model", lambda *_: None)
    monkeypatch.setattr(room, "fit_epoch", lambda *_, **__: next(losses))
    monkeypatch.setattr(room, "validate", lambda *_: {"val_macro_f1": 0.5, "val_loss": 0.3})
    (trial,) = run({"lstm_units": [3]}, epochs=5).trials
    assert (trial["score"], trial["best_epoch"]) == (0.5, 1)


def test_a_point_that_diverges_at_once_has_no_epoch(monkeypatch):
    losses = iter([math.nan, 0.4])
    monkeypatch.setattr(room, "new_model", lambda *_: None)
    monkeypatch.setattr(room, "fit_epoch", lambda *_, **__: next(losses))
    monkeypatch.setattr(room, "validate", lambda *_: {"val_macro_f1": 0.5, "val_loss": 0.3})
    trials = run({"lstm_units": [3, 4]}).trials
    assert [(trial["score"], trial["best_epoch"], trial["best"]) for trial in trials] == [
        (0, None, False),
        (0.5, 1, True),
    ]


@pytest.mark.slow
def test_batch_size_is_tuned_and_a_trial_does_not_depend_on_those_before():
    alone = run({"lstm_units": [3], "batch_size": [8]})
    among = run({"lstm_units": [3], "batch_size": [16, 8]})
    assert among.trials[1]["val_loss"] == alone.trials[0]["val_loss"]
    assert among.trials[0]["val_loss"] != among.trials[1]["val_loss"]
