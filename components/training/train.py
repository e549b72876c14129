"""Fit a model with early stopping, one epoch at a time, so that a killed fit can go on where it was."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from components.training.checkpoint import Arrays, Checkpoint, State
from nids.errors import InputError
from nids.models.fit import Rows, best_epoch, fit_epoch, validate

_Say = Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """A finished fit.

    Attributes:
        history: per epoch: `epoch` (from 1), `loss`, `val_loss`, `val_macro_f1`. No times, so that equal fits leave
            equal bytes.
        best_epoch: the epoch whose weights the model now has.
    """

    history: list[dict[str, Any]]
    best_epoch: int


def train(
    model: keras.Model,
    rows: Rows,
    val: Rows,
    n_classes: int,
    *,
    batch_size: int,
    epochs: int,
    patience: int,
    seed: int,
    checkpoint: Checkpoint | None,
    say: _Say,
) -> Fitted:
    """Fit `model` on `rows`, in place, and give it the weights of its best epoch.

    The best epoch has the highest macro-F1 on `val`, of equals the lower loss, as in `nids.models.fit.rank`. Training
    stops after `patience` epochs without a better one. A fit that goes on from `checkpoint` ends with the weights
    of one that was never stopped, bit for bit on the same machine; a state past the end of this fit is not used.

    Args:
        model: from `nids.models.fit.new_model` with the same seed.
        checkpoint: saved after every epoch; None to keep none. It stays after the fit: `remove` it once the model is
            stored.
        say: told one line per epoch.

    Raises:
        InputError: `epochs` or `patience` below 1, or a loss that is not finite.
        StoreError: the checkpoint cannot be written.
    """
    for name, value in (("epochs", epochs), ("patience", patience)):
        if value < 1:
            raise InputError(f"Expected {name} to be at least 1. Received: {name}={value}")
    state = _resume(model, _kept(checkpoint, epochs, patience, say), say)
    best, history = state.best, state.history
    progress = _Progress(epochs, say)
    while len(history) < epochs and not _out_of_patience(history, patience):
        start, epoch = time.monotonic(), len(history) + 1
        loss = fit_epoch(model, rows, batch_size=batch_size, seed=seed, epoch=epoch)
        if not math.isfinite(loss):
            raise InputError(
                f"Expected a finite training loss. Received: {loss} in epoch {epoch}; a lower learning_rate may help"
            )
        scores = validate(model, val, n_classes)
        history.append({"epoch": epoch, "loss": loss, **scores})
        if best_epoch(history) == epoch:
            best = model.get_weights()
        if checkpoint is not None:
            checkpoint.save(State(_variables(model), best, history))
        progress.tell(history, time.monotonic() - start)
    model.set_weights(best)
    found = best_epoch(history)
    stopped = f", stopped after {patience} epochs without a better one" if _out_of_patience(history, patience) else ""
    say(f"weights of epoch {found} of {len(history)}{stopped}")
    return Fitted(history, found)


def _out_of_patience(history: list[dict[str, Any]], patience: int) -> bool:
    return bool(history) and len(history) - best_epoch(history) >= patience


def _kept(checkpoint: Checkpoint | None, epochs: int, patience: int, say: _Say) -> State | None:
    """The state of the checkpoint; None where there is none on the way of this fit, as `say` is told."""
    state = checkpoint.load(say) if checkpoint is not None else None
    if state is None:
        return None
    ran = len(state.history)
    # The checkpoint knows only its last and its best epoch: there is no way back to where this fit would have ended.
    if ran > epochs or any(_out_of_patience(state.history[:n], patience) for n in range(1, ran)):
        say(
            f"the checkpoint is of a longer fit, {ran} epochs, than one of at most {epochs} with patience {patience}; "
            "training starts from the first epoch"
        )
        return None
    return state


def _resume(model: keras.Model, state: State | None, say: _Say) -> State:
    """The state, which the model takes over; a state before the first epoch where there is none."""
    fresh = State([], [], [])
    if state is None:
        return fresh
    # An optimizer makes its variables in the first step, unless told to before.
    model.optimizer.build(model.trainable_variables)
    own, shapes = _variables(model), [array.shape for array in state.variables]
    if [array.shape for array in own] != shapes:
        say("the checkpoint is of a model of another shape; training starts from the first epoch")
        return fresh
    for variable, value in zip(_all_variables(model), state.variables, strict=True):
        variable.assign(value)
    say(f"going on after epoch {len(state.history)}, from the checkpoint")
    return state


def _all_variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _variables(model: keras.Model) -> Arrays:
    return [variable.numpy() for variable in _all_variables(model)]


class _Progress:
    """One line per epoch, with the time left at the most: early stopping may end it before."""

    def __init__(self, epochs: int, say: _Say) -> None:
        self._epochs = epochs
        self._say = say

    def tell(self, history: list[dict[str, Any]], seconds: float) -> None:
        last = history[-1]
        # The first epoch traces the graph; a later one is the better measure.
        left = seconds * (self._epochs - last["epoch"])
        self._say(
            f"epoch {last['epoch']}/{self._epochs}: loss {last['loss']:.4f}, val_loss {last['val_loss']:.4f}, "
            f"val macro-F1 {last['val_macro_f1']:.4f}{' (best)' if best_epoch(history) == last['epoch'] else ''}, "
            f"{seconds:.1f} s, at most {left:.0f} s left"
        )
