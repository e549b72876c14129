from kfp import dsl

from components.base import DATA_IMAGE, component


@component(base_image=DATA_IMAGE)
def smote(
    train: dsl.Input[dsl.Dataset],
    resampled: dsl.Output[dsl.Dataset],
    strategy: str = "smote",
    ratio: float = 0.5,
    k_neighbors: int = 5,
    seed: int = 7,
) -> None:
    """Balance the training split, and no other (`split` -> `split`)."""
    from components.smote.oversample import balance
    from nids import artifacts

    given = artifacts.load_split(train.path)
    made = balance(
        given.X, given.y, given.schema.classes, strategy=strategy, ratio=ratio, k_neighbors=k_neighbors, seed=seed
    )
    for entry in made.per_class:
        print(f"{entry['class']}: {entry['before']:,} -> {entry['after']:,} flows, {entry['how']}", flush=True)
    balancing = {"strategy": strategy, "ratio": ratio, "k_neighbors": k_neighbors, "seed": seed}
    about = given.about | {"rows": len(made.y), "balancing": balancing | {"per_class": made.per_class}}
    # A synthetic flow has no raw record.
    flows = given.flows if len(made.y) == len(given.y) else None
    artifacts.save_split(resampled.path, artifacts.Split(given.schema, made.X, made.y, flows, made.class_weight, about))
