import math

import polars as pl
import pytest

from components.data_validation.validate import validate
from nids.datasets.base import UNREADABLE_SCHEMA, RawFlows
from nids.errors import ArtifactError, InputError
from nids.schema import Column, FlowSchema, Kind

SCHEMA = FlowSchema(
    name="example",
    title="Example flows",
    features=(
        Column("bytes", Kind.INTEGER),
        Column("share", maximum=1.0),
        Column("offset", minimum=None),
        Column("proto", Kind.CATEGORY, minimum=None, values=("tcp", "udp")),
    ),
    classes=("benign", "attack"),
    context=(
        Column("ts", Kind.TIME),
        Column("note", Kind.CATEGORY, minimum=None, nullable=True),
    ),
)


def _frame(rows=8, **cells):
    """`rows` sound rows, half of them attacks; `cells` replaces a column's value by row (the first is 1)."""
    n = range(rows)
    columns = {
        "bytes": list(n),
        "share": [0.5] * rows,
        "offset": [-1.0] * rows,
        "proto": ["tcp"] * rows,
        "ts": [float(i) for i in n],
        "note": [None] * rows,
        "label": ["benign" if i % 2 == 0 else "attack" for i in n],
        "split": [None] * rows,
        "source_file": ["flows.csv"] * rows,
        "source_row": [i + 1 for i in n],
    }
    for name, changes in cells.items():
        for row, value in changes.items():
            columns[name][row - 1] = value
    return pl.DataFrame(columns, schema=SCHEMA.polars_schema())


def _unreadable(*rows):
    return pl.DataFrame(rows, schema=UNREADABLE_SCHEMA, orient="row")


def _validate(frame, unreadable=None, **options):
    raw = RawFlows(frame, _unreadable() if unreadable is None else unreadable, {"files": []})
    return validate(raw, SCHEMA, **{"max_rejected_share": 0.0, "min_class_rows": 3} | options)


def _failed(judged):
    found = judged.validation.expectations
    return [(entry["name"], entry["column"], entry["unexpected"]) for entry in found if not entry["success"]]


def test_sound_flows_pass_unchanged():
    frame = _frame()
    judged = _validate(frame)
    judged.check()
    assert judged.stop is None
    assert judged.kept.equals(frame)
    assert judged.rejected.is_empty()
    assert _failed(judged) == []
    assert judged.validation.rows == 8
    assert judged.validation.classes == {"benign": 4, "attack": 4}
    assert judged.validation.about["simulated"] is False


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bytes", None, "Expected a value, not null in column 'bytes'. Received: null"),
        ("bytes", -5, "Expected at least 0 in column 'bytes'. Received: -5"),
        ("share", 1.5, "Expected a value in [0, 1] in column 'share'. Received: 1.5"),
        ("share", math.nan, "Expected a number, not null or NaN in column 'share'. Received: NaN"),
        ("share", None, "Expected a number, not null or NaN in column 'share'. Received: null"),
        ("offset", math.inf, "Expected a finite number in column 'offset'. Received: inf"),
        ("offset", -math.inf, "Expected a finite number in column 'offset'. Received: -inf"),
        ("proto", None, "Expected a value, not null in column 'proto'. Received: null"),
        ("ts", math.nan, "Expected a number, not null or NaN in column 'ts'. Received: NaN"),
        ("label", "worm", "Expected one of the classes benign, attack in column 'label'. Received: 'worm'"),
        ("label", None, "Expected a value, not null in column 'label'. Received: null"),
    ],
)
def test_a_row_that_breaks_a_rule_is_set_aside_with_the_reason(column, value, reason):
    frame = _frame(**{column: {3: value}})
    judged = _validate(frame, max_rejected_share=0.2)
    judged.check()
    assert judged.kept["source_row"].to_list() == [1, 2, 4, 5, 6, 7, 8]
    assert dict(judged.kept.schema) == SCHEMA.polars_schema()
    row = judged.rejected.row(0, named=True)
    assert (row["source_file"], row["source_row"], row["column"], row["reason"]) == ("flows.csv", 3, column, reason)
    entry = next(entry for entry in judged.validation.expectations if not entry["success"])
    assert (entry["level"], entry["consequence"], entry["unexpected"]) == ("row", "set aside", 1)
    assert entry["examples"][0].startswith("flows.csv, row 3: ")


def test_every_rule_a_row_breaks_is_named_and_its_cells_are_kept_as_text():
    judged = _validate(_frame(bytes={3: -5}, share={3: math.inf}, label={3: "worm"}), max_rejected_share=0.2)
    row = judged.rejected.row(0, named=True)
    assert row["reason"].split("; ") == [
        "Expected at least 0 in column 'bytes'. Received: -5",
        "Expected a finite number in column 'share'. Received: inf",
        "Expected a value in [0, 1] in column 'share'. Received: inf",
        "Expected one of the classes benign, attack in column 'label'. Received: 'worm'",
    ]
    assert (row["bytes"], row["share"], row["proto"], row["column"]) == ("-5", "inf", "tcp", "bytes")


def test_nulls_are_fine_where_a_column_may_be_left_out():
    assert _failed(_validate(_frame(note={1: "seen", 2: None}))) == []


def test_large_whole_numbers_beside_a_null_keep_every_digit():
    judged = _validate(_frame(bytes={1: 2**53 + 1, 2: None}), max_rejected_share=0.2)
    assert judged.kept["bytes"][0] == 2**53 + 1
    assert judged.rejected.height == 1


def test_unreadable_rows_are_set_aside_with_their_text_and_in_source_order():
    reason = "Expected a whole number in column 'bytes'. Received: 'x'"
    lost = _unreadable(("flows.csv", 9, "bytes", reason, "x,1"), ("flows.csv", 2, None, "Expected 4 cells", "y"))
    frame = _frame(bytes={5: -1}).filter(pl.col("source_row") != 2)
    judged = _validate(frame, lost, max_rejected_share=0.5)
    judged.check()
    assert judged.validation.rows == 9
    assert judged.validation.rejected == 3
    found = judged.rejected.select("source_row", "column", "text")
    assert found.rows() == [(2, None, "y"), (5, "bytes", None), (9, "bytes", "x,1")]
    assert ("expect_rows_to_be_readable", None, 2) in _failed(judged)


def test_files_keep_the_order_they_were_read_in():
    frame = _frame(source_file={1: "z.csv"}, bytes={1: -1, 2: -1})
    judged = _validate(frame, max_rejected_share=1.0)
    assert judged.rejected["source_file"].to_list() == ["z.csv", "flows.csv"]


def test_above_the_share_one_line_names_the_first_row_and_what_to_raise():
    judged = _validate(_frame(bytes={3: -5, 6: -7}))
    assert judged.stop == (
        "flows.csv, row 3: expected at least 0 in column 'bytes', received -5; in all 2 of 8 rows break a rule of "
        "their schema, more than max_rejected_share=0 allows: mend them, or go on without them with "
        "--set max_rejected_share=0.25"
    )
    with pytest.raises(InputError, match="row 3"):
        judged.check()
    assert judged.validation.about["stop"] == judged.stop


def test_only_the_first_fault_of_the_first_row_is_spelt_out():
    judged = _validate(_frame(bytes={3: -5}, share={3: 7.0}, ts={3: math.inf}))
    assert judged.stop.startswith(
        "flows.csv, row 3: expected at least 0 in column 'bytes', received -5 (faults in this row: 3); in"
    )


def test_no_share_is_advised_where_every_row_is_at_fault():
    assert _validate(_frame(bytes=dict.fromkeys(range(1, 9), -1))).stop.endswith("allows: mend them")


@pytest.mark.parametrize(("share", "stops"), [(0.3, False), (0.2999, True)])
def test_the_share_is_a_bound_that_may_be_reached(share, stops):
    judged = _validate(_frame(10, bytes={1: -1, 2: -1, 3: -1}), max_rejected_share=share)
    assert (judged.stop is not None) is stops


def test_the_share_that_is_advised_is_enough():
    frame = _frame(7, bytes={3: -1})
    advised = _validate(frame).stop.rsplit("=", 1)[1]
    assert advised == "0.142858"
    assert _validate(frame, max_rejected_share=float(advised)).stop is None


@pytest.mark.parametrize(
    ("attacks", "text"),
    [
        (2, "2 of class 'attack' (flows.csv, row 2; flows.csv, row 4)"),
        (1, "1 of class 'attack' (flows.csv, row 2)"),
        (0, "0 of class 'attack'"),
    ],
)
def test_a_class_with_too_few_rows_is_named_with_its_rows(attacks, text):
    labels = dict.fromkeys(range(2 * attacks + 1, 9), "benign")
    judged = _validate(_frame(label=labels))
    assert judged.stop == (
        f"Expected at least 3 rows of every class to train on. Received: {text}; "
        "give more rows, or ask for fewer with --set min_class_rows=..."
    )
    assert _failed(judged)[0][0] == "expect_class_rows_to_be_at_least"
    assert _validate(_frame(label=labels), min_class_rows=attacks).stop is None


def test_rows_set_aside_do_not_count_for_their_class():
    frame = _frame(bytes={2: -1, 4: -1})
    assert "2 of class 'attack'" in _validate(frame, max_rejected_share=0.5).stop


def test_with_an_official_split_the_training_side_must_hold_every_class():
    sides = {row: "test" if row > 4 else "train" for row in range(1, 9)}
    judged = _validate(_frame(split=sides))
    assert "2 of class 'benign'" in judged.stop
    assert _validate(_frame(split=sides), min_class_rows=2).stop is None
    assert judged.validation.about["split_classes"] == {
        "train": {"benign": 2, "attack": 2},
        "test": {"benign": 2, "attack": 2},
    }


def test_duplicates_are_counted_by_kind_and_stay():
    sides = {row: "test" if row > 5 else "train" for row in range(1, 9)}
    # Row 3 repeats row 1; row 2 has its features under the other label; row 6, on the test side, repeats row 4.
    frame = _frame(bytes={1: 100, 2: 100, 3: 100, 4: 200, 6: 200}, split=sides)
    judged = _validate(frame, min_class_rows=1)
    assert judged.stop is None
    assert judged.kept.height == 8
    assert judged.validation.about["duplicates"] == {
        "repeated": 2,
        "contradicting": 3,
        "test_rows_seen_in_train": 1,
        "official_test_rows": 3,
    }
    assert _failed(judged) == [
        ("expect_compound_columns_to_be_unique", None, 4),
        ("expect_equal_features_to_have_one_label", None, 3),
        ("expect_test_rows_not_to_occur_in_train", None, 1),
    ]


def test_an_undocumented_category_is_reported_and_kept():
    judged = _validate(_frame(proto={4: "quic"}))
    assert judged.stop is None
    assert judged.kept.height == 8
    assert _failed(judged) == [("expect_column_values_to_be_in_set", "proto", 1)]


def test_flows_without_a_column_of_the_schema_are_no_flows_artifact():
    with pytest.raises(ArtifactError, match=r"missing \['bytes'\], unexpected \['octets'\]"):
        _validate(_frame().rename({"bytes": "octets"}))


def test_reordered_columns_stop_the_run():
    frame = _frame()
    other = frame.select("share", "bytes", pl.exclude("share", "bytes"))
    assert "Expected the 10 columns of example, in order. Received: ['share', 'bytes'" in _validate(other).stop


def test_a_column_of_another_type_stops_the_run():
    judged = _validate(_frame().with_columns(pl.col("share").cast(pl.Float64)))
    assert judged.stop == "Expected type float32 in column 'share'. Received: float64"


def test_flows_of_which_none_is_sound_stop_the_run_whatever_the_share():
    frame = _frame(bytes=dict.fromkeys(range(1, 9), -1))
    judged = _validate(frame, max_rejected_share=1.0, min_class_rows=0)
    assert judged.stop == "Expected at least one row that keeps the rules of its schema. Received: none"


def test_flows_of_which_none_could_be_read_name_the_first_row():
    reason = "Expected 4 cells. Received: 1"
    judged = _validate(_frame(0), _unreadable(("flows.csv", 1, None, reason, "?")))
    assert judged.stop.startswith("flows.csv, row 1: expected 4 cells, received 1; in all 1 of 1 rows")
    assert judged.rejected.height == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_rejected_share", -0.1),
        ("max_rejected_share", 1.1),
        ("max_rejected_share", math.nan),
        ("min_class_rows", -1),
    ],
)
def test_a_bound_out_of_its_range_is_named(option, value):
    with pytest.raises(InputError, match=option):
        _validate(_frame(), **{option: value})


def test_the_same_flows_give_the_same_judgement():
    frame = _frame(bytes={3: -5}, proto={4: "quic"})
    first, second = _validate(frame), _validate(frame)
    assert first.validation == second.validation
    assert first.rejected.equals(second.rejected)


def test_nothing_is_sent_and_nothing_is_written_at_home(monkeypatch, tmp_path):
    def refuse(*args):
        raise AssertionError(f"a connection to {args[1:]}")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert _validate(_frame()).stop is None
    assert list(tmp_path.rglob("*")) == []
