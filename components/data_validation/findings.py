"""Findings in words: the entries of the validation report, and the one line that stops a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from components.data_validation.suite import Consequence, Outcome
from nids.schema import LABEL, SOURCE_FILE, SOURCE_ROW, SPLIT, FlowSchema

EXAMPLES = 5
"""Examples kept per expectation."""


def texts(values: pl.Series) -> pl.Series:
    """Values as a person would write them: text in quotes, null as `null`."""
    if values.dtype == pl.String():
        values = "'" + values.str.slice(0, 80) + "'"
    return values.cast(pl.String).fill_null("null")


# -- classes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scarce:
    """A class with too few rows where training draws from; `places` says where its rows stand."""

    name: str
    rows: int
    places: list[str]


def class_rows(frame: pl.DataFrame, schema: FlowSchema) -> dict[str, int]:
    """Rows per class, in class order, absent classes as 0."""
    counts = dict(frame[LABEL].value_counts().rows())
    return {name: counts.get(name, 0) for name in schema.classes}


def split_classes(frame: pl.DataFrame, schema: FlowSchema) -> dict[str, dict[str, int]]:
    """Rows per class on each side of the official split; `all` where there is none."""
    sides = frame[SPLIT].unique(maintain_order=True)
    parts = {side or "all": frame.filter(pl.col(SPLIT).eq_missing(pl.lit(side))) for side in sides}
    return {name: class_rows(part, schema) for name, part in parts.items()}


def scarce_classes(kept: pl.DataFrame, schema: FlowSchema, min_class_rows: int) -> list[Scarce]:
    pool = kept.filter(pl.col(SPLIT).is_null() | (pl.col(SPLIT) == "train"))
    found = [(name, rows) for name, rows in class_rows(pool, schema).items() if rows < min_class_rows]
    return [Scarce(name, rows, _places(pool.filter(pl.col(LABEL) == name))) for name, rows in found]


def _places(rows: pl.DataFrame) -> list[str]:
    return [f"{file}, row {row}" for file, row in rows.select(SOURCE_FILE, SOURCE_ROW).head(EXAMPLES).rows()]


# -- the line that stops a run ----------------------------------------------------------------------------------------


def table_sentence(outcomes: Sequence[Outcome], kept: pl.DataFrame) -> str | None:
    """The first rule about the table that is broken, or else the first rule that could not be judged."""
    stopping = [o for o in outcomes if o.rule.consequence is Consequence.STOP and not o.success]
    unjudged = [o for o in outcomes if o.error is not None]
    for outcome in (*stopping, *unjudged):
        where = f" in column '{outcome.rule.column}'" if outcome.rule.column else ""
        return f"Expected {outcome.rule.expected}{where}. Received: {outcome.error or outcome.observed}"
    return "Expected at least one row that keeps the rules of its schema. Received: none" if kept.is_empty() else None


def share_sentence(rejected: pl.DataFrame, rows: int, max_rejected_share: float) -> str | None:
    """Names the first row set aside, where more than `max_rejected_share` of the rows are."""
    if rejected.is_empty() or rejected.height / rows <= max_rejected_share:
        return None
    file, row, reason = rejected.select(SOURCE_FILE, SOURCE_ROW, "reason").row(0)
    return (
        f"{file}, row {row}: {_inline(reason)}; in all {rejected.height:,} of {rows:,} rows break a rule of their "
        f"schema, more than max_rejected_share={max_rejected_share:g} allows: mend them{_advice(rejected.height, rows)}"
    )


def _inline(reason: str) -> str:
    """The first fault of a row inside another sentence: `expected ..., received ...`."""
    first, *more = reason.split("; Expected ")
    text = first.replace("Expected ", "expected ", 1).replace(". Received: ", ", received ", 1)
    return text + (f" (faults in this row: {1 + len(more)})" if more else "")


def _advice(rejected: int, rows: int) -> str:
    if rejected == rows:
        return ""
    # Rounded up, so that it is enough; written out, since YAML takes 7e-06 for text.
    share = math.ceil(rejected / rows * 1e6) / 1e6
    return f", or go on without them with --set max_rejected_share={share:.6f}".rstrip("0")


def class_sentence(scarce: Sequence[Scarce], min_class_rows: int) -> str | None:
    if not scarce:
        return None
    found = ", ".join(_class_text(item) for item in scarce)
    return (
        f"Expected at least {min_class_rows} rows of every class to train on. Received: {found}; "
        "give more rows, or ask for fewer with --set min_class_rows=..."
    )


def _class_text(item: Scarce) -> str:
    return f"{item.rows} of class '{item.name}'" + (f" ({'; '.join(item.places)})" if item.places else "")


# -- entries of the report --------------------------------------------------------------------------------------------


def entry(frame: pl.DataFrame, outcome: Outcome) -> dict[str, Any]:
    rule = outcome.rule
    at = frame.select(SOURCE_FILE, SOURCE_ROW, *([rule.column] if rule.column in frame.columns else []))
    examples = [outcome.error or f"found {outcome.observed}"] if not outcome.success and not outcome.rows else []
    if outcome.rows:
        shown = at[list(outcome.rows[:EXAMPLES])]
        values = texts(shown[rule.column]) if rule.column else pl.Series([""] * shown.height)
        examples = [
            f"{file}, row {row}" + (f": {value}" if value else "")
            for (file, row), value in zip(shown.select(SOURCE_FILE, SOURCE_ROW).rows(), values, strict=True)
        ]
    return _entry(
        _snake(rule.expectation),
        rule.column,
        rule.consequence,
        f"Expected {rule.expected}",
        success=outcome.success,
        unexpected=len(outcome.rows),
        examples=examples,
    )


def unreadable_entry(unreadable: pl.DataFrame) -> dict[str, Any]:
    examples = [
        f"{file}, row {row}: {reason}"
        for file, row, reason in unreadable.select(SOURCE_FILE, SOURCE_ROW, "reason").head(EXAMPLES).rows()
    ]
    return _entry(
        "expect_rows_to_be_readable",
        None,
        Consequence.SET_ASIDE,
        "Expected a value of its column's type in every cell",
        success=unreadable.is_empty(),
        unexpected=unreadable.height,
        examples=examples,
    )


def class_entry(scarce: Sequence[Scarce], min_class_rows: int) -> dict[str, Any]:
    return _entry(
        "expect_class_rows_to_be_at_least",
        LABEL,
        Consequence.STOP,
        f"Expected at least {min_class_rows} rows of every class to train on",
        success=not scarce,
        unexpected=sum(item.rows for item in scarce),
        examples=[_class_text(item) for item in scarce],
    )


def duplicate_entries(duplicates: dict[str, int]) -> list[dict[str, Any]]:
    contradicting, seen = duplicates["contradicting"], duplicates["test_rows_seen_in_train"]
    entries = [
        _entry(
            "expect_equal_features_to_have_one_label",
            None,
            Consequence.REPORT,
            "Expected rows with equal features to have equal labels",
            success=contradicting == 0,
            unexpected=contradicting,
        )
    ]
    if duplicates["official_test_rows"]:
        entries.append(
            _entry(
                "expect_test_rows_not_to_occur_in_train",
                None,
                Consequence.REPORT,
                f"Expected no test row with the features of a training row "
                f"(of {duplicates['official_test_rows']:,} test rows)",
                success=seen == 0,
                unexpected=seen,
            )
        )
    return entries


def _entry(
    name: str,
    column: str | None,
    consequence: Consequence,
    description: str,
    *,
    success: bool,
    unexpected: int,
    examples: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "column": column,
        "level": "row" if consequence is Consequence.SET_ASIDE else "table",
        "consequence": consequence.value,
        "success": success,
        "unexpected": unexpected,
        "examples": list(examples),
        "description": description,
    }


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
