"""Samples that keep the shares of the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LEAST_PER_CLASS = 100


def stratified_rows(y: npt.NDArray[Any], max_rows: int, seed: int) -> npt.NDArray[np.int64]:
    """Ascending row numbers of a sample with the class shares of `y`, of `max_rows` rows or all there are.

    A class that would be left with less keeps 100 rows, or all it has where these are fewer, or an equal part of
    `max_rows` where that is less; the others make room for it.
    """
    if len(y) <= max_rows:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(y == c) for c in np.unique(y)]
    sizes = np.array([len(m) for m in members])
    least = np.minimum(sizes, min(_LEAST_PER_CLASS, max_rows // len(sizes)))
    rare = np.zeros(len(sizes), dtype=bool)
    while True:
        share = np.where(rare, least, sizes * (max_rows - least[rare].sum()) / sizes[~rare].sum())
        if not (share < least).any():
            break
        rare |= share < least
    quota = np.floor(share).astype(np.int64)
    largest_remainder = np.argsort(quota - share, kind="stable")[: max_rows - quota.sum()]
    quota[largest_remainder] += 1
    drawn = [rng.choice(m, size=n, replace=False) for m, n in zip(members, quota, strict=True)]
    return np.sort(np.concatenate(drawn))
