"""Files of raw flows, batch by batch, as the arrays a model takes; and files of scores."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from nids.errors import InputError, StoreError
from nids.files import new_file
from serving.signature import TensorSpec
from serving.tensors import BY_NUMBER, STRING, Array, DType

_BLOCK = 4 << 20
_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet",)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file.

    Attributes:
        first_row: number of the first of them; the first data row of a file is 1.
        columns: array of shape (n,) by input name.
    """

    first_row: int
    columns: dict[str, Array]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def read_batches(path: str | Path, inputs: Mapping[str, TensorSpec], batch_size: int) -> Iterator[Batch]:
    """The flows of a CSV (`.csv`, `.csv.gz`) or Parquet file, at most `batch_size` at a time.

    Columns are found by the names of the model's inputs; other columns are not looked at. An empty cell of a string
    input is the empty string.

    Raises:
        InputError: no such file, another kind of file, a damaged one, one without rows, a missing column, or a cell
            that has no finite value of its input's type; row and column are named.
    """
    file = Path(path)
    kinds = {name: _kind(spec) for name, spec in inputs.items()}
    row = 1
    pending: pl.DataFrame | None = None
    for frame in _frames(file, list(kinds), batch_size):
        table = frame if pending is None else pl.concat([pending, frame])
        whole = table.height - table.height % batch_size
        for start in range(0, whole, batch_size):
            yield _batch(table[start : start + batch_size], kinds, row, file)
            row += batch_size
        pending = table[whole:]
    if pending is not None and pending.height:
        yield _batch(pending, kinds, row, file)
    elif row == 1:
        raise InputError(f"Expected at least one flow in {file}. Received: none")


def _kind(spec: TensorSpec) -> DType:
    kind = BY_NUMBER.get(spec.dtype)
    if kind is None or kind.numpy.kind not in "fiuO" or spec.shape not in ((-1,), None):
        raise InputError(f"Expected a model whose inputs are columns of numbers or strings. Received: {spec.text}")
    return kind


def _frames(file: Path, names: list[str], batch_size: int) -> Iterator[pl.DataFrame]:
    _check_file(file)
    try:
        if file.name.lower().endswith(_PARQUET):
            yield from _parquet(file, names, batch_size)
        else:
            yield from _csv(file, names)
    except (pa.ArrowException, OSError) as error:
        # Arrow counts the header as row 1.
        text = re.sub(r"Row #(\d+)", lambda match: f"row {int(match[1]) - 1}", " ".join(str(error).split()))
        raise InputError(f"Expected an intact file at {file}. Received: {text}") from error


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise InputError(f"Expected a file at {file}. Received: a folder")
    if not file.exists():
        raise InputError(f"Expected a file at {file}. Received: nothing of that name")
    if not file.name.lower().endswith(_CSV + _PARQUET):
        raise InputError(f"Expected a file name that ends in {', '.join(_CSV + _PARQUET)}. Received: {file.name}")
    if file.stat().st_size == 0:
        raise InputError(f"Expected flows in {file}. Received: an empty file")


def _csv(file: Path, names: list[str]) -> Iterator[pl.DataFrame]:
    # Cells stay text until a batch is made, so that a wrong one can be named with its row.
    read = pa.csv.ReadOptions(block_size=_BLOCK, use_threads=False)
    with pa.csv.open_csv(file, read_options=read) as header:
        _check_columns(file, header.schema.names, names)
    convert = pa.csv.ConvertOptions(
        include_columns=names, column_types={name: pa.string() for name in names}, strings_can_be_null=False
    )
    with pa.csv.open_csv(file, read_options=read, convert_options=convert) as reader:
        for batch in reader:
            yield _polars(batch)


def _parquet(file: Path, names: list[str], batch_size: int) -> Iterator[pl.DataFrame]:
    with pa.parquet.ParquetFile(file) as table:
        _check_columns(file, table.schema_arrow.names, names)
        for batch in table.iter_batches(batch_size=batch_size, columns=names):
            yield _polars(batch)


def _polars(batch: Any) -> pl.DataFrame:
    frame = pl.from_arrow(batch)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a record batch became no frame")
    return frame


def _check_columns(file: Path, found: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise InputError(f"Expected the columns {', '.join(names)} in {file}. Missing: {', '.join(missing)}")
    twice = [name for name in names if list(found).count(name) > 1]
    if twice:
        raise InputError(f"Expected each column once in {file}. Received twice: {', '.join(twice)}")


def _batch(frame: pl.DataFrame, kinds: Mapping[str, DType], row: int, file: Path) -> Batch:
    return Batch(row, {name: _column(frame[name], kind, row, file) for name, kind in kinds.items()})


def _column(cells: pl.Series, kind: DType, row: int, file: Path) -> Array:
    if kind is STRING:
        return _strings(cells, row, file)
    numbers = cells.str.strip_chars() if cells.dtype == pl.String() else cells
    return (_integers if kind.numpy.kind in "iu" else _floats)(cells, numbers, kind, row, file)


def _strings(cells: pl.Series, row: int, file: Path) -> Array:
    if cells.dtype.is_float() or cells.dtype.is_temporal() or cells.dtype.is_nested():
        raise InputError(f"Expected strings in column {cells.name} of {file}. Received: {cells.dtype}")
    texts = cells.cast(pl.String, strict=False)
    _check_cells(cells, texts.is_null(), "a string", row, file)
    return texts.to_numpy()


def _floats(cells: pl.Series, numbers: pl.Series, kind: DType, row: int, file: Path) -> Array:
    floats = numbers.cast(pl.Float64, strict=False)
    _check_cells(cells, (~floats.is_finite()).fill_null(True), "a finite number", row, file)
    with np.errstate(over="ignore"):
        array = floats.to_numpy().astype(kind.numpy)
    _check_cells(cells, pl.Series(~np.isfinite(array)), f"a number that fits {kind.numpy}", row, file)
    return array


def _integers(cells: pl.Series, numbers: pl.Series, kind: DType, row: int, file: Path) -> Array:
    whole = pl.UInt64 if kind.numpy == np.uint64 else pl.Int64
    integers = numbers.cast(whole, strict=False) if not numbers.dtype.is_float() else None
    if integers is None or integers.null_count():
        # `3.0` is the whole number 3: what a table with floats makes of it.
        floats = numbers.cast(pl.Float64, strict=False)
        rounded = floats.set((floats != floats.round()).fill_null(True), None).cast(whole, strict=False)
        integers = rounded if integers is None else integers.fill_null(rounded)
    limits = np.iinfo(kind.numpy)
    bad = integers.is_null() | (integers < limits.min) | (integers > limits.max)
    _check_cells(cells, bad.fill_null(True), "a whole number", row, file)
    return integers.to_numpy().astype(kind.numpy, copy=False)


def _check_cells(cells: pl.Series, bad: pl.Series, wanted: str, row: int, file: Path) -> None:
    if not bad.any():
        return
    position = int(bad.arg_true()[0])
    value = cells[position]
    shown = "an empty cell" if value is None or value == "" else repr(value)
    raise InputError(f"Expected {wanted} in column {cells.name}, row {row + position} of {file}. Received: {shown}")


class ScoreWriter(Protocol):
    """Takes frames of scores, one after the other, all with the same columns."""

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""


class _CsvWriter:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._header = True

    def write(self, frame: pl.DataFrame) -> None:
        self._file.write(frame.write_csv(include_header=self._header))
        self._header = False


class _ParquetWriter:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow()
        if self._writer is None:
            self._writer = pa.parquet.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@contextmanager
def score_writer(output: str | Path | None) -> Iterator[ScoreWriter]:
    """Write scores to a `.csv` or `.parquet` file, which is there only once the block has ended without an error, or
    as CSV to standard output for None.

    Raises:
        InputError: another kind of file name, or a folder.
        StoreError: it cannot be written.
    """
    if output is None:
        yield _CsvWriter(sys.stdout)
        sys.stdout.flush()
        return
    target = Path(output)
    check_output(target)
    with _writable(target), new_file(target) as beside:
        if target.name.lower().endswith(_PARQUET):
            writer = _ParquetWriter(beside)
            try:
                yield writer
            finally:
                writer.close()
        else:
            with beside.open("w", encoding="utf-8", newline="") as file:
                yield _CsvWriter(file)


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"Expected a file that can be written at {target}. Received: {error.strerror}") from error


def check_output(target: Path) -> None:
    """Refuse an output that cannot be written, before any work is done. Raises InputError."""
    if target.is_dir():
        raise InputError(f"Expected a file name for the scores. Received: the folder {target}")
    if not target.name.lower().endswith((".csv", *_PARQUET)):
        raise InputError(f"Expected an output name that ends in .csv or .parquet. Received: {target.name}")
