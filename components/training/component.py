from kfp import dsl

from components.base import TENSORFLOW_IMAGE, component


@component(base_image=TENSORFLOW_IMAGE)
def training(
    train: dsl.Input[dsl.Dataset],
    val: dsl.Input[dsl.Dataset],
    transform: dsl.Input[dsl.Artifact],
    features: dsl.Input[dsl.Artifact],
    hyperparameters: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    epochs: int = 10,
    patience: int = 3,
    checkpoints: str = "",
    prior_correction: bool = True,
    seed: int = 7,
) -> None:
    """Fit the tuned model with early stopping on validation, resuming a killed fit (`split`, ... -> `model`)."""
    from pathlib import Path

    from components.training.produce import produce

    produce(
        Path(train.path),
        Path(val.path),
        Path(transform.path),
        Path(features.path),
        Path(hyperparameters.path),
        Path(model.path),
        epochs=epochs,
        patience=patience,
        checkpoints=checkpoints,
        prior_correction=prior_correction,
        seed=seed,
        say=lambda line: print(line, flush=True),
    )
