"""What tuning and training share: fitting one epoch at a time, and scoring on validation rows.

The order of the rows in an epoch is a function of the seed and the epoch alone, so that an epoch can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from nids.artifacts import Split
from nids.errors import InputError
from nids.metrics import confusion_matrix, macro_f1
from nids.models.base import Architecture
from nids.transform import InputLayout

OBJECTIVE = "val_macro_f1 (larger is better; of equals, the lower val_loss)"
"""How epochs and grid points are compared: as `rank` does."""

_PREDICT_BATCH = 2048


@dataclass(frozen=True)
class Rows:
    """Model inputs with their labels.

    Attributes:
        inputs: `numbers` and `codes` as in `InputLayout`, n rows each.
        y: int32 class indices, shape (n,).
        weight: float32 loss weights, shape (n,); None for equal weights.
    """

    inputs: Mapping[str, npt.NDArray[Any]]
    y: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: npt.NDArray[np.int64]) -> Rows:
        weight = None if self.weight is None else self.weight[rows]
        return Rows({name: array[rows] for name, array in self.inputs.items()}, self.y[rows], weight)

    @classmethod
    def of(cls, split: Split, layout: InputLayout, name: str) -> Rows:
        """The rows of a split, called `name` in errors, in the features of `layout`.

        Raises:
            InputError: the split is empty, lacks a feature, or holds a number that is not finite.
        """
        missing = [each for each in (*layout.numbers, *layout.codes) if each not in split.X.columns]
        if missing:
            raise InputError(f"Expected the selected features among the columns of split {name!r}. Lacking: {missing}")
        if not len(split.y):
            raise InputError(f"Expected at least one flow in split {name!r}. Received: none")
        inputs = layout.arrays(split.X)
        if "numbers" in inputs and not np.isfinite(inputs["numbers"]).all():
            column = layout.numbers[int(np.flatnonzero(~np.isfinite(inputs["numbers"]).all(axis=0))[0])]
            raise InputError(f"Expected finite numbers in column {column!r} of split {name!r}")
        return cls(inputs, split.y, sample_weights(split.y, split.class_weight))


def sample_weights(
    y: npt.NDArray[np.int32], class_weight: Mapping[int, float] | None
) -> npt.NDArray[np.float32] | None:
    """The weight of each row's class, shape (n,); a class not named weighs 1. None where no class is named."""
    if not class_weight:
        return None
    table = np.ones(max(*class_weight, int(y.max(initial=0))) + 1, np.float32)
    table[list(class_weight)] = list(class_weight.values())
    weights: npt.NDArray[np.float32] = table[y]
    return weights


def new_model(
    architecture: Architecture, layout: InputLayout, n_classes: int, hyperparameters: Mapping[str, object], seed: int
) -> keras.Model:
    """A compiled model whose initial weights, and all that follows in this process, depend on the seed alone.

    Frees the models built before: call it once no other is in use.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    # Costs nothing measurable on a CPU.
    tf.config.experimental.enable_op_determinism()
    return architecture.build(layout, n_classes, hyperparameters)


def epoch_order(n: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The n row numbers in the order of `epoch`, counted from 1."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def fit_epoch(model: keras.Model, rows: Rows, *, batch_size: int, seed: int, epoch: int) -> float:
    """Fit one epoch; the mean (weighted) training loss, NaN or infinite where the fit has diverged."""
    shuffled = rows.take(epoch_order(len(rows), seed, epoch))
    history = model.fit(
        dict(shuffled.inputs),
        shuffled.y,
        sample_weight=shuffled.weight,
        batch_size=batch_size,
        shuffle=False,
        verbose=0,
    )
    return float(history.history["loss"][0])


def answers(model: keras.Model, rows: Rows) -> npt.NDArray[np.float32]:
    """Probabilities of shape (n, n_classes)."""
    probabilities: npt.NDArray[np.float32] = model.predict(dict(rows.inputs), batch_size=_PREDICT_BATCH, verbose=0)
    return probabilities


def validate(model: keras.Model, rows: Rows, n_classes: int) -> dict[str, float]:
    """`val_loss`, the unweighted cross-entropy, and `val_macro_f1` of `rows`."""
    probabilities = answers(model, rows)
    of_truth = probabilities[np.arange(len(rows)), rows.y].astype(np.float64)
    # As in Keras: a probability of 0 costs much, and not infinitely much.
    loss = -np.log(np.clip(of_truth, 1e-7, 1)).mean()
    confusion = confusion_matrix(rows.y, probabilities.argmax(axis=1), n_classes)
    return {"val_loss": float(loss), "val_macro_f1": float(macro_f1(confusion))}


def rank(scores: Mapping[str, Any]) -> tuple[float, float]:
    """Larger for the better of two epochs or grid points, by `val_macro_f1` and then by lower `val_loss`."""
    return scores["val_macro_f1"], -scores["val_loss"]


def best_epoch(history: list[dict[str, Any]]) -> int:
    """Number of the best epoch, counted from 1; the earliest of equals."""
    return int(max(history, key=rank)["epoch"])
