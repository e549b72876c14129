from kfp import dsl

from components.base import TENSORFLOW_IMAGE, component


@component(base_image=TENSORFLOW_IMAGE)
def model_push(
    model: dsl.Input[dsl.Model],
    decision: dsl.Input[dsl.Artifact],
    test: dsl.Input[dsl.Dataset],
    pushed: dsl.Output[dsl.Artifact],
    store: str = "",
    model_name: str = "nids",
    parity_rows: int = 512,
) -> None:
    """Release exactly the approved model as the next version (`model`, `decision`, `test` -> `pushed`)."""
    from functools import partial
    from pathlib import Path

    from components.model_push.push import push
    from nids import artifacts
    from nids.model_store import ModelStore

    released = push(
        artifacts.ModelFiles(Path(model.path)),
        artifacts.load_decision(decision.path),
        artifacts.load_split(test.path),
        artifacts.split_digest(test.path),
        ModelStore(store),
        model_name,
        parity_rows,
        log=partial(print, flush=True),
    )
    artifacts.save_pushed(pushed.path, released)
