"""Grid search over hyperparameters: every point once, scored on validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from components.tuning.search import Point, search
from nids.artifacts import Split, Tuning
from nids.errors import InputError
from nids.models.base import Architecture, Number
from nids.models.fit import OBJECTIVE, Rows, best_epoch, fit_epoch, new_model, rank, validate
from nids.sampling import stratified_rows
from nids.transform import InputLayout


def sample(split: Split, layout: InputLayout, name: str, max_rows: int, seed: int) -> Rows:
    """A stratified sample of `max_rows` rows of a split, or all it has; class weights stay those of the split.

    Raises:
        InputError: fewer rows are asked for than there are classes, or as in `Rows.of`.
    """
    classes = len(split.schema.classes)
    if max_rows < classes:
        raise InputError(f"Expected max_rows to be at least {classes}, one per class. Received: max_rows={max_rows}")
    return Rows.of(split, layout, name).take(stratified_rows(split.y, max_rows, seed))


def tune(
    train: Rows,
    val: Rows,
    layout: InputLayout,
    n_classes: int,
    *,
    architecture: Architecture,
    grid: Mapping[str, list[Number]],
    epochs: int,
    seed: int,
    say: Callable[[str], None],
) -> Tuning:
    """The best point of `grid`, each fitted on `train` from the same seed and scored on `val`.

    A point scores as its best epoch does, since training restores the weights of the best epoch. The best point is
    the first of equals in grid order, in which the last name varies fastest.

    Raises:
        InputError: fewer than one epoch, or every point diverged.
    """
    if epochs < 1:
        raise InputError(f"Expected at least 1 epoch of tuning. Received: epochs={epochs}")

    def score(point: Point) -> dict[str, Any]:
        return _fit_and_score(train, val, layout, n_classes, architecture, point, epochs, seed)

    trials = search(grid, score, say)
    best = max(range(len(trials)), key=lambda i: rank(trials[i]))
    if trials[best]["best_epoch"] is None:
        raise InputError(f"Expected a grid with at least one point that can be fitted. Received: {dict(grid)}")
    table = [
        {
            "hyperparameters": architecture.complete(trial["point"]),
            "score": trial["val_macro_f1"],
            "val_loss": trial["val_loss"],
            "epochs": epochs,
            "best_epoch": trial["best_epoch"],
            "best": i == best,
        }
        for i, trial in enumerate(trials)
    ]
    about = {"train_rows": len(train), "val_rows": len(val), "seed": seed, "grid": dict(grid)}
    return Tuning(architecture.name, table[best]["hyperparameters"], OBJECTIVE, table, about)


def _fit_and_score(
    train: Rows,
    val: Rows,
    layout: InputLayout,
    n_classes: int,
    architecture: Architecture,
    point: Point,
    epochs: int,
    seed: int,
) -> dict[str, Any]:
    """`val_macro_f1`, `val_loss` and number of the best epoch; None for the number where the first one diverged."""
    hyperparameters = architecture.complete(point)
    batch_size = int(hyperparameters["batch_size"])
    model = new_model(architecture, layout, n_classes, hyperparameters, seed)
    history: list[dict[str, Any]] = []
    for epoch in range(1, epochs + 1):
        loss = fit_epoch(model, train, batch_size=batch_size, seed=seed, epoch=epoch)
        if not math.isfinite(loss):
            break
        history.append({"epoch": epoch, **validate(model, val, n_classes)})
    if not history:
        return {"val_macro_f1": 0.0, "val_loss": math.inf, "best_epoch": None}
    best = best_epoch(history)
    scores = history[best - 1]
    return {"val_macro_f1": scores["val_macro_f1"], "val_loss": scores["val_loss"], "best_epoch": best}
