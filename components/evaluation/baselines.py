"""Plain models, trained on the same training split and scored on the same test split: what the network must beat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from nids.artifacts import Split
from nids.errors import InputError

_MOST_CATEGORIES = 255
"""Distinct codes that histogram gradient boosting can treat as categories; a column with more goes in as a number."""


@dataclass(frozen=True)
class _Settings:
    """What a model may need to know: its seed, which columns are categories, and the flows of the smallest class."""

    seed: int
    categories: list[bool]
    smallest: int


def _majority(_: _Settings) -> Any:
    return DummyClassifier(strategy="prior")


def _decision_tree(settings: _Settings) -> Any:
    return DecisionTreeClassifier(random_state=settings.seed)


def _random_forest(settings: _Settings) -> Any:
    return RandomForestClassifier(n_estimators=100, random_state=settings.seed, n_jobs=2)


def _gradient_boosting(settings: _Settings) -> Any:
    # Early stopping sets aside a tenth of the training split, by class, so every class needs two flows. Without it the
    # rare classes of a skewed split blow up the scores of all.
    return HistGradientBoostingClassifier(
        categorical_features=settings.categories,
        early_stopping="auto" if settings.smallest > 1 else False,
        random_state=settings.seed,
    )


_MODELS: dict[str, Callable[[_Settings], Any]] = {
    "majority": _majority,
    "decision_tree": _decision_tree,
    "random_forest": _random_forest,
    "gradient_boosting": _gradient_boosting,
}

NAMES = tuple(_MODELS)


def parse_names(text: str) -> list[str]:
    """Names of baselines from a comma-separated text, in its order; none for an empty one.

    Raises:
        InputError: a name that is not in `NAMES`, or one given twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in _MODELS] or [name for name in names if names.count(name) > 1]
    if wrong:
        raise InputError(f"Expected baselines among {', '.join(NAMES)}, each once. Received: {wrong[0]!r} in {text!r}")
    return names


def answers(
    names: list[str], train: Split, X_test: pl.DataFrame, *, seed: int
) -> Iterator[tuple[str, npt.NDArray[np.float64], float]]:
    """Train each baseline on all columns of the training split and let it answer.

    Args:
        names: of baselines, from `parse_names`.
        train: the training split, as preprocessing wrote it.
        X_test: transformed test flows, columns of `train.X`.
        seed: of every draw.

    Yields:
        name, probabilities of shape (n_test, n_classes), seconds of training and answering.
    """
    settings = _Settings(
        seed=seed,
        categories=[_is_category(train.X[name], X_test[name]) for name in train.X.columns],
        smallest=int(np.unique_counts(train.y).counts.min()),
    )
    X, X_other = _matrix(train.X), _matrix(X_test.select(train.X.columns))
    for name in names:
        started = time.perf_counter()
        # OpenMP threads wait for each other by spinning: on a busy machine two are ten times slower than one.
        with threadpool_limits(1, user_api="openmp"):
            probabilities = _answer(_MODELS[name](settings), X, train.y, X_other, len(train.schema.classes))
        yield name, probabilities, time.perf_counter() - started


def _answer(
    model: Any,
    X: npt.NDArray[np.float32],
    y: npt.NDArray[np.int32],
    X_test: npt.NDArray[np.float32],
    n_classes: int,
) -> npt.NDArray[np.float64]:
    if len(np.unique(y)) == 1:  # gradient boosting wants two classes; any model could but repeat the one
        model = DummyClassifier(strategy="prior")
    model.fit(X, y)
    if "n_jobs" in model.get_params():
        model.set_params(n_jobs=1)  # threads add up the trees in any order, and so to other last digits
    probabilities = np.zeros((len(X_test), n_classes))
    probabilities[:, model.classes_] = model.predict_proba(X_test)
    return probabilities


def _is_category(train: pl.Series, test: pl.Series) -> bool:
    if not train.dtype.is_integer():
        return False
    codes = [int(series.max() or 0) for series in (train, test) if len(series)]  # type: ignore[arg-type]
    return max(codes, default=0) < _MOST_CATEGORIES


def _matrix(X: pl.DataFrame) -> npt.NDArray[np.float32]:
    matrix: npt.NDArray[np.float32] = X.select(pl.all().cast(pl.Float32)).to_numpy()
    return matrix
