"""The data contracts: what each pipeline artifact looks like on disk. The only place that knows file names.

Every artifact is a folder. KFP sees its standard types; meaning lives here.

    flows            flows.parquet, unreadable.parquet, about.json
    validation       validation.json, rejected.parquet
    split            features.parquet, flows.parquet (val, test and original train), about.json
    transform        transform.json
    features         features.json
    hyperparameters  hyperparameters.json
    model            model.keras, saved_model/, transform.json, model.json
    evaluation       evaluation.json, predictions.parquet
    decision         decision.json
    pushed           pushed.json

`save_*` writes a folder whole or not at all; `load_*` raises ArtifactError for a folder that is not of that kind.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.datasets import get_schema
from nids.datasets.base import RawFlows
from nids.errors import ArtifactError
from nids.files import file_digest, new_folder, read_json, tree_digest, write_json
from nids.schema import FlowSchema
from nids.transform import Transform

_FLOWS = "flows.parquet"
_UNREADABLE = "unreadable.parquet"
_ABOUT = "about.json"
_VALIDATION = "validation.json"
_REJECTED = "rejected.parquet"
_FEATURES = "features.parquet"
_TRANSFORM = "transform.json"
_SELECTION = "features.json"
_HYPERPARAMETERS = "hyperparameters.json"
_KERAS = "model.keras"
_SAVED_MODEL = "saved_model"
_MODEL = "model.json"
_EVALUATION = "evaluation.json"
_PREDICTIONS = "predictions.parquet"
_DECISION = "decision.json"
_PUSHED = "pushed.json"

_T = TypeVar("_T")


# -- flows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flows:
    """Flow records of one schema, with the rows that could not be read."""

    schema: FlowSchema
    raw: RawFlows


def save_flows(path: str | Path, schema: FlowSchema, raw: RawFlows) -> None:
    expected = schema.polars_schema()
    if dict(raw.frame.schema) != expected:
        raise ArtifactError(f"Expected the columns {expected}. Received: {dict(raw.frame.schema)}")
    with new_folder(path) as folder:
        raw.frame.write_parquet(folder / _FLOWS, metadata={"schema": schema.name})
        raw.unreadable.write_parquet(folder / _UNREADABLE)
        write_json(folder / _ABOUT, {"schema": schema.name, **raw.about})


def load_flows(path: str | Path) -> Flows:
    about = read_json(Path(path) / _ABOUT)
    frame, unreadable = _read_parquet(path, _FLOWS), _read_parquet(path, _UNREADABLE)
    return Flows(_schema(path, about), RawFlows(frame, unreadable, about))


# -- validation -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Validation:
    """What data validation found.

    Attributes:
        schema: name of the schema.
        rows: rows read, unreadable ones included.
        rejected: rows set aside.
        expectations: one entry per expectation: `name`, `column`, `level` (`row`, `table`), `success`, `unexpected`
            (number of rows), `examples` (list of texts), `description`.
        classes: kept rows per class, in class order.
        about: the facts of the flows artifact (files, digests, ...).
    """

    schema: str
    rows: int
    rejected: int
    expectations: list[dict[str, Any]]
    classes: dict[str, int]
    about: dict[str, Any] = field(default_factory=dict)


def save_validation(path: str | Path, validation: Validation, rejected: pl.DataFrame) -> None:
    """`rejected`: the rows set aside, all columns as read, with `reason`."""
    with new_folder(path) as folder:
        write_json(folder / _VALIDATION, asdict(validation))
        rejected.write_parquet(rejected_file(folder))


def rejected_file(path: str | Path) -> Path:
    """Where a validation keeps the rows set aside."""
    return Path(path) / _REJECTED


def load_validation(path: str | Path) -> Validation:
    return _from_dict(Validation, read_json(Path(path) / _VALIDATION))


def load_rejected(path: str | Path) -> pl.DataFrame:
    return _read_parquet(path, _REJECTED)


# -- split ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """One side of a split, transformed.

    Attributes:
        schema: the schema of the raw flows.
        X: one column per raw feature, in `Transform.feature_names` order: float32 in [0, 1] or int32 code. Shape
            (n_flows, n_features).
        y: int32 class indices of shape (n_flows,).
        flows: the raw records, row for row those of X; None where X holds synthetic rows.
        class_weight: loss weight per class index, None for equal weights.
        about: `role` (train, val, test), `method` (how the split came about, in a sentence), `seed`, ...
    """

    schema: FlowSchema
    X: pl.DataFrame
    y: npt.NDArray[np.int32]
    flows: pl.DataFrame | None = None
    class_weight: dict[int, float] | None = None
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Rows per class name, in class order, absent classes as 0."""
        totals = np.bincount(self.y, minlength=len(self.schema.classes))
        return {name: int(total) for name, total in zip(self.schema.classes, totals, strict=True)}


def save_split(path: str | Path, split: Split) -> None:
    rows = {split.X.height, len(split.y)} | ({split.flows.height} if split.flows is not None else set())
    if len(rows) != 1:
        raise ArtifactError(f"Expected as many labels and flows as feature rows. Received: {sorted(rows)}")
    weight = {str(index): value for index, value in (split.class_weight or {}).items()}
    with new_folder(path) as folder:
        split.X.with_columns(pl.Series("label", split.y, dtype=pl.Int32)).write_parquet(folder / _FEATURES)
        if split.flows is not None:
            split.flows.write_parquet(folder / _FLOWS)
        about = {**split.about, "schema": split.schema.name, "class_weight": weight or None}
        write_json(folder / _ABOUT, about)


def load_split(path: str | Path) -> Split:
    about = read_json(Path(path) / _ABOUT)
    schema = _schema(path, about)
    table = _read_parquet(path, _FEATURES)
    flows = _read_parquet(path, _FLOWS) if (Path(path) / _FLOWS).exists() else None
    weight = about.pop("class_weight", None)
    return Split(
        schema=schema,
        X=table.drop("label"),
        y=table["label"].to_numpy(),
        flows=flows,
        class_weight={int(index): value for index, value in weight.items()} if weight else None,
        about=about,
    )


def split_digest(path: str | Path) -> str:
    """sha256 of the transformed rows of a split: equal rows in equal order, equal digest."""
    return file_digest(Path(path) / _FEATURES)


# -- transform, features, hyperparameters -----------------------------------------------------------------------------


def save_transform(path: str | Path, transform: Transform) -> None:
    with new_folder(path) as folder:
        write_json(folder / _TRANSFORM, transform.to_json())


def load_transform(path: str | Path) -> Transform:
    return Transform.from_json(read_json(Path(path) / _TRANSFORM))


@dataclass(frozen=True)
class Selection:
    """Selected raw features.

    Attributes:
        selected: names, in the order of `Transform.feature_names`.
        method: how Boruta and RFE were combined.
        table: one entry per feature, in schema order: `name`, `boruta` (confirmed, tentative, rejected or null),
            `importance`, `rfe_rank` (1 is kept; or null), `selected`.
        about: sample size, iterations, seed, ...
    """

    selected: list[str]
    method: str
    table: list[dict[str, Any]]
    about: dict[str, Any] = field(default_factory=dict)


def save_selection(path: str | Path, selection: Selection) -> None:
    with new_folder(path) as folder:
        write_json(folder / _SELECTION, asdict(selection))


def load_selection(path: str | Path) -> Selection:
    return _from_dict(Selection, read_json(Path(path) / _SELECTION))


@dataclass(frozen=True)
class Tuning:
    """The outcome of a hyperparameter search.

    Attributes:
        architecture: name of the model architecture.
        hyperparameters: the best point of the grid.
        objective: name of the validation metric, and whether larger is better.
        trials: one entry per grid point, in grid order: `hyperparameters`, `score`, `epochs`, `best`.
    """

    architecture: str
    hyperparameters: dict[str, Any]
    objective: str
    trials: list[dict[str, Any]]
    about: dict[str, Any] = field(default_factory=dict)


def save_tuning(path: str | Path, tuning: Tuning) -> None:
    with new_folder(path) as folder:
        write_json(folder / _HYPERPARAMETERS, asdict(tuning))


def load_tuning(path: str | Path) -> Tuning:
    return _from_dict(Tuning, read_json(Path(path) / _HYPERPARAMETERS))


# -- model ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelInfo:
    """What a model folder says of itself.

    Attributes:
        architecture: name of the model architecture.
        hyperparameters: those it was built and trained with.
        schema: name of the schema of its flows.
        classes: class names in index order.
        features: selected raw features, in input order.
        seed: seed of its initial weights and of the order of its batches.
        parameters: number of trainable weights.
        history: per epoch: `epoch`, `loss`, `val_loss`, `val_macro_f1`, ...
        about: digests of the artifacts it came from, best epoch, ...
    """

    architecture: str
    hyperparameters: dict[str, Any]
    schema: str
    classes: list[str]
    features: list[str]
    seed: int
    parameters: int
    history: list[dict[str, Any]]
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFiles:
    """Paths inside a model folder. The digest covers every byte below it."""

    root: Path

    @property
    def keras(self) -> Path:
        return self.root / _KERAS

    @property
    def saved_model(self) -> Path:
        return self.root / _SAVED_MODEL

    @property
    def transform(self) -> Path:
        return self.root / _TRANSFORM

    def info(self) -> ModelInfo:
        return _from_dict(ModelInfo, read_json(self.root / _MODEL))

    def write_info(self, info: ModelInfo) -> None:
        write_json(self.root / _MODEL, asdict(info))

    def digest(self) -> str:
        """sha256 of the whole folder, in hex: what a decision approves and what model_push checks."""
        if not self.keras.exists() or not self.saved_model.is_dir():
            raise ArtifactError(f"Expected {_KERAS} and {_SAVED_MODEL}/ in {self.root}")
        return tree_digest(self.root)


# -- evaluation, decision, pushed version -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on one untouched test split.

    Attributes:
        model_digest: `ModelFiles.digest()` of the model.
        split_digest: `split_digest()` of the test split.
        schema, classes: what was classified.
        metrics: flat numbers by name, those a gate rule may name; null where undefined.
        intervals: 95 % confidence interval [low, high] by metric name.
        per_class: by class name: `precision`, `recall`, `f1`, `support`, `roc_auc`, `pr_auc`.
        per_attack: by finest attack name: `support`, `detected` (flagged as any attack), `seen_in_training`.
        confusion: counts [true class][predicted class].
        latency: milliseconds per flow by batch size, with what was measured. Not reproducible, so kept apart.
        baselines: by name: the same `metrics` of a plain model on the same split.
        about: facts for the report (how the split came about, simulated or not, rows, ...).
    """

    model_digest: str
    split_digest: str
    schema: str
    classes: list[str]
    metrics: dict[str, float | None]
    intervals: dict[str, list[float]]
    per_class: dict[str, dict[str, float | None]]
    per_attack: dict[str, dict[str, Any]]
    confusion: list[list[int]]
    latency: dict[str, float]
    baselines: dict[str, dict[str, float | None]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def save_evaluation(path: str | Path, evaluation: Evaluation, predictions: pl.DataFrame) -> None:
    """`predictions`: `label` (int32) and one float32 column per class, in test order."""
    with new_folder(path) as folder:
        write_json(folder / _EVALUATION, asdict(evaluation))
        predictions.write_parquet(folder / _PREDICTIONS)


def load_evaluation(path: str | Path) -> Evaluation:
    return _from_dict(Evaluation, read_json(Path(path) / _EVALUATION))


def load_predictions(path: str | Path) -> pl.DataFrame:
    return _read_parquet(path, _PREDICTIONS)


@dataclass(frozen=True)
class Decision:
    """The gate's verdict on one model.

    Attributes:
        approved: True only if there is a rule and every rule passed.
        model_digest: the model it speaks of, and of no other.
        split_digest: the test split behind the values.
        rules: one entry per rule: `metric`, `comparison` (>= or <=), `bound`, `value` (or null), `passed`, `reason`.
    """

    approved: bool
    model_digest: str
    split_digest: str
    rules: list[dict[str, Any]]


def save_decision(path: str | Path, decision: Decision) -> None:
    with new_folder(path) as folder:
        write_json(folder / _DECISION, asdict(decision))


def load_decision(path: str | Path) -> Decision:
    """ArtifactError where a field is of another type: `"false"` must approve nothing."""
    file = Path(path) / _DECISION
    decision = _from_dict(Decision, read_json(file))
    kinds = {"approved": bool, "model_digest": str, "split_digest": str, "rules": list}
    for name, kind in kinds.items():
        if type(getattr(decision, name)) is not kind:
            raise ArtifactError(
                f"Expected {name} to be a {kind.__name__} in {file}. Received: {getattr(decision, name)!r}"
            )
    for rule in decision.rules:
        if (
            not isinstance(rule, dict)
            or not isinstance(rule.get("metric"), str)
            or type(rule.get("passed")) is not bool
        ):
            raise ArtifactError(
                f"Expected metric (str) and passed (bool) in each of the rules in {file}. Received: {rule}"
            )
    return decision


@dataclass(frozen=True)
class Pushed:
    """A version in the model store.

    Attributes:
        model: served name.
        version: its number.
        path: folder of the version.
        model_digest: digest of the model folder it came from.
        created: False where the latest version was exactly this model already.
    """

    model: str
    version: int
    path: str
    model_digest: str
    created: bool


def save_pushed(path: str | Path, pushed: Pushed) -> None:
    with new_folder(path) as folder:
        write_json(folder / _PUSHED, asdict(pushed))


def load_pushed(path: str | Path) -> Pushed:
    return _from_dict(Pushed, read_json(Path(path) / _PUSHED))


# -- shared -----------------------------------------------------------------------------------------------------------


def _schema(path: str | Path, about: Any) -> FlowSchema:
    name = about.get("schema") if isinstance(about, dict) else None
    if name is None:
        raise ArtifactError(f"Expected the name of a schema in {Path(path) / _ABOUT}. Received: none")
    return get_schema(name)


def _read_parquet(path: str | Path, name: str) -> pl.DataFrame:
    file = Path(path) / name
    try:
        return pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"Expected a Parquet file at {file}. Received: {str(error).splitlines()[0]}") from error


def _from_dict(kind: type[_T], data: dict[str, Any]) -> _T:
    try:
        return kind(**data)
    except TypeError as error:
        raise ArtifactError(f"Expected the fields of {kind.__name__}. Received: {error}") from error
