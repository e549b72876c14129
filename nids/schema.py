"""What a flow record is: its columns, their types and ranges, the label and the order of the classes.

Each data set declares one `FlowSchema`, next to its reader in `nids/datasets/`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

LABEL = "label"
"""Class name of a flow, one of `FlowSchema.classes`."""

SPLIT = "split"
"""`train` or `test` where the data set's authors fixed the split, else null."""

SOURCE_FILE = "source_file"
SOURCE_ROW = "source_row"
"""Where a flow was read: file name, and row in it (the first data row is 1)."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = {LABEL, SPLIT, SOURCE_FILE, SOURCE_ROW}


class Kind(StrEnum):
    """How a column is stored and how clients send it."""

    FLOAT = "float32"
    INTEGER = "int64"
    CATEGORY = "string"
    TIME = "float64"  # seconds since 1970; context columns only

    @property
    def polars(self) -> pl.DataType:
        return _POLARS[self]


_POLARS: dict[Kind, pl.DataType] = {
    Kind.FLOAT: pl.Float32(),
    Kind.INTEGER: pl.Int64(),
    Kind.CATEGORY: pl.String(),
    Kind.TIME: pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a flow record.

    Attributes:
        name: lower-case identifier; also the name of the served model's input.
        kind: storage type.
        minimum, maximum: inclusive range of a number, None for no bound.
        heavy_tailed: spread over orders of magnitude; log1p comes before scaling. Needs `minimum` >= 0.
        values: documented values of a category. Another value is scored through the unknown slot, and reported.
        nullable: whether a record may leave it out. Context columns only.
        description: what it measures, with the unit.
    """

    name: str
    kind: Kind = Kind.FLOAT
    minimum: float | None = 0.0
    maximum: float | None = None
    heavy_tailed: bool = False
    values: tuple[str, ...] = ()
    nullable: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.name):
            raise ValueError(f"Expected a lower-case identifier as column name. Received: {self.name!r}")
        if self.heavy_tailed and (self.minimum is None or self.minimum < 0):
            raise ValueError(f"Expected minimum >= 0 for heavy-tailed {self.name!r}. Received: {self.minimum}")

    @property
    def is_category(self) -> bool:
        return self.kind is Kind.CATEGORY


@dataclass(frozen=True)
class FlowSchema:
    """The meaning of one data set's flow records.

    Attributes:
        name: registry name, as in `--dataset`.
        title: name for people, with the source.
        features: columns a model may use, in the order of the data set.
        classes: class names; the position is the class index of every `y`, and `classes[0]` is the benign one.
        context: columns carried along and never shown to a model (time, addresses, attack name).
        time: context column that orders the flows, None where the data set has none.
        attack: context column with the finest attack name, None where the data set has none.
        simulated: True where the records were made by a simulator; every report says so.
    """

    name: str
    title: str
    features: tuple[Column, ...]
    classes: tuple[str, ...]
    context: tuple[Column, ...] = ()
    time: str | None = None
    attack: str | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        names = [c.name for c in (*self.features, *self.context)]
        if len(set(names)) != len(names) or _RESERVED & set(names):
            raise ValueError(f"Expected distinct, unreserved column names in schema {self.name!r}. Received: {names}")
        context = {c.name for c in self.context}
        for role in (self.time, self.attack):
            if role is not None and role not in context:
                raise ValueError(f"Expected {role!r} among the context columns of schema {self.name!r}")

    @property
    def benign(self) -> str:
        return self.classes[0]

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.features)

    @property
    def numeric(self) -> tuple[Column, ...]:
        return tuple(c for c in self.features if not c.is_category)

    @property
    def categorical(self) -> tuple[Column, ...]:
        return tuple(c for c in self.features if c.is_category)

    def feature(self, name: str) -> Column:
        """The feature called `name`; KeyError where there is none."""
        for column in self.features:
            if column.name == name:
                return column
        raise KeyError(name)

    def polars_schema(self) -> dict[str, pl.DataType]:
        """Columns of `flows.parquet`, in order: features, context, label, split, source file and row."""
        columns: Sequence[Column] = (*self.features, *self.context)
        return {c.name: c.kind.polars for c in columns} | {
            LABEL: pl.String(),
            SPLIT: pl.String(),
            SOURCE_FILE: pl.String(),
            SOURCE_ROW: pl.Int64(),
        }
