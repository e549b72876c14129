import polars as pl

from components.data_validation.report import render
from nids.artifacts import Validation
from nids.schema import Column, FlowSchema

SCHEMA = FlowSchema("example", "Example flows", (Column("bytes"),), ("benign", "attack"))
SIMULATED = FlowSchema("example", "Example flows", (Column("bytes"),), ("benign", "attack"), simulated=True)


def _validation(*entries, rejected=0, **about):
    duplicates = {"repeated": 4, "contradicting": 2, "test_rows_seen_in_train": 7, "official_test_rows": 0}
    facts = {
        "duplicates": duplicates,
        "max_rejected_share": 0.01,
        "split_classes": {"all": {"benign": 75, "attack": 25}},
        "stop": None,
    }
    return Validation("example", 1100, rejected, list(entries), {"benign": 75, "attack": 25}, facts | about)


def _entry(success, consequence="set aside", examples=()):
    return {
        "name": "expect_column_values_to_be_between",
        "column": "bytes",
        "level": "row",
        "consequence": consequence,
        "success": success,
        "unexpected": 0 if success else 3,
        "examples": list(examples),
        "description": "Expected at least 0",
    }


def _rejected(rows):
    return pl.DataFrame(
        {
            "source_file": ["flows.csv"] * rows,
            "source_row": list(range(1, rows + 1)),
            "reason": [f"reason <{i}>" for i in range(rows)],
        }
    )


def test_a_clean_run_says_so():
    text = render(_validation(_entry(True)), _rejected(0), SCHEMA)
    assert "Passed: all 1,100 rows keep the rules of their schema." in text
    assert "Every expectation is met." in text
    assert "as published by their authors" in text


def test_a_failed_expectation_shows_count_and_examples():
    text = render(_validation(_entry(False, examples=["flows.csv, row 3: -5"]), rejected=3), _rejected(3), SCHEMA)
    assert "Passed, with 3 of 1,100 rows set aside." in text
    assert "<li>flows.csv, row 3: -5</li>" in text
    assert '<td class="number">3</td>' in text
    assert "reason &lt;2&gt;" in text


def test_a_stopped_run_leads_with_the_reason():
    text = render(_validation(_entry(False, "stop"), stop="Expected <more>"), _rejected(0), SCHEMA)
    assert "Stopped." in text and "Expected &lt;more&gt;" in text
    assert "stops the run" in text


def test_simulated_flows_are_called_simulated():
    assert "simulated, not recorded from a network" in render(_validation(), _rejected(0), SIMULATED)


def test_classes_stand_per_side_of_an_official_split():
    sides = {"train": {"benign": 70, "attack": 20}, "test": {"benign": 5, "attack": 5}}
    text = render(_validation(split_classes=sides), _rejected(0), SCHEMA)
    assert "official train" in text and "official test" in text
    assert "75.00%" in text


def test_only_the_first_rejected_rows_are_shown_and_the_rest_is_counted():
    text = render(_validation(rejected=60), _rejected(60), SCHEMA)
    assert "The first 50 of 60; all are in rejected.parquet." in text
    assert "reason &lt;49&gt;" in text and "reason &lt;50&gt;" not in text


def test_files_are_shown_with_their_digest():
    files = [{"file": "flows.csv", "rows": 9, "sha256": "abc123", "official": False}]
    text = render(_validation(files=files, split_note="Split by hand."), _rejected(0), SCHEMA)
    assert "abc123" in text and "Split by hand." in text
