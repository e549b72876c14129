import os
from pathlib import Path

import polars as pl
import pytest
from kfp import dsl

from components.data_ingestion.component import data_ingestion
from components.data_validation.component import data_validation
from nids import artifacts
from nids.datasets.base import UNREADABLE_SCHEMA, RawFlows
from nids.errors import InputError


@pytest.fixture
def room(tmp_path, tiny):
    """Saves flows, runs the step on them and hands out its outputs."""

    class Room:
        flows = dsl.Dataset(uri=str(tmp_path / "flows"))
        validated = dsl.Dataset(uri=str(tmp_path / "validated"))
        report = dsl.Artifact(uri=str(tmp_path / "report"))
        html = dsl.HTML(uri=str(tmp_path / "html"))

        def run(self, raw, **options):
            artifacts.save_flows(self.flows.path, tiny, raw)
            data_validation.python_func(self.flows, self.validated, self.report, self.html, **options)

    return Room()


@pytest.fixture
def flawed(flows):
    """100 flows, one of them out of range, and a row that could not be read."""
    row = pl.int_range(pl.len())
    frame = flows().with_columns(rate=pl.when(row == 4).then(2.0).otherwise(pl.col("rate")).cast(pl.Float32))
    lost = pl.DataFrame([("t.csv", 1, "count", "Expected a whole number", "x")], UNREADABLE_SCHEMA, orient="row")
    return RawFlows(frame, lost, {"split_note": "By hand."})


def test_sound_flows_pass_with_their_facts(room, flows):
    room.run(RawFlows(flows(), about={"split_note": "By hand."}))
    found = artifacts.load_flows(room.validated.path)
    assert found.raw.frame.equals(flows())
    assert found.raw.about == {"schema": "tiny", "split_note": "By hand."}
    assert room.validated.metadata == {"schema": "tiny", "rows": 100, "rejected": 0}
    assert artifacts.load_validation(room.report.path).classes == {"normal": 60, "dos": 30, "probe": 10}
    assert "Passed: all 100 rows" in Path(room.html.path).read_text()


def test_rows_set_aside_are_in_the_report_and_not_in_the_flows(room, flawed):
    room.run(flawed, max_rejected_share=0.02)
    found = artifacts.load_flows(room.validated.path)
    assert found.raw.frame.height == 99
    assert found.raw.unreadable.is_empty()
    validation = artifacts.load_validation(room.report.path)
    assert (validation.rows, validation.rejected) == (101, 2)
    rejected = artifacts.load_rejected(room.report.path)
    assert "Expected a value in [0, 1] in column 'rate'. Received: 2.0" in rejected["reason"].to_list()
    assert "x" in rejected["text"].to_list()
    assert f"{validation.rejected} of {validation.rows} rows set aside" in Path(room.html.path).read_text()


def test_where_the_rows_set_aside_and_the_page_lie_is_printed(room, flawed, capsys):
    room.run(flawed, max_rejected_share=0.02)
    out = capsys.readouterr().out
    assert f"The rows set aside: {artifacts.rejected_file(room.report.path)}\n" in out
    assert f"The report: {room.html.path}\n" in out
    assert artifacts.rejected_file(room.report.path).is_file()


def test_of_sound_flows_no_place_is_printed(room, flows, capsys):
    room.run(RawFlows(flows()))
    assert room.html.path not in capsys.readouterr().out


def _check_stopped(room, raw, complaint):
    with pytest.raises(InputError) as caught:
        room.run(raw)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path(room.validated.path).exists()
    stop = artifacts.load_validation(room.report.path).about["stop"]
    kept = raw.unreadable.height and f"; the rows set aside are kept in {artifacts.rejected_file(room.report.path)}"
    assert str(caught.value) == stop + (kept or "")
    text = Path(room.html.path).read_text()
    assert "Stopped." in text
    assert "http:" not in text and "https:" not in text


def test_too_many_rows_set_aside_leave_a_report_and_no_flows(room, flawed, capsys):
    _check_stopped(room, flawed, "in all 2 of 101 rows break a rule")
    out = capsys.readouterr().out
    assert str(artifacts.rejected_file(room.report.path)) in out
    assert room.html.path in out


def test_a_class_with_one_row_leaves_a_report_and_no_flows(room, flows, capsys):
    _check_stopped(room, RawFlows(flows(probe=1)), "Received: 1 of class 'probe' (tiny.csv, row 91)")
    assert room.html.path in capsys.readouterr().out


def test_the_same_flows_give_the_same_bytes(room, flawed):
    written = []
    for _ in range(2):
        room.run(flawed, max_rejected_share=0.02)
        folders = [Path(room.report.path), Path(room.validated.path)]
        files = sorted(file for folder in folders for file in folder.iterdir())
        written.append([file.read_bytes() for file in [*files, Path(room.html.path)]])
    assert written[0] == written[1]


@pytest.mark.slow
@pytest.mark.skipif("NIDS_DATA" not in os.environ, reason="NIDS_DATA names no folder with real data")
@pytest.mark.parametrize(
    ("name", "rows", "duplicates"),
    [("nsl-kdd", 148_517, {"repeated": 629}), ("unsw-nb15", 82_332, {"repeated": 26_387})],
)
def test_the_official_files_pass_whole(tmp_path, name, rows, duplicates):
    paths = {part: str(tmp_path / part) for part in ("flows", "validated", "report", "html")}
    flows = dsl.Dataset(uri=paths["flows"])
    data_ingestion.python_func(flows, dataset=name, data=str(Path(os.environ["NIDS_DATA"]) / name))
    validated, report = dsl.Dataset(uri=paths["validated"]), dsl.Artifact(uri=paths["report"])
    data_validation.python_func(flows, validated, report, dsl.HTML(uri=paths["html"]))
    found = artifacts.load_validation(report.path)
    assert (found.rows, found.rejected, sum(found.classes.values())) == (rows, 0, rows)
    assert found.about["duplicates"].items() >= duplicates.items()
    before, after = artifacts.load_flows(flows.path), artifacts.load_flows(validated.path)
    assert after.raw.frame.equals(before.raw.frame)
    assert after.raw.about == before.raw.about
