"""Reads files of flow records cell by cell, so that a cell without a value of its column's type is found and kept."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from nids.datasets._records import FIELDS, RECORD_SCHEMA, SUFFIXES, UNSET, ZEEK_TYPES
from nids.datasets.base import UNREADABLE_SCHEMA
from nids.errors import InputError
from nids.schema import SOURCE_ROW

_MAY_BE_UNSET = {"duration", "orig_bytes", "resp_bytes", "service", "history"}
_REASONS = {"time": "not a finite time", "interval": "not a number", "count": "not a whole number"}
_REASONS["port"] = _REASONS["count"]
_CHUNK = 1 << 20


def read_records(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records of one file, and the rows that are none.

    Returns:
        Frame with `source_row` (from 1) and the columns RECORD_SCHEMA, unset values null; NaN and infinite durations
        and numbers out of range are still in it. Frame with the columns UNREADABLE_SCHEMA, one row per row set aside,
        which names the first cell at fault.

    Raises:
        InputError: another extension, an empty or damaged file, not UTF-8, other columns, a row with too many cells.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"Expected a file of flow records that ends in {', '.join(SUFFIXES)}. Received: {path}")
    if path.stat().st_size == 0:
        raise InputError(f"Expected flow records in {path}. Received: an empty file")
    cells = {".csv": _read_csv, ".log": _read_log, ".parquet": _read_parquet}[suffix](path)
    if cells.is_empty():
        raise InputError(f"Expected flow records in {path}. Received: a file without rows")
    return _parse(cells, path.name, "\t" if suffix == ".log" else ",")


def _read_csv(path: Path) -> pl.DataFrame:
    _check_text(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        _check_columns(next(csv.reader(file), []), path)
    return _read_text(path, ",", None)


def _read_log(path: Path) -> pl.DataFrame:
    _check_text(path)
    with path.open(encoding="utf-8") as file:
        names = next((line.rstrip("\r\n").split("\t")[1:] for line in file if line.startswith(FIELDS)), None)
    if names is None:
        raise InputError(f"Expected a Zeek log with a {FIELDS} line in {path}. Received: none")
    _check_columns(names, path)
    return _read_text(path, "\t", names)


def _read_text(path: Path, separator: str, names: list[str] | None) -> pl.DataFrame:
    """All cells as text; `names` where the file has no header row but comments."""
    zeek = names is not None
    try:
        return pl.read_csv(
            path,
            separator=separator,
            has_header=not zeek,
            schema=dict.fromkeys(names, pl.String()) if names else None,
            comment_prefix="#" if zeek else None,
            quote_char=None if zeek else '"',
            infer_schema=False,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(ZEEK_TYPES, pl.String()))
    except pl.exceptions.PolarsError as error:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_NONE if zeek else csv.QUOTE_MINIMAL)
            comments_gone = (row for row in rows if not (zeek and row and row[0].startswith("#")))
            detail = _first_long_row(comments_gone, first=1 if zeek else 0)
        raise InputError(
            f"Expected rows of {len(ZEEK_TYPES)} cells in {path}. Received: {detail or str(error).splitlines()[0]}"
        ) from error


def _first_long_row(rows: Iterable[list[str]], first: int) -> str:
    for number, row in enumerate(rows, start=first):
        if len(row) > len(ZEEK_TYPES):
            return f"{len(row)} cells in row {number}"
    return ""


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        cells = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"Expected a whole Parquet file at {path}. Received: {str(error).splitlines()[0]}") from error
    _check_columns(cells.columns, path)
    for name, dtype in cells.select(*ZEEK_TYPES).schema.items():
        numeric = dtype.is_numeric() and RECORD_SCHEMA[name] != pl.String
        if not (numeric or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
            raise InputError(f"Expected {RECORD_SCHEMA[name]} in column {name!r} of {path}. Received: {dtype}")
    return cells.with_columns(pl.col(pl.Categorical, pl.Enum, pl.Null).cast(pl.String))


def _check_text(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
                lines += chunk.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            line = lines + error.object[: error.start].count(b"\n")
            raise InputError(f"Expected UTF-8 text in {path}. Received: other bytes in line {line}") from error


def _check_columns(names: list[str], path: Path) -> None:
    missing = [name for name in ZEEK_TYPES if name not in names]
    extra = [name for name in names if name not in ZEEK_TYPES]
    extra += sorted({name for name in names if names.count(name) > 1 and name in ZEEK_TYPES})
    if missing or extra:
        raise InputError(
            f"Expected the columns of simulated flow records in {path}. Received: "
            + ", ".join(
                [*(f"no column {name!r}" for name in missing), *(f"column {name[:60]!r}" for name in extra[:30])]
            )
        )


def _parse(cells: pl.DataFrame, file: str, separator: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    cells = cells.select(*ZEEK_TYPES)
    clean = cells.select(_unset(pl.col(name), cells.schema[name]) for name in ZEEK_TYPES)
    parsed = clean.select(_value(name, clean.schema[name]) for name in ZEEK_TYPES)
    unset, lost = clean.select(pl.all().is_null()), parsed.select(pl.all().is_null())
    at_fault = pl.DataFrame([lost[name] & (~unset[name] | (name not in _MAY_BE_UNSET)) for name in ZEEK_TYPES])
    column = pl.coalesce(pl.when(pl.col(name)).then(pl.lit(name)) for name in ZEEK_TYPES)
    reason = pl.coalesce(
        pl.when(pl.col(name)).then(pl.when(unset[name]).then(pl.lit("no value")).otherwise(pl.lit(_reason(name))))
        for name in ZEEK_TYPES
    )
    bad = at_fault.select(pl.any_horizontal(pl.all())).to_series()
    text = cells.select(pl.concat_str(pl.all().cast(pl.String).fill_null(""), separator=separator)).to_series()
    numbered = parsed.with_row_index(SOURCE_ROW, offset=1).cast({SOURCE_ROW: pl.Int64})
    unreadable = at_fault.select(
        pl.lit(file).alias("source_file"),
        numbered[SOURCE_ROW].alias("source_row"),
        column.alias("column"),
        reason.alias("reason"),
        text.alias("text"),
    ).filter(bad)
    return numbered.filter(~bad), unreadable.select(*UNREADABLE_SCHEMA)


def _reason(name: str) -> str:
    return _REASONS.get(ZEEK_TYPES[name], "no value")


def _unset(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype != pl.String:
        return cell
    stripped = cell.str.strip_chars()
    return pl.when(~stripped.is_in(["", UNSET])).then(stripped)


def _value(name: str, dtype: pl.DataType) -> pl.Expr:
    """The value of a cell in its column's type, null where it has none."""
    cell, wanted = pl.col(name), RECORD_SCHEMA[name]
    if wanted == pl.String:
        return cell
    number = cell.cast(pl.Float64, strict=False)
    if ZEEK_TYPES[name] == "time":
        return pl.when(number.is_finite()).then(number).alias(name)
    if wanted == pl.Float64:
        return number
    # Other tools write whole numbers as 12.0 where a column has gaps.
    whole = pl.when(number == number.floor()).then(number.cast(pl.Int64, strict=False))
    return whole if dtype.is_float() else pl.coalesce(cell.cast(pl.Int64, strict=False), whole)
