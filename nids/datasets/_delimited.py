"""Delimited text, plain or gzipped, to typed columns: what the readers of the data sets share.

A file that is not the expected one is refused whole; a row that cannot be read is kept aside with its text.
A quoted cell may hold the separator, never a line end.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nids.datasets._recognise import recognise
from nids.datasets.base import UNREADABLE_SCHEMA, FileFacts
from nids.errors import InputError
from nids.schema import SOURCE_FILE, SOURCE_ROW, Kind

_GZIP = b"\x1f\x8b"
# Stands between cells while quoted cells may hold the file's own separator.
_UNIT = "\x1f"


@dataclass(frozen=True)
class Delimited:
    """What one file holds.

    Attributes:
        frame: the columns asked for, in that order and of their kinds, then `source_file` and `source_row`. An empty
            cell is null; NaN and infinities are kept.
        unreadable: the other rows, in the columns of `UNREADABLE_SCHEMA`.
        lines: the text of every row, unreadable ones included: `lines[i - 1]` is that of source row i.
        about: name, rows and both digests of the file.
    """

    frame: pl.DataFrame
    unreadable: pl.DataFrame
    lines: list[str]
    about: FileFacts


def read_delimited(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    title: str,
    header: bool = True,
    separator: str = ",",
    optional: Collection[str] = (),
) -> Delimited:
    """Read one file.

    Args:
        path: the file; gunzipped where its name ends in `.gz` or its first bytes say so.
        columns: name to kind. With a header they may stand in any order in the file.
        title: name of the data set, for messages.
        header: whether the first line names the columns.
        optional: columns that the header may leave out; they become null.

    Raises:
        InputError: the file is missing, a folder, empty, damaged, not UTF-8, or has other columns.
    """
    packed = _read_bytes(path)
    data = _unpack(path, packed)
    lines = _lines(path, data)
    names = _header(path, lines[0], columns, title, separator, optional) if header else list(columns)
    rows = lines[1:] if header else lines
    if not rows:
        raise InputError(f"Expected at least one row in {path.name}. Received: a header and no rows")
    if not header:
        _check_width(path, rows[0], len(names), title, separator)
    texts, ragged = _cells(path.name, rows, names, separator)
    frame, unreadable = _convert(texts, columns, path.name, rows)
    about: FileFacts = {
        "file": path.name,
        "rows": len(rows),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "sha256_unpacked": hashlib.sha256(data).hexdigest(),
    }
    return Delimited(frame, pl.concat([ragged, unreadable]).sort(SOURCE_ROW), rows, about)


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"Expected a file at {path}. Received: a folder")
    try:
        packed = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"Expected a file at {path}. Received: nothing of that name") from error
    except OSError as error:
        raise InputError(f"Expected a readable file at {path}. Received: {error.strerror or error}") from error
    if not packed:
        raise InputError(f"Expected rows in {path}. Received: an empty file")
    return packed


def _unpack(path: Path, packed: bytes) -> bytes:
    if not (path.suffix == ".gz" or packed.startswith(_GZIP)):
        return packed
    try:
        return gzip.decompress(packed)
    except EOFError as error:
        raise InputError(f"Expected a whole gzip file at {path}. Received: one that is cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"Expected an intact gzip file at {path}. Received: {error}") from error


def _lines(path: Path, data: bytes) -> list[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise InputError(
            f"Expected UTF-8 text in {path}. Received: byte 0x{byte:02x} in line {line}, position {error.start}"
        ) from error
    text = text.replace("\r\n", "\n").rstrip("\n")
    if not text.strip():
        raise InputError(f"Expected rows in {path}. Received: an empty file")
    return text.split("\n")


def _split(line: str, separator: str) -> list[str]:
    """The cells of one line; csv.Error where a quote does not end."""
    if '"' not in line:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, strict=True))


def _first(path: Path, line: str, separator: str) -> list[str]:
    try:
        return _split(line, separator)
    except csv.Error as error:
        raise InputError(f"Expected comma-separated cells in {path.name}, line 1. Received: {error}") from error


def _header(
    path: Path, line: str, columns: Mapping[str, Kind], title: str, separator: str, optional: Collection[str]
) -> list[str]:
    names = _first(path, line, separator)
    missing = [name for name in columns if name not in names and name not in optional]
    extra = [name for name in names if name not in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults = {"missing": missing, "unexpected": extra, "repeated": twice}
    if missing or extra or twice:
        found = ", ".join(f"{fault} {_listing(which)}" for fault, which in faults.items() if which)
        raise InputError(
            f"Expected the {len(columns)} columns of {title} in {path.name}. Received: {found}{_likeness(names, title)}"
        )
    return names


def _check_width(path: Path, line: str, width: int, title: str, separator: str) -> None:
    cells = _first(path, line, separator)
    if len(cells) != width:
        raise InputError(
            f"Expected {width} columns of {title} in every row of {path.name}. "
            f"Received: {len(cells)} in row 1{_likeness(cells, title)}"
        )


def _listing(names: list[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name[:40]) for name in names[:limit]) + more


def _likeness(cells: list[str], title: str) -> str:
    found = recognise(cells)
    return f" (the file looks like {found})" if found and not title.startswith(found) else ""


def _cells(file: str, rows: list[str], names: list[str], separator: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows as text columns `names` with `source_row`, and the rows that have another number of cells."""
    unquoted = rows
    if any('"' in row for row in rows):
        separator, unquoted = _UNIT, [_unquote(row, separator) for row in rows]
    lines = pl.DataFrame({"line": unquoted, "text": rows}).with_row_index(SOURCE_ROW, offset=1)
    lines = lines.with_columns(
        pl.col(SOURCE_ROW).cast(pl.Int64),
        width=pl.col("line").str.count_matches(separator, literal=True) + (pl.col("line") != "").cast(pl.UInt32),
    )
    whole = lines.filter(pl.col("width") == len(names))
    ragged = lines.filter(pl.col("width") != len(names))
    texts = pl.DataFrame(schema=dict.fromkeys(names, pl.String()))
    if whole.height:
        texts = pl.read_csv(
            "\n".join(whole["line"].to_list()).encode(),
            has_header=False,
            new_columns=names,
            separator=separator,
            quote_char=None,
            infer_schema=False,
        )
    unreadable = ragged.select(
        pl.lit(file).alias(SOURCE_FILE),
        SOURCE_ROW,
        pl.lit(None, dtype=pl.String).alias("column"),
        pl.format(f"Expected {len(names)} cells. Received: {{}}", "width").alias("reason"),
        "text",
    )
    return texts.with_columns(whole[SOURCE_ROW]), unreadable


def _unquote(row: str, separator: str) -> str:
    try:
        return _UNIT.join(_split(row, separator))
    except csv.Error:
        return row


def _convert(
    texts: pl.DataFrame, columns: Mapping[str, Kind], file: str, rows: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Typed columns, and the rows with a cell that has no value of its column's type."""
    typed, faults = [], []
    for name, kind in columns.items():
        text = texts[name] if name in texts.columns else pl.Series(name, [None] * texts.height, dtype=pl.String)
        values = _typed(text, kind)
        typed.append(values.alias(name))
        wrong = values.is_null() & text.is_not_null()
        if wrong.any():
            faults.append(
                pl.DataFrame({SOURCE_ROW: texts[SOURCE_ROW], "cell": text})
                .filter(wrong)
                .with_columns(
                    column=pl.lit(name), wanted=pl.lit("a whole number" if kind is Kind.INTEGER else "a number")
                )
            )
    frame = pl.DataFrame(typed).with_columns(pl.lit(file).alias(SOURCE_FILE), texts[SOURCE_ROW])
    if not faults:
        return frame, pl.DataFrame(schema=UNREADABLE_SCHEMA)
    bad = (
        pl.concat(faults)
        .group_by(SOURCE_ROW, maintain_order=True)
        .agg(
            pl.col("column").first(),
            pl.format("Expected {} in column '{}'. Received: '{}'", "wanted", "column", pl.col("cell").str.slice(0, 80))
            .str.join("; ")
            .alias("reason"),
        )
        .sort(SOURCE_ROW)
    )
    unreadable = bad.select(
        pl.lit(file).alias(SOURCE_FILE),
        SOURCE_ROW,
        "column",
        "reason",
        pl.Series("text", [rows[row - 1] for row in bad[SOURCE_ROW].to_list()], dtype=pl.String),
    )
    return frame.join(bad.select(SOURCE_ROW), on=SOURCE_ROW, how="anti", maintain_order="left"), unreadable


def _typed(text: pl.Series, kind: Kind) -> pl.Series:
    if kind is not Kind.INTEGER:
        return text.cast(kind.polars, strict=False)
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() == text.null_count():
        return whole
    # Tools that know only floats write a count as 3.0.
    number = text.cast(pl.Float64, strict=False)
    number = number.set(number != number.round(), None)
    return whole.fill_null(number.cast(pl.Int64, strict=False))
