from kfp import dsl

from components.base import DATA_IMAGE, component


@component(base_image=DATA_IMAGE)
def feature_selection(
    train: dsl.Input[dsl.Dataset],
    features: dsl.Output[dsl.Artifact],
    method: str = "union",
    max_rows: int = 10000,
    boruta_iterations: int = 50,
    rfe_features: int = 20,
    seed: int = 7,
) -> None:
    """Select raw features on a sample of the training split (`split` -> `features`)."""
    from components.feature_selection.select import select
    from nids import artifacts

    given = artifacts.load_split(train.path)
    selection = select(
        given.X,
        given.y,
        method=method,
        max_rows=max_rows,
        boruta_iterations=boruta_iterations,
        rfe_features=rfe_features,
        seed=seed,
        say=lambda line: print(line, flush=True),
    )
    print(f"{len(selection.selected)} of {given.X.width} features: {', '.join(selection.selected)}", flush=True)
    artifacts.save_selection(features.path, selection)
