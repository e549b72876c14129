"""From raw flow features to model inputs: a fitted transform that is plain data.

A number is clipped to the range fitted on the training split, passed through log1p where its column is heavy-tailed,
and scaled to [0, 1]. A category becomes its position in the fitted vocabulary, counted from 1; 0 is the unknown slot.
The same arithmetic, in float32, is applied here with numpy and in `nids/savedmodel.py` inside the served graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.errors import ArtifactError, InputError
from nids.schema import FlowSchema

UNKNOWN = 0
"""Code of a category that the training split did not hold."""


@dataclass(frozen=True)
class NumberScale:
    """Fitted scaling of one number: `minimum` and `maximum` of the raw values, before log1p."""

    minimum: float
    maximum: float
    log1p: bool

    @classmethod
    def fit(cls, values: npt.NDArray[Any], log1p: bool) -> NumberScale:
        """The scale of finite `values`. A span that float32 cannot divide by counts as constant."""
        low, high = np.float32(values.min()), np.float32(values.max())
        with np.errstate(over="ignore", divide="ignore"):
            span = np.log1p(high) - np.log1p(low) if log1p else high - low
            divides = np.isfinite(span) and np.isfinite(np.float32(1) / span)
        return cls(float(low), float(high if divides else low), log1p)

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """float32 array of any shape, in [0, 1]; a column that was constant in training becomes 0. NaN stays NaN."""
        low, high = np.float32(self.minimum), np.float32(self.maximum)
        x = np.clip(values.astype(np.float32), low, high)
        if self.log1p:
            x, low, high = np.log1p(x), np.log1p(low), np.log1p(high)
        if high <= low:
            return x * np.float32(0)
        # Two float32 roundings can step over 1 by one unit in the last place.
        scaled: npt.NDArray[np.float32] = np.clip((x - low) * (np.float32(1) / (high - low)), 0, 1)
        return scaled.astype(np.float32)


@dataclass(frozen=True)
class Transform:
    """The fitted transform of one training split, for the columns of one schema.

    Attributes:
        schema: name of the schema.
        classes: class names in index order.
        numbers: scaling per numeric feature.
        vocabularies: known values per categorical feature, sorted; the code of `vocabularies[c][i]` is i + 1.
    """

    schema: str
    classes: tuple[str, ...]
    numbers: dict[str, NumberScale]
    vocabularies: dict[str, tuple[str, ...]]

    @classmethod
    def fit(cls, flows: pl.DataFrame, schema: FlowSchema) -> Transform:
        """Fit on the training flows, with the columns of `schema`.

        Raises:
            InputError: there are no flows, or a number is not finite.
        """
        if flows.is_empty():
            raise InputError("Expected at least one training flow to fit the transform on. Received: none")
        numbers: dict[str, NumberScale] = {}
        for column in schema.numeric:
            values = flows[column.name].to_numpy().astype(np.float32)
            if not np.isfinite(values).all():
                raise InputError(f"Expected finite numbers in column {column.name!r} of the training flows")
            if column.heavy_tailed and values.min() < 0:
                raise InputError(
                    f"Expected numbers >= 0 in column {column.name!r} of the training flows: log1p is for them. "
                    f"Received: {values.min()}"
                )
            numbers[column.name] = NumberScale.fit(values, column.heavy_tailed)
        vocabularies = {
            column.name: tuple(sorted(flows[column.name].drop_nulls().unique().to_list()))
            for column in schema.categorical
        }
        return cls(schema.name, schema.classes, numbers, vocabularies)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Numeric features, then categorical ones, each in schema order."""
        return (*self.numbers, *self.vocabularies)

    def apply(self, flows: pl.DataFrame) -> pl.DataFrame:
        """One column per raw feature: float32 in [0, 1] for a number, int32 code for a category.

        Raises:
            InputError: `flows` lacks a feature, which is named.
        """
        missing = [name for name in self.feature_names if name not in flows.columns]
        if missing:
            raise InputError(f"Expected the features the transform was fitted on. Missing: {missing}")
        columns: list[pl.Series] = [
            pl.Series(name, scale.apply(flows[name].to_numpy()), dtype=pl.Float32)
            for name, scale in self.numbers.items()
        ]
        for name, vocabulary in self.vocabularies.items():
            codes = {value: code for code, value in enumerate(vocabulary, start=1)}
            columns.append(flows[name].replace_strict(codes, default=UNKNOWN, return_dtype=pl.Int32).alias(name))
        return pl.DataFrame(columns)

    def labels(self, flows: pl.DataFrame) -> npt.NDArray[np.int32]:
        """int32 array of shape (n_flows,): class indices of the column `label`. InputError for an unknown class."""
        unknown = set(flows["label"].unique().to_list()) - set(self.classes)
        if unknown:
            raise InputError(f"Expected labels among {list(self.classes)}. Received: {sorted(map(str, unknown))}")
        codes = {name: index for index, name in enumerate(self.classes)}
        return flows["label"].replace_strict(codes, return_dtype=pl.Int32).to_numpy()

    def to_json(self) -> dict[str, Any]:
        """Lists, not objects, hold the features: their order has a meaning, and a JSON object has none."""
        return {
            "schema": self.schema,
            "classes": list(self.classes),
            "numbers": [
                {"name": name, "minimum": s.minimum, "maximum": s.maximum, "log1p": s.log1p}
                for name, s in self.numbers.items()
            ],
            "vocabularies": [{"name": name, "values": list(values)} for name, values in self.vocabularies.items()],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Transform:
        """The transform that `to_json` wrote; ArtifactError for anything else."""
        try:
            return cls(
                schema=data["schema"],
                classes=tuple(data["classes"]),
                numbers={
                    n["name"]: NumberScale(float(n["minimum"]), float(n["maximum"]), bool(n["log1p"]))
                    for n in data["numbers"]
                },
                vocabularies={v["name"]: tuple(v["values"]) for v in data["vocabularies"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"Expected a transform with its schema, classes, numbers and vocabularies. Received: {error!r}"
            ) from error


@dataclass(frozen=True)
class InputLayout:
    """Which selected features enter a model, and in which of its two inputs.

    A model has the inputs `numbers`, float32 of shape (n, len(numbers)), and `codes`, int32 of shape (n, len(codes)).
    An input without features is left out.

    Attributes:
        numbers: numeric features, in input order.
        codes: categorical features, in input order.
        slots: one-hot width per categorical feature: its vocabulary and the unknown slot.
    """

    numbers: tuple[str, ...]
    codes: tuple[str, ...]
    slots: tuple[int, ...]

    @classmethod
    def of(cls, selected: Sequence[str], transform: Transform) -> InputLayout:
        """The layout of the features `selected`, in their order. InputError names one the transform lacks."""
        missing = [name for name in selected if name not in transform.feature_names]
        if missing or not selected:
            raise InputError(f"Expected features among {list(transform.feature_names)}. Received: {missing}")
        codes = tuple(name for name in selected if name in transform.vocabularies)
        return cls(
            numbers=tuple(name for name in selected if name in transform.numbers),
            codes=codes,
            slots=tuple(len(transform.vocabularies[name]) + 1 for name in codes),
        )

    @property
    def width(self) -> int:
        """Number of values per flow after one-hot encoding."""
        return len(self.numbers) + sum(self.slots)

    def arrays(self, X: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
        """Model inputs from a transformed frame (`Transform.apply`), C-contiguous."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        if self.numbers:
            arrays["numbers"] = np.ascontiguousarray(X.select(self.numbers).to_numpy(), dtype=np.float32)
        if self.codes:
            arrays["codes"] = np.ascontiguousarray(X.select(self.codes).to_numpy(), dtype=np.int32)
        return arrays
