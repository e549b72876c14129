"""The validation report as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nids.artifacts import Validation
from nids.datasets.base import FileFacts, files_read
from nids.html import Html, badge, bar, escape, facts, items, page, paragraph, section, table
from nids.schema import SOURCE_FILE, SOURCE_ROW, FlowSchema

SHOWN = 50
"""Rows set aside that are shown; all of them are in the artifact."""


def render(validation: Validation, rejected: pl.DataFrame, schema: FlowSchema) -> str:
    """The page of one validation; `rejected` as in `Judgement`."""
    failed = [entry for entry in validation.expectations if not entry["success"]]
    return page(
        f"Data validation: {schema.name}",
        facts(_summary(validation, schema, len(failed))),
        section("What was found", _expectations(failed) if failed else paragraph("Every expectation is met.")),
        section("Classes", paragraph("Rows kept, per class."), _classes(validation)),
        section("Rows set aside", *_rejected(rejected)),
        section("Files", _files(files_read(validation.about))),
        section("All expectations", _expectations(validation.expectations)),
        lead=_lead(validation),
    )


def _lead(validation: Validation) -> Html:
    stop = validation.about.get("stop")
    if stop:
        return Html(f"{badge('Stopped.', 'bad')} {escape(stop)}")
    if validation.rejected:
        return badge(f"Passed, with {validation.rejected:,} of {validation.rows:,} rows set aside.", "note")
    return badge(f"Passed: all {validation.rows:,} rows keep the rules of their schema.", "good")


def _summary(validation: Validation, schema: FlowSchema, failed: int) -> dict[str, object]:
    about = validation.about
    share = validation.rejected / validation.rows if validation.rows else 0.0
    duplicates = about["duplicates"]
    summary: dict[str, object] = {
        "Data set": schema.title,
        "Records": "simulated, not recorded from a network" if schema.simulated else "as published by their authors",
        "Rows read": validation.rows,
        "Rows kept": validation.rows - validation.rejected,
        "Rows set aside": f"{validation.rejected:,} ({share:.4%}; allowed: {about['max_rejected_share']:.4%})",
        "Expectations": f"{len(validation.expectations):,}, of which {failed:,} not met",
        "Repeated rows": f"{duplicates['repeated']:,} equal an earlier row in features and label (kept)",
        "Contradicting rows": f"{duplicates['contradicting']:,} have features that occur under another label (kept)",
    }
    if duplicates["official_test_rows"]:
        seen, total = duplicates["test_rows_seen_in_train"], duplicates["official_test_rows"]
        summary["Test rows seen in train"] = f"{seen:,} of {total:,} test rows have the features of a training row"
    if about.get("split_note"):
        summary["Split"] = about["split_note"]
    return summary


_VERDICTS = {
    "stop": lambda: badge("stops the run", "bad"),
    "set aside": lambda: badge("rows set aside", "bad"),
    "report": lambda: badge("reported", "note"),
}


def _expectations(entries: list[dict[str, Any]]) -> Html:
    return table(
        ["verdict", "column", "expectation", "unexpected rows", "examples", "name"],
        (
            [
                badge("met", "good") if entry["success"] else _VERDICTS[entry["consequence"]](),
                entry["column"] or "(table)",
                entry["description"],
                entry["unexpected"],
                items(entry["examples"]),
                entry["name"],
            ]
            for entry in entries
        ),
    )


def _classes(validation: Validation) -> Html:
    sides: Mapping[str, Mapping[str, int]] = validation.about["split_classes"]
    total = max(1, sum(validation.classes.values()))
    named = [side for side in sides if side != "all"]
    return table(
        ["class", "rows", "share", "", *(f"official {side}" for side in named)],
        (
            [name, rows, f"{rows / total:.2%}", bar(rows / total), *(sides[side][name] for side in named)]
            for name, rows in validation.classes.items()
        ),
    )


def _rejected(rejected: pl.DataFrame) -> list[Html]:
    rows = rejected.select(SOURCE_FILE, SOURCE_ROW, "reason").head(SHOWN).rows()
    shown = table(["file", "row", "why"], ([file, str(row), reason] for file, row, reason in rows))
    if rejected.height <= SHOWN:
        return [shown]
    return [paragraph(f"The first {SHOWN} of {rejected.height:,}; all are in rejected.parquet."), shown]


def _files(files: list[FileFacts]) -> Html:
    if not files:
        return paragraph("None: the records were made, not read.")
    return table(
        ["file", "rows", "sha256", "official bytes"],
        ([file["file"], file["rows"], _digests(file), file.get("official")] for file in files),
    )


def _digests(file: FileFacts) -> str:
    unpacked = file.get("sha256_unpacked", file["sha256"])
    return file["sha256"] + (f" (unpacked: {unpacked})" if unpacked != file["sha256"] else "")
