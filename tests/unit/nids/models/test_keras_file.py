import time
import zipfile

import numpy as np
import pytest

from nids.errors import ArtifactError
from nids.files import file_digest
from nids.models import get_architecture
from nids.models.fit import new_model
from nids.models.keras_file import answers, load_keras, save_keras
from nids.transform import InputLayout

LAYOUT = InputLayout(("a", "b"), ("proto",), (4,))


def model_of(seed):
    return new_model(get_architecture("attention_cnn_lstm"), LAYOUT, 3, {"lstm_units": 3}, seed)


def test_the_file_loads_into_the_same_model(tmp_path):
    import keras

    model = model_of(7)
    save_keras(model, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    rows = {"numbers": np.ones((2, 2), np.float32), "codes": np.ones((2, 1), np.int32)}
    assert (model.predict(rows, verbose=0) == loaded.predict(rows, verbose=0)).all()
    assert loaded.optimizer.learning_rate == model.optimizer.learning_rate
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_loaded_model_answers_as_the_one_that_was_saved(tmp_path):
    model = model_of(7)
    save_keras(model, tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    rows = {"numbers": rng.random((5, 2), np.float32), "codes": rng.integers(0, 4, (5, 1), np.int32)}
    received = answers(load_keras(tmp_path / "model.keras"), rows)
    assert (received.shape, received.dtype) == ((5, 3), np.float32)
    np.testing.assert_array_equal(received, model.predict(rows, verbose=0))


@pytest.mark.parametrize("harm", ["missing", "empty", "no zip", "cut short"])
def test_a_file_that_is_no_keras_model_is_named(tmp_path, harm):
    path = tmp_path / "model.keras"
    if harm != "missing":
        save_keras(model_of(7), path)
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "no zip": b"no zip", "cut short": whole[: len(whole) // 2]}[harm])
    with pytest.raises(ArtifactError, match=rf"Expected a Keras model at {path}\. Received: .") as refused:
        load_keras(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("content", [None, b"", b"{}"], ids=["missing", "empty", "other"])
def test_a_keras_file_with_a_damaged_part_is_named(tmp_path, name, content):
    save_keras(model_of(7), tmp_path / "whole.keras")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(tmp_path / "whole.keras") as source, zipfile.ZipFile(path, "w") as target:
        for part in source.namelist():
            kept = source.read(part) if part != name else content
            if kept is not None:
                target.writestr(part, kept)
    with pytest.raises(ArtifactError, match=f"Expected a Keras model at {path}"):
        load_keras(path)


def test_the_same_model_makes_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    save_keras(model_of(7), tmp_path / "one.keras")
    later = time.time() + 90_000
    monkeypatch.setattr(time, "time", lambda: later)
    save_keras(model_of(7), tmp_path / "two.keras")
    assert file_digest(tmp_path / "one.keras") == file_digest(tmp_path / "two.keras")


def test_another_model_makes_other_bytes(tmp_path):
    for seed in (7, 8):
        save_keras(model_of(seed), tmp_path / f"{seed}.keras")
    assert file_digest(tmp_path / "7.keras") != file_digest(tmp_path / "8.keras")
