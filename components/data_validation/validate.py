"""Judge flows by the rules of their schema: what is set aside and why, and whether the run may go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from components.data_validation import findings
from components.data_validation.duplicates import count_duplicates
from components.data_validation.suite import Consequence, Outcome, judge, rules_of
from nids.artifacts import Validation
from nids.datasets.base import RawFlows
from nids.errors import ArtifactError, InputError
from nids.schema import SOURCE_FILE, SOURCE_ROW, FlowSchema

_POSITION = "position"


@dataclass(frozen=True)
class Judgement:
    """What validation came to.

    Attributes:
        validation: for the report; `validation.about["stop"]` is `stop`.
        kept: the flows without the rows set aside, in the order given.
        rejected: the rows set aside in source order: every column as text, `text` (the line of a row that could not
            be read), `column` (the first one at fault), and `reason`, which names every rule broken.
        stop: why the run must not go on, in one line; None where it may.
    """

    validation: Validation
    kept: pl.DataFrame
    rejected: pl.DataFrame
    stop: str | None

    def check(self, rejected_file: str = "") -> None:
        """Raise InputError with `stop` where there is one; it ends with `rejected_file` where rows are set aside."""
        if self.stop is not None:
            kept = not self.rejected.is_empty() and rejected_file
            raise InputError(self.stop + (f"; the rows set aside are kept in {rejected_file}" if kept else ""))


def validate(
    flows: RawFlows, schema: FlowSchema, *, max_rejected_share: float = 0.0, min_class_rows: int = 3
) -> Judgement:
    """Judge every row and the table.

    Args:
        max_rejected_share: share of all rows read, in [0, 1], that may be set aside.
        min_class_rows: rows that each class needs where training draws from: the official training side, or all
            rows where there is no official split. 0 asks for none.

    Raises:
        InputError: a parameter is out of its range. What is wrong with the data is in `Judgement.stop`.
        ArtifactError: the flows have not the columns of the schema.
    """
    if not 0 <= max_rejected_share <= 1:
        raise InputError(f"Expected max_rejected_share in [0, 1]. Received: {max_rejected_share}")
    if min_class_rows < 0:
        raise InputError(f"Expected min_class_rows >= 0. Received: {min_class_rows}")
    _check_columns(flows.frame, schema)
    outcomes = judge(flows.frame, rules_of(schema))
    broken = _broken_rules(flows.frame, outcomes)
    kept = flows.frame.with_row_index(_POSITION).join(broken, on=_POSITION, how="anti", maintain_order="left")
    kept = kept.drop(_POSITION)
    rejected = _rejected(flows, broken)
    rows = flows.frame.height + flows.unreadable.height
    scarce = findings.scarce_classes(kept, schema, min_class_rows)
    duplicates = count_duplicates(flows.frame, schema)
    stop = (
        findings.share_sentence(rejected, rows, max_rejected_share)
        or findings.table_sentence(outcomes, kept)
        or findings.class_sentence(scarce, min_class_rows)
    )
    validation = Validation(
        schema=schema.name,
        rows=rows,
        rejected=rejected.height,
        expectations=[
            findings.unreadable_entry(flows.unreadable),
            *(findings.entry(flows.frame, outcome) for outcome in outcomes),
            findings.class_entry(scarce, min_class_rows),
            *findings.duplicate_entries(duplicates),
        ],
        classes=findings.class_rows(kept, schema),
        about={
            **flows.about,
            "simulated": schema.simulated,
            "max_rejected_share": max_rejected_share,
            "min_class_rows": min_class_rows,
            "split_classes": findings.split_classes(kept, schema),
            "duplicates": duplicates,
            "stop": stop,
        },
    )
    return Judgement(validation, kept, rejected, stop)


def _check_columns(frame: pl.DataFrame, schema: FlowSchema) -> None:
    expected, found = set(schema.polars_schema()), set(frame.columns)
    if expected != found:
        raise ArtifactError(
            f"Expected flows with the columns of {schema.name}. "
            f"Received: missing {sorted(expected - found)}, unexpected {sorted(found - expected)}"
        )


def _broken_rules(frame: pl.DataFrame, outcomes: Sequence[Outcome]) -> pl.DataFrame:
    """Columns `position`, `column` (the first one at fault) and `reason`: one row per row of `frame` to set aside."""
    faults = [pl.DataFrame(schema={_POSITION: pl.UInt32(), "column": pl.String(), "reason": pl.String()})]
    for outcome in outcomes:
        column = outcome.rule.column
        if outcome.rule.consequence is not Consequence.SET_ASIDE or column is None or not outcome.rows:
            continue
        positions = pl.Series(_POSITION, outcome.rows, dtype=pl.UInt32)
        values = findings.texts(frame[column].gather(positions))
        prefix = f"Expected {outcome.rule.expected} in column '{column}'. Received: "
        faults.append(
            pl.DataFrame({_POSITION: positions, "reason": prefix + values}).select(
                _POSITION, pl.lit(column).alias("column"), "reason"
            )
        )
    return (
        pl.concat(faults)
        .group_by(_POSITION, maintain_order=True)
        .agg(pl.col("column").first(), pl.col("reason").str.join("; "))
        .sort(_POSITION)
    )


def _rejected(flows: RawFlows, broken: pl.DataFrame) -> pl.DataFrame:
    columns = flows.frame.columns
    texts = [pl.col(name) if name == SOURCE_ROW else pl.col(name).cast(pl.String) for name in columns]
    judged = flows.frame.with_row_index(_POSITION).join(broken, on=_POSITION).select(*texts, "column", "reason")
    rejected = pl.concat([judged, flows.unreadable], how="diagonal")
    files = pl.concat([flows.frame[SOURCE_FILE], flows.unreadable[SOURCE_FILE]]).unique(maintain_order=True)
    order = {name: index for index, name in enumerate(files)}
    place = pl.col(SOURCE_FILE).replace_strict(order, default=-1, return_dtype=pl.Int64)
    return rejected.sort(place, SOURCE_ROW, maintain_order=True).select(*columns, "text", "column", "reason")
