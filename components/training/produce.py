"""From the artifacts training reads to the model folder it leaves."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components.training import prior
from components.training.checkpoint import Checkpoint
from components.training.code import code_digest
from components.training.train import train
from nids import artifacts
from nids.files import new_folder, write_json
from nids.models import get_architecture
from nids.models.base import OUTPUT
from nids.models.fit import OBJECTIVE, Rows, answers, new_model
from nids.models.keras_file import save_keras
from nids.savedmodel import export_saved_model
from nids.transform import InputLayout


def produce(
    train_path: Path,
    val_path: Path,
    transform_path: Path,
    features_path: Path,
    hyperparameters_path: Path,
    model_path: Path,
    *,
    epochs: int,
    patience: int,
    checkpoints: str,
    prior_correction: bool,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Train as `train` does and write `model_path`, whole or not at all (`nids.artifacts.ModelFiles`).

    Args:
        checkpoints: folder of checkpoints; "" for none. The fit's own is removed once the model is written.
        prior_correction: take the base rates of the balanced flows off again; see `components.training.prior`.

    Raises:
        ArtifactError: an input is not of its kind.
        InputError: as in `train`, `Rows.of`, `InputLayout.of` and `Architecture.complete`.
        StoreError: nothing can be written in `checkpoints`.
    """
    tuning = artifacts.load_tuning(hyperparameters_path)
    architecture = get_architecture(tuning.architecture)
    hyperparameters = architecture.complete(tuning.hyperparameters)
    transform = artifacts.load_transform(transform_path)
    selected = artifacts.load_selection(features_path).selected
    layout = InputLayout.of(selected, transform)
    given = artifacts.load_split(train_path)
    rows, val = Rows.of(given, layout, "train"), Rows.of(artifacts.load_split(val_path), layout, "val")

    origin = {
        "train_split_digest": artifacts.split_digest(train_path),
        "val_split_digest": artifacts.split_digest(val_path),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    fit = origin | {
        "architecture": architecture.name,
        "hyperparameters": hyperparameters,
        "numbers": layout.numbers,
        "codes": layout.codes,
        "slots": layout.slots,
        "classes": transform.classes,
        "class_weight": {str(index): weight for index, weight in (given.class_weight or {}).items()},
        "seed": seed,
        "machine": platform.machine(),
        "code": code_digest(),
    }
    checkpoint = Checkpoint(Path(checkpoints), fit) if checkpoints else None

    model = new_model(architecture, layout, len(transform.classes), hyperparameters, seed)
    say(
        f"{architecture.name}: {model.count_params():,} weights, {layout.width} values per flow, "
        f"{len(rows):,} training and {len(val):,} validation flows"
    )
    fitted = train(
        model,
        rows,
        val,
        len(transform.classes),
        batch_size=int(hyperparameters["batch_size"]),
        epochs=epochs,
        patience=patience,
        seed=seed,
        checkpoint=checkpoint,
        say=say,
    )
    correction = _correct_prior(model, rows, val, say) if prior_correction else None
    about: dict[str, Any] = origin | {
        "prior_correction": correction and {"strength": correction.strength, "shift": correction.shift.tolist()},
        "best_epoch": fitted.best_epoch,
        "objective": OBJECTIVE,
        "epochs": epochs,
        "patience": patience,
        "train_rows": len(rows),
        "val_rows": len(val),
        "class_weight": fit["class_weight"] or None,
    }
    with new_folder(model_path) as folder:
        files = artifacts.ModelFiles(folder)
        write_json(files.transform, transform.to_json())
        save_keras(model, files.keras)
        export_saved_model(model, transform, selected, files.saved_model)
        files.write_info(
            artifacts.ModelInfo(
                architecture=architecture.name,
                hyperparameters=hyperparameters,
                schema=transform.schema,
                classes=list(transform.classes),
                features=list(selected),
                seed=seed,
                parameters=sum(int(weight.shape.num_elements()) for weight in model.trainable_weights),
                history=fitted.history,
                about=about,
            )
        )
    if checkpoint is not None:
        checkpoint.remove()


def _correct_prior(model: keras.Model, rows: Rows, val: Rows, say: Callable[[str], None]) -> prior.Correction:
    correction = prior.choose(answers(model, val), val.y, rows.y, rows.weight)
    prior.apply(model.get_layer(OUTPUT), correction)
    say(f"prior correction of strength {correction.strength:g}: val macro-F1 {correction.val_macro_f1:.4f}")
    return correction
