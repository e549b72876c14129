"""The sections of the report that tell how the model came about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.evaluation import plots
from nids.artifacts import Evaluation, ModelInfo, Selection, Tuning, Validation
from nids.datasets.base import files_read
from nids.html import Html, badge, facts, figure, paragraph, section, table

_VERDICT_TONES: Mapping[str, Any] = {"confirmed": "good", "tentative": "note", "rejected": "bad"}


@dataclass(frozen=True)
class Background:
    """What the earlier steps left."""

    validation: Validation
    selection: Selection
    tuning: Tuning
    model: ModelInfo


def sections(background: Background, classes: Sequence[str]) -> Iterator[Html]:
    """Training, tuning, features, data: from the model backwards."""
    yield section("How it was trained", *_training(background.model))
    yield section("How it was tuned", *_tuning(background.tuning))
    yield section("What it looks at", *_selection(background.selection))
    yield section("The data", *_validation(background.validation, classes))


def provenance(evaluation: Evaluation, background: Background) -> Html:
    """Digests and seeds: what to compare when two runs are said to be the same."""
    found: dict[str, object] = {
        "Model (sha256)": evaluation.model_digest,
        "Test split (sha256)": evaluation.split_digest,
        "Train split (sha256)": evaluation.about["train_split_digest"],
        "Seed of the evaluation": str(evaluation.about["seed"]),
        "Seed of the training": str(background.model.seed),
        "Seed of the split": str(evaluation.about["split"].get("seed", "")),
    }
    for name, value in sorted(background.model.about.items()):
        if name.endswith("digest"):
            found[f"Model made from: {name.replace('_', ' ')}"] = value
    for file in files_read(background.validation.about):
        found[f"{file['file']} (sha256)"] = file["sha256"]
    return facts(found)


def _training(model: ModelInfo) -> Iterator[Html]:
    best = model.about.get("best_epoch")
    kept = {} if best is None else {"Weights kept of epoch": str(best)}
    yield facts(
        {
            "Architecture": model.architecture,
            "Weights": model.parameters,
            "Epochs": len(model.history),
            **kept,
            "Hyperparameters": _settings(model.hyperparameters),
        }
    )
    if model.history:
        image = plots.history(model.history, best if isinstance(best, int) else None)
        yield figure(image, "Loss and validation score per epoch.", plots.MEDIA_TYPE)


def _tuning(tuning: Tuning) -> Iterator[Html]:
    yield paragraph(
        f"{len(tuning.trials)} point(s) of a grid, each tried once, scored on the validation split: {tuning.objective}."
    )
    names = sorted({name for trial in tuning.trials for name in trial.get("hyperparameters", {})})
    rows = [
        (
            *(_setting(trial.get("hyperparameters", {}).get(name)) for name in names),
            trial.get("score"),
            trial.get("epochs"),
            badge("best", "good") if trial.get("best") else "",
        )
        for trial in tuning.trials
    ]
    yield table([*names, "score", "epochs", ""], rows)


def _selection(selection: Selection) -> Iterator[Html]:
    yield paragraph(
        f"{len(selection.selected)} of {len(selection.table)} features, by method '{selection.method}'. Boruta asks "
        "whether a feature tells more than its own shuffled copy; elimination drops the weakest until a number is left "
        "(rank 1 is kept). Clients need to send only the selected ones."
    )
    rows = [
        (
            row["name"],
            badge("selected", "good") if row["selected"] else "",
            badge(row["boruta"], _VERDICT_TONES.get(row["boruta"], "note")) if row.get("boruta") else "",
            row.get("importance"),
            row.get("rfe_rank"),
        )
        for row in selection.table
    ]
    yield table(["feature", "", "Boruta", "importance", "elimination rank"], rows)


def _validation(validation: Validation, classes: Sequence[str]) -> Iterator[Html]:
    failed = [entry for entry in validation.expectations if not entry["success"]]
    yield paragraph(
        f"{validation.rows:,} rows read, {validation.rejected:,} set aside for breaking a row rule; "
        f"{len(validation.expectations) - len(failed)} of {len(validation.expectations)} expectations held."
    )
    if failed:
        rows = [
            (entry["name"], entry.get("column") or "", entry.get("unexpected"), entry.get("description", ""))
            for entry in failed
        ]
        yield table(["expectation not met", "column", "rows", "what it asks"], rows)
    yield table(["class", "rows kept"], [(name, validation.classes.get(name)) for name in classes])
    files = files_read(validation.about)
    if files:
        yield table(["file", "rows", "sha256"], [(file["file"], file["rows"], file["sha256"]) for file in files])


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_setting(value)}" for name, value in sorted(values.items()))


def _setting(value: Any) -> str:
    """A hyperparameter as it was given: 0.001, not 0.0010."""
    return value if isinstance(value, str) else json.dumps(value)
