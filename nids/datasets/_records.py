"""Flow records on disk, with the field names of Zeek's conn.log: .csv, .parquet, and .log (Zeek's own text format)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nids.schema import LABEL

ZEEK_TYPES = {
    "ts": "time",
    "uid": "string",
    "id.orig_h": "addr",
    "id.orig_p": "port",
    "id.resp_h": "addr",
    "id.resp_p": "port",
    "proto": "enum",
    "service": "string",
    "duration": "interval",
    "orig_bytes": "count",
    "resp_bytes": "count",
    "conn_state": "string",
    "missed_bytes": "count",
    "history": "string",
    "orig_pkts": "count",
    "orig_ip_bytes": "count",
    "resp_pkts": "count",
    "resp_ip_bytes": "count",
    LABEL: "string",
}
"""Fields of a record, in order, with their types in Zeek. `label` is ours."""

SUFFIXES = (".csv", ".log", ".parquet")
UNSET = "-"
FIELDS = "#fields"

_POLARS: dict[str, pl.DataType] = {
    "time": pl.Float64(),
    "interval": pl.Float64(),
    "count": pl.Int64(),
    "port": pl.Int64(),
}
RECORD_SCHEMA: dict[str, pl.DataType] = {name: _POLARS.get(kind, pl.String()) for name, kind in ZEEK_TYPES.items()}
"""Columns of a frame of records."""


def write_file(records: pl.DataFrame, path: Path, suffix: str) -> None:
    """Write records in the format of `suffix`, one of SUFFIXES. Unset values: empty, null, or `-` in a .log."""
    if suffix == ".parquet":
        records.write_parquet(path)
        return
    text = records.with_columns(_decimals(name) for name, kind in ZEEK_TYPES.items() if kind in ("time", "interval"))
    if suffix == ".csv":
        text.write_csv(path)
        return
    with path.open("wb") as file:
        file.write(log_header().encode())
        text.write_csv(file, include_header=False, separator="\t", null_value=UNSET, quote_style="never")


def log_header() -> str:
    """The comment lines above the rows of a Zeek log."""
    lines = (
        ("#separator \\x09",),
        ("#set_separator", ","),
        ("#empty_field", "(empty)"),
        ("#unset_field", UNSET),
        ("#path", "conn"),
        (FIELDS, *ZEEK_TYPES),
        ("#types", *ZEEK_TYPES.values()),
    )
    return "".join("\t".join(line) + "\n" for line in lines)


def _decimals(name: str) -> pl.Expr:
    """Microseconds, as Zeek prints them: a float's shortest form would be 1.7e9 or 1e-6."""
    whole = (pl.col(name) * 1e6).round().cast(pl.Int64)
    fraction = (whole % 1_000_000).cast(pl.String).str.zfill(6)
    return pl.concat_str(whole // 1_000_000, pl.lit("."), fraction).alias(name)
