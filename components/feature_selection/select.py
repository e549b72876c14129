"""Choose raw features by Boruta and by recursive feature elimination."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from boruta import BorutaPy
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE

from nids.artifacts import Selection
from nids.errors import InputError
from nids.sampling import stratified_rows

METHODS = ("union", "intersection", "boruta", "rfe", "none")

# Boruta wants shallow trees (its authors: depth 3 to 7); elimination ranks by what a full forest uses.
_BORUTA_DEPTH = 7
_BORUTA_TREES = 100
_RFE_DEPTH = 12
_RFE_TREES = 60

_Labels = npt.NDArray[np.int32]
_Say = Callable[[str], None]


@dataclass(frozen=True)
class BorutaResult:
    """Per feature, in column order: `verdict` (confirmed, tentative, rejected), and mean importance over the
    iterations in which it was still in question (impurity decrease; all columns of an iteration sum to 1)."""

    verdict: list[str]
    importance: list[float]


def select(
    X: pl.DataFrame,
    y: _Labels,
    *,
    method: str = "union",
    max_rows: int = 10_000,
    boruta_iterations: int = 50,
    rfe_features: int = 20,
    seed: int = 7,
    n_jobs: int = -1,
    say: _Say = lambda _: None,
) -> Selection:
    """Select features on a stratified sample of the training split.

    `boruta` keeps the confirmed features, `rfe` the last `rfe_features` that elimination leaves; `union` and
    `intersection` combine the two, `none` keeps every feature. Codes of categories enter as numbers: trees can take
    them apart. The outcome does not depend on `n_jobs`.

    Args:
        X: shape (n_flows, n_features), transformed.
        y: shape (n_flows,), class indices.
        say: called with lines about the progress.

    Returns:
        Selection whose `selected` and `table` are in the order of the columns of X.

    Raises:
        InputError: an unknown method, a number out of range, fewer than two classes, or no feature is left.
    """
    _check(y, method, max_rows, boruta_iterations, rfe_features)
    rows = stratified_rows(y, max_rows, seed)
    sample = X[rows].to_numpy().astype(np.float32)
    names = X.columns
    n_kept = min(rfe_features, len(names))
    boruta: BorutaResult | None = None
    ranks: list[int] | None = None
    if method in ("union", "intersection", "boruta"):
        boruta = run_boruta(sample, y[rows], iterations=boruta_iterations, seed=seed, n_jobs=n_jobs, say=say)
    if method in ("union", "intersection", "rfe"):
        ranks = run_rfe(sample, y[rows], n_features=n_kept, seed=seed, n_jobs=n_jobs, say=say)
    chosen = _combine(method, len(names), boruta, ranks)
    if not any(chosen):
        raise InputError(
            f"Expected at least one feature to remain by method {method!r} (Boruta confirmed "
            f"{_count(boruta, 'confirmed')} of {len(names)} in {boruta_iterations} iterations). Received: none. "
            f"Raise boruta_iterations (now {boruta_iterations}), rfe_features (now {rfe_features}) or max_rows "
            f"(now {max_rows}), or choose method union, rfe or none"
        )
    table = [
        {
            "name": name,
            "boruta": boruta.verdict[i] if boruta else None,
            "importance": boruta.importance[i] if boruta else None,
            "rfe_rank": ranks[i] if ranks else None,
            "selected": bool(chosen[i]),
        }
        for i, name in enumerate(names)
    ]
    about: dict[str, Any] = {
        "rows": len(rows),
        "of_rows": len(y),
        "seed": seed,
        "boruta_iterations": boruta_iterations if boruta else None,
        "rfe_features": n_kept if ranks else None,
    }
    return Selection([name for name, keep in zip(names, chosen, strict=True) if keep], method, table, about)


def run_boruta(
    X: npt.NDArray[np.float32], y: _Labels, *, iterations: int, seed: int, n_jobs: int = -1, say: _Say
) -> BorutaResult:
    """Boruta (Kursa and Rudnicki, Journal of Statistical Software 36(11), 2010) with a balanced random forest.

    A feature is confirmed or rejected once it beats, or fails to beat, the best shuffled copy of any feature
    significantly often. After the last iteration an undecided one is tentative if its median importance is above the
    median of the best copies', else rejected.
    """
    forest = RandomForestClassifier(max_depth=_BORUTA_DEPTH, class_weight="balanced", n_jobs=n_jobs)
    # The package counts from 1 and stops before max_iter.
    search = _Boruta(forest, n_estimators=_BORUTA_TREES, max_iter=iterations + 1, random_state=seed, verbose=1)
    search.start(say)
    search.fit(X, y)
    # `support_` counts the tentative ones too where nothing was rejected.
    verdict = np.where(search.support_weak_, "tentative", np.where(search.support_, "confirmed", "rejected"))
    history = search.importance_history_[1:]
    return BorutaResult(verdict.tolist(), np.nanmean(history, axis=0).tolist())


class _Boruta(BorutaPy):  # type: ignore[misc]
    """BorutaPy that reports to a callback."""

    def start(self, say: _Say) -> None:
        self._say, self._started = say, time.monotonic()

    def _print_results(self, dec_reg: npt.NDArray[np.int64], _iter: int, flag: int) -> None:
        last = self.max_iter - 1
        # Ten lines tell the story; the first says how long an iteration takes.
        if flag or (_iter % -(-last // 10) and _iter not in (1, last)):
            return
        confirmed, open_, rejected = (int((dec_reg == decision).sum()) for decision in (1, 0, -1))
        self._say(
            f"Boruta iteration {_iter}/{last}: {confirmed} confirmed, {open_} open, {rejected} rejected "
            f"({time.monotonic() - self._started:.0f} s)"
        )


def run_rfe(
    X: npt.NDArray[np.float32], y: _Labels, *, n_features: int, seed: int, n_jobs: int = -1, say: _Say
) -> list[int]:
    """Rank per feature by recursive elimination with a balanced random forest: 1 is kept, 2 went last, and so on."""
    if n_features >= X.shape[1]:
        say(f"RFE: keeps all {X.shape[1]} features")
        return [1] * X.shape[1]
    started = time.monotonic()
    forest = RandomForestClassifier(
        n_estimators=_RFE_TREES, max_depth=_RFE_DEPTH, class_weight="balanced", random_state=seed, n_jobs=n_jobs
    )
    ranks: list[int] = RFE(forest, n_features_to_select=n_features, step=1).fit(X, y).ranking_.tolist()
    say(f"RFE: {n_features} of {X.shape[1]} features kept ({time.monotonic() - started:.0f} s)")
    return ranks


def _combine(method: str, width: int, boruta: BorutaResult | None, ranks: list[int] | None) -> list[bool]:
    confirmed = [v == "confirmed" for v in boruta.verdict] if boruta else [False] * width
    kept = [rank == 1 for rank in ranks] if ranks else [False] * width
    if method == "none":
        return [True] * width
    both = method == "intersection"
    return [(a and b) if both else (a or b) for a, b in zip(confirmed, kept, strict=True)]


def _count(boruta: BorutaResult | None, verdict: str) -> int:
    return boruta.verdict.count(verdict) if boruta else 0


def _check(y: _Labels, method: str, max_rows: int, boruta_iterations: int, rfe_features: int) -> None:
    if method not in METHODS:
        raise InputError(f"Expected method to be one of {', '.join(METHODS)}. Received: {method!r}")
    for flag, value, least in (
        ("max_rows", max_rows, 100),
        ("boruta_iterations", boruta_iterations, 1),
        ("rfe_features", rfe_features, 1),
    ):
        if value < least:
            raise InputError(f"Expected {flag} of at least {least}. Received: {value}")
    if len(np.unique(y)) < 2:
        raise InputError(f"Expected flows of at least two classes to select features. Received: {len(np.unique(y))}")
