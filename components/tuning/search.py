"""Keras-Tuner's grid search, held to its word: every point of the grid exactly once."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner

from nids.models.base import Number

Point = dict[str, Number]
Score = Callable[[Point], dict[str, Any]]
_Say = Callable[[str], None]


def search(grid: Mapping[str, list[Number]], score: Score, say: _Say) -> list[dict[str, Any]]:
    """`score(point)`, and the `point` itself, for every point of the grid, in grid order: the last name varies fastest.

    Args:
        grid: distinct values per hyperparameter. Without any name it has one point, `{}`.
        score: at least `val_macro_f1` and `val_loss` of a point.
        say: told one line after each point.

    Raises:
        RuntimeError: Keras-Tuner left a point out or tried one twice.
        Exception: whatever `score` raises, unchanged.
    """
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    with tempfile.TemporaryDirectory(prefix="nids-tuning-") as folder:
        tuner = _GridSearch(grid, score, _Progress(len(points), say), folder)
        tuner.run()
    return _in_grid_order(points, tuner.scored)


def _in_grid_order(points: list[Point], scored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {_key(trial["point"]): trial for trial in scored}
    keys = [_key(point) for point in points]
    if len(scored) != len(points) or set(found) != set(keys):
        tried = [trial["point"] for trial in scored]
        raise RuntimeError(f"Expected each of {len(points)} grid points to be tried once. Received: {tried}")
    return [found[key] for key in keys]


def _key(point: Point) -> tuple[tuple[str, Number], ...]:
    return tuple(sorted(point.items()))


class _GridSearch(keras_tuner.GridSearch):  # type: ignore[misc]
    """Chooses the points; `score` does the rest, batch size included."""

    def __init__(self, grid: Mapping[str, list[Number]], score: Score, progress: _Progress, folder: str) -> None:
        space = keras_tuner.HyperParameters()
        for name, values in grid.items():
            space.Choice(name, values)
        super().__init__(
            objective=keras_tuner.Objective("val_macro_f1", "max"),
            hyperparameters=space,
            tune_new_entries=False,
            directory=folder,
            project_name="grid",
            overwrite=True,
        )
        self.scored: list[dict[str, Any]] = []
        self._score_point = score
        self._progress = progress

    def run(self) -> None:
        try:
            self.search(verbose=0)
        except keras_tuner.errors.FatalError as error:
            raise error.__cause__ or error from None

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        point = dict(trial.hyperparameters.values)
        try:
            scores = self._score_point(point)
        except Exception as error:
            # The search would note any other error and go on to the next point.
            raise keras_tuner.errors.FatalError(str(error)) from error
        self.scored.append({"point": point, **scores})
        self._progress.tell(self.scored)
        return {"val_macro_f1": scores["val_macro_f1"]}


class _Progress:
    """One line per trial."""

    def __init__(self, total: int, say: _Say) -> None:
        self._total = total
        self._say = say
        self._start = time.monotonic()

    def tell(self, scored: list[dict[str, Any]]) -> None:
        done, last = len(scored), scored[-1]
        elapsed = time.monotonic() - self._start
        point = ", ".join(f"{name} {value:g}" for name, value in last["point"].items()) or "defaults"
        self._say(
            f"trial {done}/{self._total}: {point}: val macro-F1 {last['val_macro_f1']:.4f}, "
            f"val_loss {last['val_loss']:.4f}, best so far {max(each['val_macro_f1'] for each in scored):.4f}, "
            f"{elapsed:.0f} s elapsed, about {elapsed / done * (self._total - done):.0f} s left"
        )
