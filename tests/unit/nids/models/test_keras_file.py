import time

import numpy as np

from nids.files import file_digest
from nids.models import get_architecture
from nids.models.fit import new_model
from nids.models.keras_file import save_keras
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
