"""The rules of a schema as a Great Expectations suite, and its verdict on a table of flows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from nids.schema import LABEL, Column, FlowSchema, Kind


class Consequence(StrEnum):
    """What a broken rule leads to."""

    STOP = "stop"
    SET_ASIDE = "set aside"  # the rows that break it
    REPORT = "report"


@dataclass(frozen=True)
class Rule:
    """One expectation.

    Attributes:
        expectation: class name in `great_expectations.expectations`.
        column: the column it speaks of, None for the whole table.
        expected: what is expected, to follow the word "expected".
        arguments: arguments of the expectation besides `column`.
    """

    expectation: str
    column: str | None
    expected: str
    consequence: Consequence
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The verdict on one rule.

    Attributes:
        rows: positions of the rows that break it, from 0, ascending; empty for rules about the table.
        observed: what was found instead, for rules about the table.
        error: why the rule could not be judged, None where it was.
    """

    rule: Rule
    success: bool
    rows: Sequence[int] = ()
    observed: str = ""
    error: str | None = None


def rules_of(schema: FlowSchema) -> list[Rule]:
    """Every rule of a schema, table rules first, then column by column in schema order."""
    names = list(schema.polars_schema())
    rules = [
        Rule(
            "ExpectTableColumnsToMatchOrderedList",
            None,
            f"the {len(names)} columns of {schema.name}, in order",
            Consequence.STOP,
            {"column_list": names},
        ),
        Rule("ExpectTableRowCountToBeBetween", None, "at least one row", Consequence.STOP, {"min_value": 1}),
        Rule(
            "ExpectCompoundColumnsToBeUnique",
            None,
            "no two rows with equal features and label",
            Consequence.REPORT,
            {"column_list": [*schema.feature_names, LABEL]},
        ),
    ]
    for column in (*schema.features, *schema.context):
        rules += _column_rules(column)
    known = ", ".join(schema.classes)
    return [
        *rules,
        _not_null(Column(LABEL, Kind.CATEGORY, minimum=None)),
        Rule(
            "ExpectColumnValuesToBeInSet",
            LABEL,
            f"one of the classes {known}",
            Consequence.SET_ASIDE,
            {"value_set": list(schema.classes)},
        ),
    ]


def _column_rules(column: Column) -> list[Rule]:
    rules = [
        Rule(
            "ExpectColumnValuesToBeOfType",
            column.name,
            f"type {column.kind.value}",
            Consequence.STOP,
            {"type_": _PANDAS_TYPES[column.kind]},
        )
    ]
    if not column.nullable:
        rules.append(_not_null(column))
    if column.kind in (Kind.FLOAT, Kind.TIME):
        rules.append(
            Rule(
                "ExpectColumnValuesToNotBeInSet",
                column.name,
                "a finite number",
                Consequence.SET_ASIDE,
                {"value_set": [np.inf, -np.inf]},
            )
        )
    if not column.is_category and (column.minimum is not None or column.maximum is not None):
        rules.append(
            Rule(
                "ExpectColumnValuesToBeBetween",
                column.name,
                _range_text(column),
                Consequence.SET_ASIDE,
                {"min_value": column.minimum, "max_value": column.maximum},
            )
        )
    if column.values:
        rules.append(
            Rule(
                "ExpectColumnValuesToBeInSet",
                column.name,
                "a documented value",
                Consequence.REPORT,
                {"value_set": list(column.values)},
            )
        )
    return rules


_PANDAS_TYPES = {Kind.FLOAT: "float32", Kind.TIME: "float64", Kind.INTEGER: "int64", Kind.CATEGORY: "str"}
"""Types of the values in the columns that `_to_pandas` makes."""


def _not_null(column: Column) -> Rule:
    wanted = "a number, not null or NaN" if column.kind in (Kind.FLOAT, Kind.TIME) else "a value, not null"
    return Rule("ExpectColumnValuesToNotBeNull", column.name, wanted, Consequence.SET_ASIDE)


def _range_text(column: Column) -> str:
    low, high = column.minimum, column.maximum
    if high is None:
        return f"at least {low:g}"
    return f"at most {high:.12g}" if low is None else f"a value in [{low:g}, {high:.12g}]"


def judge(frame: pl.DataFrame, rules: Sequence[Rule]) -> list[Outcome]:
    """The verdict of Great Expectations on every rule, in the order of `rules`.

    Runs in memory: no project folder, no files, no network.
    """
    import great_expectations as gx

    # It logs every look-up of its own at INFO, which is where KFP's executor puts the root logger.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    suite = context.suites.add(gx.ExpectationSuite(name="flows"))
    for number, rule in enumerate(rules):
        arguments = rule.arguments | ({"column": rule.column} if rule.column else {})
        # Results come in an order of their own; the number brings them back to their rule.
        suite.add_expectation(getattr(gx.expectations, rule.expectation)(**arguments, meta={"rule": number}))
    asset = context.data_sources.add_pandas("flows").add_dataframe_asset("flows")
    batch = asset.add_batch_definition_whole_dataframe("flows")
    definition = gx.ValidationDefinition(name="flows", data=batch, suite=suite)
    run = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": _to_pandas(frame)},
        # The positions of all rows that break a rule, and no query to find them: the frame is at hand.
        result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
    )
    outcomes = {result.expectation_config.meta["rule"]: result for result in run.results}
    return [_outcome(rule, outcomes[number]) for number, rule in enumerate(rules)]


def _outcome(rule: Rule, result: Any) -> Outcome:
    found = result.result
    error = None if found else _exception_text(result.exception_info)
    return Outcome(
        rule,
        success=bool(result.success),
        rows=sorted(found.get("unexpected_index_list") or ()),
        observed=str(found.get("observed_value", "")),
        error=error,
    )


def _exception_text(info: dict[str, Any]) -> str:
    """The message in a result's `exception_info`, which holds either one exception or several by metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [str(entry.get("exception_message")) for entry in entries if isinstance(entry, dict)]
    return " ".join("; ".join(dict.fromkeys(messages)).split()) or "no result"


def _to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """The frame with positions as index; integers stay integers, and text stays text, whether or not some are null."""
    return pd.DataFrame({series.name: _series(series) for series in frame}, copy=False)


def _series(series: pl.Series) -> Any:
    if series.dtype == pl.Int64():
        return pd.arrays.IntegerArray(
            series.fill_null(0).to_numpy(writable=True), series.is_null().to_numpy(writable=True)
        )
    return series.to_pandas().astype("str") if series.dtype == pl.String() else series.to_pandas()
