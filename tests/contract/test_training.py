import json

import pytest
from kfp import dsl

from components.training.component import training
from nids import artifacts
from nids.errors import ArtifactError, InputError, StoreError
from nids.files import file_digest
from nids.savedmodel import SavedModelScorer

POINT = {"learning_rate": 0.01, "dropout": 0.2, "lstm_units": 4, "batch_size": 16}


def run(folder, name="model", **parameters):
    if not (folder / "hyperparameters").exists():
        trials = [{"hyperparameters": POINT, "score": 1.0, "epochs": 1, "best": True}]
        artifacts.save_tuning(
            folder / "hyperparameters", artifacts.Tuning("attention_cnn_lstm", POINT, "val_macro_f1", trials)
        )
    parameters = {"epochs": 2, **parameters}
    training.python_func(
        train=dsl.Dataset(uri=str(folder / "train")),
        val=dsl.Dataset(uri=str(folder / "val")),
        transform=dsl.Artifact(uri=str(folder / "transform")),
        features=dsl.Artifact(uri=str(folder / "features")),
        hyperparameters=dsl.Artifact(uri=str(folder / "hyperparameters")),
        model=dsl.Model(uri=str(folder / name)),
        **parameters,
    )
    return artifacts.ModelFiles(folder / name)


@pytest.mark.slow
def test_the_model_folder_is_complete_and_tells_its_origin(prepared, capsys):
    files = run(prepared)
    info = files.info()
    assert files.digest()
    assert artifacts.load_transform(files.root) == artifacts.load_transform(prepared / "transform")
    assert (info.hyperparameters, info.architecture, info.schema) == (POINT, "attention_cnn_lstm", "tiny")
    assert info.features == ["bytes", "service", "rate"]
    assert info.classes == ["normal", "dos", "probe"]
    assert [set(entry) for entry in info.history] == [{"epoch", "loss", "val_loss", "val_macro_f1"}] * 2
    assert info.about["best_epoch"] in (1, 2)
    assert info.about["train_split_digest"] == artifacts.split_digest(prepared / "train")
    assert info.about["val_split_digest"] == artifacts.split_digest(prepared / "val")
    out = capsys.readouterr().out
    assert "epoch 2/2: loss " in out
    assert "80 training and 40 validation flows" in out


@pytest.mark.slow
def test_the_served_model_answers_as_the_keras_model_does(prepared):
    import keras
    import numpy as np

    from nids.transform import InputLayout

    files = run(prepared)
    info, transform = files.info(), artifacts.load_transform(files.root)
    val = artifacts.load_split(prepared / "val")
    model = keras.models.load_model(files.keras)
    assert info.parameters == sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    expected = model.predict(InputLayout.of(info.features, transform).arrays(val.X), verbose=0)
    scorer = SavedModelScorer(files.saved_model)
    answer = scorer.answer(scorer.request(val.flows))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-6)


@pytest.mark.slow
def test_the_same_seed_makes_the_same_model_file_and_metrics(prepared):
    one, two = run(prepared, "one"), run(prepared, "two")
    assert file_digest(one.keras) == file_digest(two.keras)
    assert one.info() == two.info()


@pytest.mark.slow
def test_another_seed_makes_another_model(prepared):
    one, two = run(prepared, "one", epochs=1), run(prepared, "two", epochs=1, seed=8)
    assert file_digest(one.keras) != file_digest(two.keras)


@pytest.mark.slow
def test_a_checkpoint_is_used_and_removed_once_the_model_is_written(prepared, monkeypatch, capsys):
    import components.training.produce as room

    def full_disk(*_):
        raise OSError("No space left on device")

    folder = prepared / "checkpoints"
    with monkeypatch.context() as patched:
        patched.setattr(room, "export_saved_model", full_disk)
        with pytest.raises(OSError, match="No space left"):
            run(prepared, checkpoints=str(folder))
    assert len(list(folder.iterdir())) == 1
    assert not (prepared / "model").exists()
    files = run(prepared, checkpoints=str(folder))
    assert "going on after epoch 2" in capsys.readouterr().out
    assert list(folder.iterdir()) == []
    plain = run(prepared, "plain")
    assert file_digest(files.keras) == file_digest(plain.keras)


@pytest.mark.slow
def test_a_checkpoint_of_other_code_is_not_used(prepared, monkeypatch, capsys):
    import components.training.produce as room

    def full_disk(*_):
        raise OSError("No space left on device")

    folder = prepared / "checkpoints"
    with monkeypatch.context() as patched:
        patched.setattr(room, "code_digest", lambda: "before")
        patched.setattr(room, "export_saved_model", full_disk)
        with pytest.raises(OSError, match="No space left"):
            run(prepared, epochs=1, checkpoints=str(folder))
    run(prepared, epochs=1, checkpoints=str(folder))
    assert "going on after" not in capsys.readouterr().out
    assert len(list(folder.iterdir())) == 1


@pytest.mark.slow
def test_class_weights_of_the_split_change_the_fit(prepared):
    plain = run(prepared, "plain", epochs=1)
    train = artifacts.load_split(prepared / "train")
    weighted = artifacts.Split(train.schema, train.X, train.y, train.flows, {0: 0.5, 1: 1.0, 2: 5.0}, train.about)
    artifacts.save_split(prepared / "train", weighted)
    made = run(prepared, "weighted", epochs=1)
    assert made.info().about["class_weight"] == {"0": 0.5, "1": 1.0, "2": 5.0}
    assert file_digest(made.keras) != file_digest(plain.keras)


@pytest.mark.parametrize(("parameters", "message"), [({"epochs": 0}, "epochs=0"), ({"patience": 0}, "patience=0")])
def test_a_bad_parameter_is_refused_and_nothing_written(prepared, parameters, message):
    with pytest.raises(InputError, match=message):
        run(prepared, **parameters)
    assert not (prepared / "model").exists()


def test_checkpoints_that_cannot_be_written_are_refused_before_training(prepared):
    (prepared / "file").write_text("")
    with pytest.raises(StoreError, match="checkpoints"):
        run(prepared, checkpoints=str(prepared / "file"))
    assert not (prepared / "model").exists()


def test_hyperparameters_of_an_unknown_architecture_are_refused(prepared):
    tuning = artifacts.Tuning("transformer", {}, "val_macro_f1", [])
    artifacts.save_tuning(prepared / "hyperparameters", tuning)
    with pytest.raises(InputError, match="'transformer'"):
        run(prepared)


def test_a_damaged_input_is_refused(prepared):
    (prepared / "features" / "features.json").write_text(json.dumps({"chosen": []}))
    with pytest.raises(ArtifactError, match="Selection"):
        run(prepared)


def test_an_empty_split_is_refused_by_name(prepared):
    val = artifacts.load_split(prepared / "val")
    artifacts.save_split(prepared / "val", artifacts.Split(val.schema, val.X.clear(), val.y[:0]))
    with pytest.raises(InputError, match="split 'val'"):
        run(prepared)


@pytest.mark.slow
def test_the_prior_correction_moves_the_logits_by_what_the_model_folder_tells(prepared):
    import keras
    import numpy as np

    plain, corrected = run(prepared, "plain", prior_correction=False), run(prepared, "corrected")
    assert plain.info().about["prior_correction"] is None
    told = corrected.info().about["prior_correction"]
    biases = [
        keras.models.load_model(files.keras, compile=False).get_layer("probabilities").get_weights()[1]
        for files in (plain, corrected)
    ]
    np.testing.assert_allclose(biases[1] - biases[0], told["shift"], atol=1e-6)
    assert (told["strength"] > 0) == bool(np.any(told["shift"]))
