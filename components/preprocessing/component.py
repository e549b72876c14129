from kfp import dsl

from components.base import DATA_IMAGE, component


@component(base_image=DATA_IMAGE)
def preprocessing(
    flows: dsl.Input[dsl.Dataset],
    train: dsl.Output[dsl.Dataset],
    val: dsl.Output[dsl.Dataset],
    test: dsl.Output[dsl.Dataset],
    transform: dsl.Output[dsl.Artifact],
    val_share: float = 0.15,
    test_share: float = 0.2,
    seed: int = 7,
) -> None:
    """Split the flows and fit the transform on the training side (`flows` -> `split` x 3, `transform`)."""
    from components.preprocessing.split import preprocess
    from nids import artifacts

    given = artifacts.load_flows(flows.path)
    note = str(given.raw.about.get("split_note") or "")
    made = preprocess(given.raw.frame, given.schema, val_share=val_share, test_share=test_share, seed=seed, note=note)
    print(made.train.about["method"], flush=True)
    for side, output in ((made.train, train), (made.val, val), (made.test, test)):
        counts = ", ".join(f"{name} {count:,}" for name, count in side.counts.items())
        print(f"{side.about['role']:>5}: {side.about['rows']:,} flows ({counts})", flush=True)
        if side.about["absent"]:
            print(f"       without a flow of class {', '.join(side.about['absent'])}", flush=True)
        if side.about.get("also_in_train"):
            print(f"       {side.about['also_in_train']:,} flows have the features of a training flow", flush=True)
        artifacts.save_split(output.path, side)
    artifacts.save_transform(transform.path, made.transform)
