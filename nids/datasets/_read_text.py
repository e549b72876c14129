"""Text files of flow records, .csv and .log, to cells: every row has as many as there are columns, or is told apart."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nids.datasets._records import FIELDS, ZEEK_TYPES
from nids.errors import InputError

_CHUNK = 1 << 20
_QUOTED = re.compile('"(?:[^"]|"")*"')
_WHOLE_LINE = re.compile('(?:(?:"(?:[^"]|"")*"|[^",]*),)*(?:"(?:[^"]|"")*"|[^",]*)')

ShortRows = dict[int, tuple[int, str]]
"""Number of cells and text of the rows that have too few, by row from 1."""


def read_csv(path: Path) -> tuple[pl.DataFrame, ShortRows]:
    """Cells as text and null where empty, in rows and columns of the file; and its short rows.

    Raises:
        InputError: not UTF-8, other columns, a quoted cell that does not end in its line, a row with too many cells.
    """
    _check_text(path)
    _check_quotes(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            names = next(csv.reader(file), [])
        except csv.Error as error:
            raise InputError(f"Expected comma-separated cells in {path}. Received: {error} in the header") from error
    check_columns(names, path)
    cells = _read(path, ",", None)
    return cells, _short_rows(cells, path, ",")


def read_log(path: Path) -> tuple[pl.DataFrame, ShortRows]:
    """As `read_csv`, of Zeek's own format.

    Raises:
        InputError: not UTF-8, no line that names the columns, other columns, a row with too many cells.
    """
    _check_text(path)
    with path.open(encoding="utf-8") as file:
        names = next((line.rstrip("\r\n").split("\t")[1:] for line in file if line.startswith(FIELDS)), None)
    if names is None:
        raise InputError(f"Expected a Zeek log with a {FIELDS} line in {path}. Received: none")
    check_columns(names, path)
    cells = _read(path, "\t", names)
    return cells, _short_rows(cells, path, "\t")


def check_columns(names: list[str], path: Path) -> None:
    """InputError where `names` are not the fields of a record, in any order."""
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


def _read(path: Path, separator: str, names: list[str] | None) -> pl.DataFrame:
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
        widths = enumerate((_width(line, separator) for line in _rows(path, separator)), start=1)
        detail = next((f"{width} cells in row {row}" for row, width in widths if width > len(ZEEK_TYPES)), None)
        raise InputError(
            f"Expected rows of {len(ZEEK_TYPES)} cells in {path}. Received: {detail or str(error).splitlines()[0]}"
        ) from error


def _short_rows(cells: pl.DataFrame, path: Path, separator: str) -> ShortRows:
    # The cells that a row lacks are null: a row with a last cell is whole.
    lacking = cells[:, -1].is_null()
    if not lacking.any():
        return {}
    rows = enumerate(zip(lacking, _rows(path, separator), strict=False), start=1)
    widths = {row: (_width(line, separator), line) for row, (suspect, line) in rows if suspect}
    return {row: found for row, found in widths.items() if found[0] < cells.width}


def _rows(path: Path, separator: str) -> Iterator[str]:
    """The text of every row: lines without the header or, in a log, without comments."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        if separator == ",":
            next(file, None)
        for line in file:
            if separator == "," or not line.startswith("#"):
                yield line.rstrip("\r\n")


def _width(line: str, separator: str) -> int:
    if separator == ",":
        line = _QUOTED.sub("x", line)
    return line.count(separator) + 1 if line else 0


def _check_quotes(path: Path) -> None:
    """InputError for a quote that opens no cell or does not end in its line: it would swallow the rows behind it."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if b'"' in line and not _WHOLE_LINE.fullmatch(line.decode("utf-8-sig").rstrip("\r\n")):
                where = f"row {number}" if number else "the header"
                raise InputError(
                    f"Expected quotes only around whole cells in {path}. Received: a quote that stands alone in {where}"
                )


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
