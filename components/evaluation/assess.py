"""One model, its test split and its rivals: load, let all answer, score all alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from components.evaluation import baselines
from components.evaluation.evaluate import HEADLINES, Findings, attacks_in, check_sides, evaluate
from components.evaluation.latency import measure
from components.evaluation.predict import predict
from nids.artifacts import Evaluation, ModelFiles, Split, load_split, load_transform, split_digest

Answers = npt.NDArray[Any]


@dataclass(frozen=True)
class Assessment:
    """An evaluation, with the answers behind it.

    Attributes:
        evaluation: as stored.
        y: true class indices, shape (n_flows,).
        probabilities: the model's, shape (n_flows, n_classes).
        rivals: the same of each baseline, by name.
    """

    evaluation: Evaluation
    y: npt.NDArray[np.int32]
    probabilities: Answers
    rivals: dict[str, Answers]

    @property
    def predictions(self) -> pl.DataFrame:
        """`label` (int32) and one float32 column per class, in test order."""
        columns = {name: self.probabilities[:, c] for c, name in enumerate(self.evaluation.classes)}
        return pl.DataFrame(
            [
                pl.Series("label", self.y, dtype=pl.Int32),
                *(pl.Series(name, values, dtype=pl.Float32) for name, values in columns.items()),
            ]
        )


def assess(
    model: Path,
    test: Path,
    train: Path,
    rivals: str,
    seed: int,
    *,
    say: Callable[[str], None] = lambda _: None,
    latency_seconds: float = 1.0,
) -> Assessment:
    """Score the model folder `model` on the split folder `test`.

    Args:
        model, test, train: folders of those artifacts; `train` as preprocessing wrote it, not balanced.
        rivals: comma-separated names of baselines.
        seed: of the bootstrap and of the baselines.
        say: takes progress lines.
        latency_seconds: how long each batch size is measured.

    Raises:
        InputError: an unknown baseline, or splits and model of different data sets.
        ArtifactError: a damaged artifact.
    """
    names = baselines.parse_names(rivals)
    files = ModelFiles(model)
    info = files.info()
    test_split, train_split = load_split(test), load_split(train)
    check_sides(test_split, train_split, info.schema, info.classes)
    seen = attacks_in(train_split)

    say(f"scoring {len(test_split.y):,} test flows with {info.architecture} ({len(info.features)} features)")
    probabilities = predict(files, load_transform(model), test_split.X)
    findings = evaluate(test_split, seen, probabilities, seed=seed)
    say(_headline("model", findings.metrics))
    latency = _latency(files, test_split, latency_seconds)
    say("milliseconds per flow: " + ", ".join(f"{ms:.3f} in batches of {size}" for size, ms in latency.items()))

    answers: dict[str, Answers] = {}
    scores: dict[str, Findings] = {}
    for name, answer, seconds in baselines.answers(names, train_split, test_split.X, seed=seed):
        answers[name], scores[name] = answer, evaluate(test_split, seen, answer, seed=seed)
        say(f"{_headline(name, scores[name].metrics)} ({seconds:.1f} s)")

    found = asdict(findings)
    record = Evaluation(
        model_digest=files.digest(),
        split_digest=split_digest(test),
        schema=test_split.schema.name,
        classes=list(test_split.schema.classes),
        **found | {"confusion": findings.confusion.tolist()},
        latency=latency,
        baselines={name: dict(score.metrics) for name, score in scores.items()},
        about=_about(test_split, train_split, split_digest(train), seed),
    )
    return Assessment(record, test_split.y, probabilities, answers)


def _latency(files: ModelFiles, test: Split, seconds: float) -> dict[str, float]:
    from nids.savedmodel import SavedModelScorer

    scorer = SavedModelScorer(files.saved_model)
    if test.flows is None:
        return {}
    return measure(test.flows, scorer.request, scorer.answer, seconds=seconds)


def _about(test: Split, train: Split, train_digest: str, seed: int) -> dict[str, Any]:
    return {
        "title": test.schema.title,
        "simulated": test.schema.simulated,
        "split": test.about,
        "train_split_digest": train_digest,
        "train_flows": train.counts,
        "test_flows": test.counts,
        "seed": seed,
        "latency": (
            "Median milliseconds per flow of the served graph's default signature (raw flows in, labels out), called "
            f"in process on {os.cpu_count()} CPUs; without network."
        ),
    }


def _headline(name: str, metrics: dict[str, float]) -> str:
    shown = ("accuracy", "macro_f1", "mcc", "detection_rate", "false_positive_rate")
    return f"{name:<18} " + "  ".join(f"{metric} {metrics[metric]:.4f}" for metric in HEADLINES if metric in shown)
