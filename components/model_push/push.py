"""Release an approved model: prove that what will be served is what was approved, then publish it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.artifacts import Decision, ModelFiles, ModelInfo, Pushed, Split, load_transform
from nids.errors import ArtifactError, InputError, NotApprovedError
from nids.model_store import ModelStore, Version
from nids.schema import SOURCE_FILE, SOURCE_ROW
from nids.transform import InputLayout

TOLERANCE = 1e-4
"""Largest difference of a probability that parity allows: float32 sums in another order, and no more."""

WARMUP_BATCHES = (1, 256)
"""Flows per warm-up request: the single request, and the batch a client sends."""

Log = Callable[[str], None]


def push(
    files: ModelFiles,
    decision: Decision,
    test: Split,
    split_digest: str,
    store: ModelStore,
    name: str,
    parity_rows: int,
    log: Log,
) -> Pushed:
    """Publish the model in `files` as the next version of `name`, unless the latest version is that model, undamaged.

    Everything is done on one private copy, so that what was approved, what was checked and what is published are the
    same bytes. Nothing is written to the store before every check has passed. `split_digest` is the digest of `test`.

    Raises:
        NotApprovedError: no approval for exactly this model, scored on exactly this test split.
        InputError: `test` is of another schema or without raw flows, or `parity_rows` < 1.
        ArtifactError: the model folder is damaged or holds a link, or its SavedModel answers differently.
        StoreError: the store cannot be written.
    """
    with _private_copy(files) as copy:
        digest = copy.digest()
        check_approved(decision, digest, split_digest)
        held = store.find(name, digest)
        if held is not None:
            flaw = store.flaw(held)
            if flaw is None:
                log(f"The store already holds this model: {name} version {held.number}")
                return _pushed(held, created=False)
            log(f"The store holds this model as {name} version {held.number}, but {flaw}: releasing it again")
        store.check_writable(name)
        info = copy.info()
        rows = spread(test, info, parity_rows)
        difference = check_parity(copy, info, rows)
        log(f"Served and trained model agree on {rows.X.height} test flows (largest difference {difference:.1e})")
        add_warmup(copy.saved_model, name, _flows(rows))
        about = {
            "decision": asdict(decision),
            "info": _essentials(info),
            "parity": {"rows": rows.X.height, "largest_difference": difference, "tolerance": TOLERANCE},
        }
        version, created = store.publish(name, copy.saved_model, digest, about)
    log(f"Published {name} version {version.number} in {version.path}")
    return _pushed(version, created=created)


def check_approved(decision: Decision, model_digest: str, split_digest: str) -> None:
    """NotApprovedError unless `decision` approves exactly that model, scored on exactly that test split."""
    failed = [
        str(rule.get("metric", "a rule without a name")) for rule in decision.rules if rule.get("passed") is not True
    ]
    if failed or not decision.rules:
        raise NotApprovedError(
            f"Expected an approving decision. Received: rejected by {', '.join(failed) or 'no rules'}"
        )
    if decision.approved is not True:
        raise NotApprovedError(f"Expected a decision with approved == True. Received: {decision.approved!r}")
    if decision.model_digest != model_digest:
        raise NotApprovedError(
            f"Expected a decision on model {model_digest[:12]}. Received: one on model {decision.model_digest[:12]}"
        )
    if decision.split_digest != split_digest:
        raise NotApprovedError(
            f"Expected a decision on scores on test split {split_digest[:12]}. "
            f"Received: on {decision.split_digest[:12] or '(none)'}"
        )


def spread(test: Split, info: ModelInfo, count: int) -> Split:
    """At most `count` rows, evenly over the split: neither one class nor one hour alone."""
    if count < 1:
        raise InputError(f"Expected parity_rows >= 1. Received: {count}")
    if test.schema.name != info.schema:
        raise InputError(f"Expected test flows of schema {info.schema!r}, the model's. Received: {test.schema.name!r}")
    if test.flows is None or test.flows.is_empty():
        raise InputError("Expected a test split with its raw flows. Received: none")
    rows = np.unique(np.linspace(0, test.X.height - 1, count).round().astype(np.int64))
    return Split(test.schema, test.X[rows], test.y[rows], test.flows[rows])


def check_parity(files: ModelFiles, info: ModelInfo, rows: Split) -> float:
    """The largest difference between the SavedModel on raw flows and the Keras model on transformed ones.

    Raises:
        ArtifactError: it is above `TOLERANCE`, or one of the models cannot be loaded or fails on these flows.
    """
    from nids.models.keras_file import answers, load_keras
    from nids.savedmodel import SavedModelScorer

    scorer = SavedModelScorer(files.saved_model)
    try:
        served = scorer.probabilities(_flows(rows))
    except InputError as error:
        raise ArtifactError(f"Expected the SavedModel to score the test flows. Received: {error}") from error
    layout = InputLayout.of(info.features, load_transform(files.root))
    trained = answers(load_keras(files.keras), layout.arrays(rows.X))
    return compare(served, trained, _flows(rows))


def compare(served: npt.NDArray[Any], trained: npt.NDArray[Any], flows: pl.DataFrame) -> float:
    """The largest difference of two arrays (n_flows, n_classes); ArtifactError names the flow where it is too large."""
    if served.shape != trained.shape:
        raise ArtifactError(f"Expected {trained.shape} probabilities from the SavedModel. Received: {served.shape}")
    differences = np.abs(served.astype(np.float64) - trained).max(axis=1)
    differences[np.isnan(differences)] = np.inf
    worst = int(differences.argmax())
    if differences[worst] > TOLERANCE:
        where = flows.row(worst, named=True)
        raise ArtifactError(
            f"Expected the SavedModel to answer as the Keras model within {TOLERANCE:g}. "
            f"Received: a difference of {differences[worst]:.3g} on the flow in row {where.get(SOURCE_ROW)} "
            f"of {where.get(SOURCE_FILE)}"
        )
    return float(differences[worst])


def add_warmup(saved_model: Path, name: str, flows: pl.DataFrame) -> None:
    """Put warm-up requests made of `flows` beside a SavedModel and run each as a server will.

    Raises:
        ArtifactError: a request fails: a server would not take the version.
    """
    from nids.savedmodel import SavedModelScorer
    from serving.warmup import read_warmup, write_warmup

    scorer = SavedModelScorer(saved_model)
    sizes = sorted({min(size, flows.height) for size in WARMUP_BATCHES})
    write_warmup(saved_model, name, [scorer.request(flows.head(size)) for size in sizes])
    for request in read_warmup(saved_model):
        try:
            scorer.answer(request)
        except InputError as error:
            raise ArtifactError(f"Expected the warm-up requests to be answered. Received: {error}") from error


@contextmanager
def _private_copy(files: ModelFiles) -> Iterator[ModelFiles]:
    """A copy that nobody else writes; what is wrong in it is reported of the original."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = ModelFiles(Path(scratch) / "model")
        try:
            shutil.copytree(
                files.root, copy.root, symlinks=True
            )  # the digest refuses links; followed, it would not see
        except (OSError, shutil.Error) as error:
            reason = " ".join(str(error).split())[:300]
            raise ArtifactError(f"Expected a model folder to copy at {files.root}. Received: {reason}") from error
        try:
            yield copy
        except ArtifactError as error:
            raise ArtifactError(str(error).replace(str(copy.root), str(files.root))) from error


def _flows(rows: Split) -> pl.DataFrame:
    if rows.flows is None:
        raise InputError("Expected a split with its raw flows. Received: none")
    return rows.flows


def _essentials(info: ModelInfo) -> dict[str, Any]:
    facts = asdict(info)
    del facts["history"]
    return facts


def _pushed(version: Version, *, created: bool) -> Pushed:
    return Pushed(version.model, version.number, str(version.path), version.model_digest, created)
