"""Raise the minority classes of the training split with synthetic flows, or weigh them instead."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.errors import InputError

STRATEGIES = ("smote", "none", "class_weight")

_Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Balanced:
    """A training split, balanced.

    Attributes:
        X: as given, with the synthetic rows after the original ones.
        y: int32 class indices of shape (n_flows,).
        class_weight: loss weight per class index for `class_weight`, else None.
        per_class: one entry per class, in class order: `class`, `before`, `after`, `how`.
    """

    X: pl.DataFrame
    y: _Labels
    class_weight: dict[int, float] | None
    per_class: list[dict[str, Any]]


def balance(
    X: pl.DataFrame,
    y: _Labels,
    classes: tuple[str, ...],
    *,
    strategy: str = "smote",
    ratio: float = 0.5,
    k_neighbors: int = 5,
    seed: int = 7,
) -> Balanced:
    """Balance a training split.

    `smote` raises every class below `ratio` times the largest one to that size. New flows lie between a flow and one of
    its `k_neighbors` nearest flows of the class (Chawla et al., JAIR 16, 2002: SMOTE; SMOTE-NC where there are
    categories, which take the value most frequent among the neighbours, so that a code stays a code). A class with
    fewer flows than that uses all the neighbours it has; a single flow is repeated.
    `class_weight` leaves the flows and gives class c the weight n_flows / (n_present_classes * n_flows_of_c).
    `none` changes nothing.

    Args:
        X: shape (n_flows, n_features), float32 numbers in [0, 1] and int32 codes.
        y: shape (n_flows,), class indices.
        classes: class names in index order.

    Raises:
        InputError: an unknown strategy, a number out of range, or no flows.
    """
    _check(y, strategy, ratio, k_neighbors)
    counts = np.bincount(y, minlength=len(classes))
    how = ["kept" if count else "absent" for count in counts]
    weight: dict[int, float] | None = None
    if strategy == "class_weight":
        weight = {c: len(y) / (np.count_nonzero(counts) * int(n)) for c, n in enumerate(counts) if n}
        how = [f"weight {weight[c]:.4g}" if c in weight else "absent" for c in range(len(classes))]
    parts_X, parts_y = [X], [y]
    if strategy == "smote":
        target = int(ratio * counts.max())
        for c in np.flatnonzero((counts > 0) & (counts < target)):
            added, how[c] = _synthesize(X, y, int(c), target - int(counts[c]), k_neighbors, seed)
            parts_X.append(added)
            parts_y.append(np.full(added.height, c, dtype=np.int32))
    balanced_X, balanced_y = pl.concat(parts_X), np.concatenate(parts_y).astype(np.int32)
    after = np.bincount(balanced_y, minlength=len(classes))
    return Balanced(
        balanced_X,
        balanced_y,
        weight,
        [
            {"class": name, "before": int(counts[c]), "after": int(after[c]), "how": how[c]}
            for c, name in enumerate(classes)
        ],
    )


def _synthesize(
    X: pl.DataFrame, y: _Labels, c: int, n_new: int, k_neighbors: int, seed: int
) -> tuple[pl.DataFrame, str]:
    """`n_new` flows of class `c` in the columns of X, and how they came about."""
    mine = np.flatnonzero(y == c)
    k = min(k_neighbors, len(mine) - 1)
    if k == 0:
        return X[np.repeat(mine, n_new)], "its only flow repeated"
    codes = [index for index, kind in enumerate(X.dtypes) if kind.is_integer()]
    name, sampler = _sampler(codes, X.width, c, len(mine) + n_new, k, seed)
    # SMOTE looks at the rows of one class; the others are there because the sampler asks for a second class. Only
    # SMOTEN's distance between categories rests on all classes.
    others = np.flatnonzero(y != c)
    rows = np.concatenate([mine, others if name == "SMOTEN" else others[:1]])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="After over-sampling", category=UserWarning)
        made, _ = sampler.fit_resample(X[rows].to_numpy(), y[rows])
    fewer = f" (only {len(mine)} flows)" if k < k_neighbors else ""
    return _like(X, made[len(rows) :]), f"{name}, {k} neighbour{'s' if k > 1 else ''}{fewer}"


def _sampler(codes: list[int], width: int, c: int, target: int, k: int, seed: int) -> tuple[str, Any]:
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    common: dict[str, Any] = {"sampling_strategy": {c: target}, "k_neighbors": k, "random_state": seed}
    if not codes:
        return "SMOTE", SMOTE(**common)
    if len(codes) == width:
        return "SMOTEN", SMOTEN(**common)
    return "SMOTENC", SMOTENC(codes, **common)


def _like(X: pl.DataFrame, values: npt.NDArray[Any]) -> pl.DataFrame:
    """`values` as a frame with the columns of X. Between two numbers in [0, 1] a rounding can step out of it."""
    return pl.DataFrame(
        [
            pl.Series(name, values[:, i].astype(np.int32) if kind.is_integer() else np.clip(values[:, i], 0, 1), kind)
            for i, (name, kind) in enumerate(X.schema.items())
        ]
    )


def _check(y: _Labels, strategy: str, ratio: float, k_neighbors: int) -> None:
    if strategy not in STRATEGIES:
        raise InputError(f"Expected strategy to be one of {', '.join(STRATEGIES)}. Received: {strategy!r}")
    if not 0 < ratio <= 1:
        raise InputError(f"Expected ratio above 0 and at most 1. Received: {ratio}")
    if k_neighbors < 1:
        raise InputError(f"Expected k_neighbors of at least 1. Received: {k_neighbors}")
    if len(y) == 0:
        raise InputError("Expected training flows to balance. Received: none")
