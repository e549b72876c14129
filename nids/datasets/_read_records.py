"""Reads files of flow records cell by cell, so that a cell without a value of its column's type is found and kept."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nids.datasets._read_text import ShortRows, check_columns, read_csv, read_log
from nids.datasets._records import RECORD_SCHEMA, SUFFIXES, UNSET, ZEEK_TYPES
from nids.datasets.base import UNREADABLE_SCHEMA
from nids.errors import InputError
from nids.schema import SOURCE_FILE, SOURCE_ROW

_MAY_BE_UNSET = {"duration", "orig_bytes", "resp_bytes", "service", "history"}
_WANTED = {"time": "a finite time", "interval": "a number", "count": "a whole number", "port": "a whole number"}


def read_records(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records of one file, and the rows that are none.

    Returns:
        Frame with `source_row` (from 1) and the columns RECORD_SCHEMA, unset values null; NaN and infinite durations
        and numbers out of range are still in it. Frame with the columns UNREADABLE_SCHEMA, one row per row set aside:
        `column` is the first one at fault, null for a row with too few cells, and `reason` names every fault.

    Raises:
        InputError: another extension, an empty or damaged file, not UTF-8, other columns, a quoted cell that does not
            end in its line, a row with too many cells.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"Expected a file of flow records that ends in {', '.join(SUFFIXES)}. Received: {path}")
    if path.stat().st_size == 0:
        raise InputError(f"Expected flow records in {path}. Received: an empty file")
    cells, short = {".csv": read_csv, ".log": read_log, ".parquet": _read_parquet}[suffix](path)
    if cells.is_empty():
        raise InputError(f"Expected flow records in {path}. Received: a file without rows")
    return _parse(cells, short, path.name, "\t" if suffix == ".log" else ",")


def _read_parquet(path: Path) -> tuple[pl.DataFrame, ShortRows]:
    try:
        cells = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"Expected a whole Parquet file at {path}. Received: {str(error).splitlines()[0]}") from error
    check_columns(cells.columns, path)
    for name, dtype in cells.select(*ZEEK_TYPES).schema.items():
        numeric = dtype.is_numeric() and RECORD_SCHEMA[name] != pl.String
        if not (numeric or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)):
            raise InputError(f"Expected {RECORD_SCHEMA[name]} in column {name!r} of {path}. Received: {dtype}")
    return cells.with_columns(pl.col(pl.Categorical, pl.Enum, pl.Null).cast(pl.String)), {}


def _parse(cells: pl.DataFrame, short: ShortRows, file: str, separator: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    cells = cells.select(*ZEEK_TYPES)
    clean = cells.select(_unset(pl.col(name), cells.schema[name]) for name in ZEEK_TYPES)
    parsed = clean.select(_value(name, clean.schema[name]) for name in ZEEK_TYPES)
    unset, lost = clean.select(pl.all().is_null()), parsed.select(pl.all().is_null())
    at_fault = pl.DataFrame([lost[name] & (~unset[name] | (name not in _MAY_BE_UNSET)) for name in ZEEK_TYPES])
    rows = pl.int_range(1, cells.height + 1, eager=True, dtype=pl.Int64).alias(SOURCE_ROW)
    bad = at_fault.select(pl.any_horizontal(pl.all())).to_series() | rows.is_in(list(short))
    records = parsed.insert_column(0, rows).filter(~bad)
    unreadable = _unreadable(cells.filter(bad), at_fault.filter(bad), rows.filter(bad), file, separator)
    return records, _name_short(unreadable, short)


def _unreadable(
    cells: pl.DataFrame, at_fault: pl.DataFrame, rows: pl.Series, file: str, separator: str
) -> pl.DataFrame:
    """Rows that have faults, in the columns UNREADABLE_SCHEMA."""
    texts = cells.select(pl.all().cast(pl.String).fill_null(""))
    column = pl.coalesce(pl.when(pl.col(name)).then(pl.lit(name)) for name in ZEEK_TYPES)
    reason = pl.concat_str((_reason(name, texts[name]) for name in ZEEK_TYPES), separator="; ", ignore_nulls=True)
    return at_fault.select(
        pl.lit(file).alias(SOURCE_FILE),
        rows.alias(SOURCE_ROW),
        column.alias("column"),
        reason.alias("reason"),
        texts.select(pl.concat_str(pl.all(), separator=separator)).to_series().alias("text"),
    ).select(*UNREADABLE_SCHEMA)


def _reason(name: str, text: pl.Series) -> pl.Expr:
    wanted = _WANTED.get(ZEEK_TYPES[name], "a value")
    quoted = "'" + text.str.slice(0, 80) + "'"
    found = quoted.set(text == "", "an empty cell")
    return pl.when(pl.col(name)).then(pl.lit(f"Expected {wanted} in column '{name}'. Received: ") + found)


def _name_short(unreadable: pl.DataFrame, short: ShortRows) -> pl.DataFrame:
    """For a row with too few cells that is the fault, whatever else follows from it."""
    if not short:
        return unreadable
    told = pl.DataFrame(
        {
            SOURCE_ROW: list(short),
            "reason": [f"Expected {len(ZEEK_TYPES)} cells. Received: {width}" for width, _ in short.values()],
            "text": [text for _, text in short.values()],
        },
        schema_overrides={SOURCE_ROW: pl.Int64},
    ).with_columns(pl.lit(None, pl.String).alias("column"))
    return unreadable.update(told, on=SOURCE_ROW, include_nulls=True)


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
