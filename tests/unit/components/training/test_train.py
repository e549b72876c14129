import math
from types import SimpleNamespace

import numpy as np
import pytest

from components.training import train as room
from components.training.checkpoint import Checkpoint, State
from components.training.train import train
from nids.errors import InputError
from nids.models import get_architecture
from nids.models.fit import Rows, new_model
from nids.transform import InputLayout

LAYOUT = InputLayout(("a", "b"), ("proto",), (3,))
FIT = {"fit": "one"}


class KilledError(Exception):
    """Stands in for the end of the process."""


def rows(n=64, seed=0):
    y = np.arange(n, dtype=np.int32) % 2
    rng = np.random.default_rng(seed)
    numbers = (y[:, None] + rng.normal(0, 0.8, (n, 2))).astype(np.float32)
    return Rows({"numbers": numbers, "codes": rng.integers(0, 3, (n, 1), dtype=np.int32)}, y)


def model_of(seed=7, **hyperparameters):
    # Dropout, so that a random state that is not restored shows.
    given = {"lstm_units": 3, "dropout": 0.5, "learning_rate": 0.01, **hyperparameters}
    return new_model(get_architecture("attention_cnn_lstm"), LAYOUT, 2, given, seed)


def run(model, epochs=4, patience=4, checkpoint=None, say=lambda _: None, seed=7):
    return train(
        model,
        rows(),
        rows(40, 1),
        2,
        batch_size=16,
        epochs=epochs,
        patience=patience,
        seed=seed,
        checkpoint=checkpoint,
        say=say,
    )


def state_of(model):
    return [np.asarray(variable) for variable in (*model.variables, *model.optimizer.variables)]


def killed_after(epoch):
    def say(line):
        if line.startswith(f"epoch {epoch}/"):
            raise KilledError

    return say


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_fit_killed_after_an_epoch_goes_on_to_the_weights_of_one_never_stopped(tmp_path, epoch):
    whole = model_of()
    expected = run(whole)
    weights, state = whole.get_weights(), state_of(whole)

    with pytest.raises(KilledError):
        run(model_of(), checkpoint=Checkpoint(tmp_path, FIT), say=killed_after(epoch))
    lines = []
    resumed = model_of()
    found = run(resumed, checkpoint=Checkpoint(tmp_path, FIT), say=lines.append)

    assert f"going on after epoch {epoch}, from the checkpoint" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == [
        f"epoch {i}/4" for i in range(epoch + 1, 5)
    ]
    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch
    assert all((a == b).all() for a, b in zip(weights, resumed.get_weights(), strict=True))
    assert all((a == b).all() for a, b in zip(state, state_of(resumed), strict=True))


def test_a_finished_fit_is_not_fitted_again(tmp_path):
    first = model_of()
    run(first, epochs=2, checkpoint=Checkpoint(tmp_path, FIT))
    lines = []
    again = model_of()
    run(again, epochs=2, checkpoint=Checkpoint(tmp_path, FIT), say=lines.append)
    assert not [line for line in lines if line.startswith("epoch")]
    assert all((a == b).all() for a, b in zip(first.get_weights(), again.get_weights(), strict=True))


def test_a_checkpoint_of_another_shape_is_told_and_not_used(tmp_path):
    run(model_of(lstm_units=4), epochs=1, checkpoint=Checkpoint(tmp_path, FIT))
    lines = []
    run(model_of(), epochs=1, checkpoint=Checkpoint(tmp_path, FIT), say=lines.append)
    assert lines[0] == "the checkpoint is of a model of another shape; training starts from the first epoch"


@pytest.mark.slow
def test_the_same_seed_fits_the_same_and_another_seed_does_not():
    fits = []
    for seed in (7, 7, 8):
        model = model_of(seed)
        fits.append((run(model, epochs=2, seed=seed).history, model.get_weights()))
    assert fits[0][0] == fits[1][0]
    assert fits[0][0] != fits[2][0]
    assert all((a == b).all() for a, b in zip(fits[0][1], fits[1][1], strict=True))


def scripted(monkeypatch, scores):
    """Let the epochs score as given: (val_macro_f1, val_loss). The model's weights count the epochs."""
    epochs = iter(scores)

    class Model:
        variables: tuple = ()
        trainable_variables: tuple = ()
        optimizer = SimpleNamespace(variables=(), build=lambda _: None)
        weights: tuple = ()

        def get_weights(self):
            return self.weights

        def set_weights(self, weights):
            self.weights = weights

    def fit_epoch(model, *_, epoch, **__):
        model.weights = [np.array(epoch)]
        return 0.1

    monkeypatch.setattr(room, "fit_epoch", fit_epoch)
    monkeypatch.setattr(room, "validate", lambda *_: dict(zip(("val_macro_f1", "val_loss"), next(epochs), strict=True)))
    return Model()


@pytest.mark.parametrize(
    ("scores", "patience", "ran", "best"),
    [
        ([(0.5, 1), (0.6, 1), (0.7, 1), (0.8, 1)], 1, 4, 4),
        ([(0.5, 1), (0.9, 1), (0.7, 1), (0.8, 1)], 2, 4, 2),
        ([(0.9, 1), (0.5, 1), (0.5, 1), (0.95, 1)], 2, 3, 1),
        ([(0.9, 1), (0.5, 1), (0.95, 1), (0.5, 1)], 2, 4, 3),
        ([(0.9, 1), (0.9, 0.5), (0.9, 0.5), (0.9, 0.7)], 2, 4, 2),
        ([(0.9, 1), (0.9, 1), (0.9, 1), (0.9, 1)], 1, 2, 1),
    ],
)
def test_training_stops_out_of_patience_and_restores_the_best_epoch(monkeypatch, scores, patience, ran, best):
    model = scripted(monkeypatch, scores)
    fitted = run(model, patience=patience)
    assert (len(fitted.history), fitted.best_epoch, model.weights) == (ran, best, [best])


SCORES = [(0.5, 1), (0.7, 1), (0.6, 1), (0.6, 1), (0.9, 1), (0.8, 1)]


def kept(folder, epochs):
    """A checkpoint left by a fit of SCORES with patience enough; weights count the epochs."""
    history = [
        {"epoch": i, "loss": 0.1, "val_macro_f1": f1, "val_loss": loss}
        for i, (f1, loss) in enumerate(SCORES[:epochs], start=1)
    ]
    best = max(range(epochs), key=lambda i: SCORES[i]) + 1
    checkpoint = Checkpoint(folder, FIT)
    checkpoint.save(State([], [np.array(best)], history))
    return checkpoint


@pytest.mark.parametrize(
    ("saved", "epochs", "patience", "resumed"),
    [
        (6, 2, 9, False),  # ran longer than is asked for now
        (6, 5, 9, False),
        (6, 6, 9, True),
        (4, 6, 9, True),  # more epochs: goes on
        (6, 6, 2, False),  # out of patience after epoch 4, long before its end
        (5, 6, 2, False),
        (4, 6, 2, True),  # out of patience just now: done
        (3, 6, 2, True),
    ],
)
def test_a_kept_checkpoint_ends_as_a_fresh_fit_would(monkeypatch, tmp_path, saved, epochs, patience, resumed):
    fresh = scripted(monkeypatch, SCORES)
    expected = run(fresh, epochs=epochs, patience=patience)

    lines = []
    model = scripted(monkeypatch, SCORES[saved if resumed else 0 :])
    found = run(model, epochs=epochs, patience=patience, checkpoint=kept(tmp_path, saved), say=lines.append)

    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch
    assert model.weights == fresh.weights
    told = f"going on after epoch {saved}, from the checkpoint"
    if not resumed:
        told = (
            f"the checkpoint is of a longer fit, {saved} epochs, than one of at most {epochs} with patience "
            f"{patience}; training starts from the first epoch"
        )
    assert lines[0] == told


def test_lines_tell_epoch_scores_and_why_training_stopped(monkeypatch):
    lines = []
    run(scripted(monkeypatch, [(0.5, 1.5), (0.25, 1)]), patience=1, say=lines.append)
    assert lines[0].startswith("epoch 1/4: loss 0.1000, val_loss 1.5000, val macro-F1 0.5000 (best), ")
    assert "(best)" not in lines[1]
    assert lines[2] == "weights of epoch 1 of 2, stopped after 1 epochs without a better one"


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_fit_that_diverges_is_an_error_with_advice(monkeypatch, loss):
    monkeypatch.setattr(room, "fit_epoch", lambda *_, **__: loss)
    with pytest.raises(InputError, match=rf"Received: {loss} in epoch 1; a lower learning_rate may help"):
        run(None)


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("epochs", -1), ("patience", 0)])
def test_a_count_below_one_is_refused(name, value):
    with pytest.raises(InputError, match=f"{name}={value}"):
        run(None, **{name: value})
