from kfp import dsl

from components.base import TENSORFLOW_IMAGE, component


@component(base_image=TENSORFLOW_IMAGE)
def tuning(
    train: dsl.Input[dsl.Dataset],
    val: dsl.Input[dsl.Dataset],
    transform: dsl.Input[dsl.Artifact],
    features: dsl.Input[dsl.Artifact],
    hyperparameters: dsl.Output[dsl.Artifact],
    architecture: str = "attention_cnn_lstm",
    grid: str = '{"learning_rate": [0.001], "dropout": [0.2], "lstm_units": [32, 64], "batch_size": [256, 512]}',
    epochs: int = 3,
    max_rows: int = 20000,
    seed: int = 7,
) -> None:
    """Search a grid on a sample of the training split, scored on validation (`split`, ... -> `hyperparameters`)."""
    from components.tuning.tune import sample, tune
    from nids import artifacts
    from nids.models import get_architecture
    from nids.models.grid import parse_grid
    from nids.transform import InputLayout

    chosen = get_architecture(architecture)
    points = parse_grid(grid, chosen)
    fitted = artifacts.load_transform(transform.path)
    layout = InputLayout.of(artifacts.load_selection(features.path).selected, fitted)
    rows = sample(artifacts.load_split(train.path), layout, "train", max_rows, seed)
    held_out = sample(artifacts.load_split(val.path), layout, "val", max_rows, seed)
    print(f"{len(rows):,} training and {len(held_out):,} validation flows, {layout.width} values each", flush=True)
    tuned = tune(
        rows,
        held_out,
        layout,
        len(fitted.classes),
        architecture=chosen,
        grid=points,
        epochs=epochs,
        seed=seed,
        say=lambda line: print(line, flush=True),
    )
    print(f"best: {tuned.hyperparameters}", flush=True)
    artifacts.save_tuning(hyperparameters.path, tuned)
