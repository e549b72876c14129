"""What a data set module declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import polars as pl

from nids.schema import FlowSchema

UNREADABLE_SCHEMA: dict[str, pl.DataType] = {
    "source_file": pl.String(),
    "source_row": pl.Int64(),
    "column": pl.String(),
    "reason": pl.String(),
    "text": pl.String(),
}
"""Rows that could not become a flow record: where they stood, why, and their text, so that nothing is lost."""


class FileFacts(TypedDict):
    """One file that was read, as an entry of `about["files"]`.

    `rows` counts unreadable rows too. `sha256_unpacked` is that of the text of a file that may be packed; `split` is
    the side of the official split it holds; `official` says whether its text is what the authors published.
    """

    file: str
    rows: int
    sha256: str
    sha256_unpacked: NotRequired[str]
    split: NotRequired[str]
    official: NotRequired[bool]


def files_read(about: Mapping[str, Any]) -> list[FileFacts]:
    """The files that records with the facts `about` were read from; none where they were made."""
    files: list[FileFacts] = about.get("files", [])
    return files


@dataclass(frozen=True)
class RawFlows:
    """What a reader returns.

    Attributes:
        frame: flow records with exactly the columns of `FlowSchema.polars_schema()`. Values out of range, unknown
            labels, NaN and infinities are still in it: judging them is the work of data validation.
        unreadable: rows with a cell that has no value of the column's type, in the columns of `UNREADABLE_SCHEMA`.
        about: facts for the reports: `files`, a list of `FileFacts`; how the split came about, ...
    """

    frame: pl.DataFrame
    unreadable: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=UNREADABLE_SCHEMA))
    about: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class FlowDataset:
    """A data set: its schema and how to get its records.

    Attributes:
        schema: the meaning of its columns.
        read: from a file or folder to records. Raises InputError, naming file, column or row, for what is not
            this data set: a missing, extra or renamed column, an empty or truncated file, a folder for a file.
        simulate: (n_flows, seed) to records, for the one data set that is made and not read; None otherwise.
    """

    schema: FlowSchema
    read: Callable[[Path], RawFlows]
    simulate: Callable[[int, int], RawFlows] | None = None
