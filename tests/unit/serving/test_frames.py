import gzip

import numpy as np
import polars as pl
import pytest

from nids.errors import InputError, StoreError
from serving.frames import read_batches, score_writer
from serving.signature import TensorSpec

_INPUTS = {
    "bytes": TensorSpec("bytes", "bytes:0", 9, (-1,)),
    "duration": TensorSpec("duration", "duration:0", 1, (-1,)),
    "protocol": TensorSpec("protocol", "protocol:0", 7, (-1,)),
}
_HEADER = "protocol,label,bytes,duration\n"


def _read(path, batch_size=100):
    return list(read_batches(path, _INPUTS, batch_size))


def _csv(tmp_path, text, name="flows.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_are_found_by_name_and_others_are_not_looked_at(tmp_path):
    (batch,) = _read(_csv(tmp_path, _HEADER + "tcp,x, 1 ,0.5\nudp,,2,3\n"))

    assert batch.first_row == 1
    assert batch.columns["bytes"].tolist() == [1, 2]
    assert batch.columns["bytes"].dtype == np.int64
    assert batch.columns["duration"].tolist() == [0.5, 3.0]
    assert batch.columns["duration"].dtype == np.float32
    assert batch.columns["protocol"].tolist() == ["tcp", "udp"]


def test_a_gzipped_file_is_read_like_a_plain_one(tmp_path):
    path = _csv(tmp_path, gzip.compress(f"{_HEADER}tcp,x,1,0.5\n".encode()), "flows.csv.gz")

    assert _read(path)[0].columns["protocol"].tolist() == ["tcp"]


def test_parquet_may_hold_other_types_of_the_same_numbers(tmp_path):
    path = tmp_path / "flows.parquet"
    frame = pl.DataFrame({"bytes": [1.0, 2.0], "duration": [1, 2], "protocol": ["tcp", "udp"]})
    frame.with_columns(pl.col("protocol").cast(pl.Categorical)).write_parquet(path)

    (batch,) = _read(path)

    assert batch.columns["bytes"].dtype == np.int64
    assert batch.columns["duration"].dtype == np.float32
    assert batch.columns["protocol"].tolist() == ["tcp", "udp"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_batches_have_the_size_asked_for_whatever_the_blocks_of_the_file(tmp_path, kind):
    n = 300_000
    path = tmp_path / f"flows.{kind}"
    frame = pl.DataFrame({"bytes": np.arange(n), "duration": np.arange(n) / 2, "protocol": ["a-long-name"] * n})
    frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)

    batches = _read(path, 7000)

    assert [len(batch) for batch in batches] == [7000] * 42 + [6000]
    assert [batch.first_row for batch in batches] == list(range(1, n, 7000))
    assert np.concatenate([batch.columns["bytes"] for batch in batches]).tolist() == list(range(n))


def test_an_empty_cell_is_an_empty_string_and_whole_floats_are_integers(tmp_path):
    (batch,) = _read(_csv(tmp_path, _HEADER + ",x,3.0,1\n"))

    assert batch.columns["protocol"].tolist() == [""]
    assert batch.columns["bytes"].tolist() == [3]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("tcp,x,many,1", "a whole number in column bytes, row 3 of {path}. Received: 'many'"),
        ("tcp,x,1.5,1", "a whole number in column bytes, row 3 of {path}. Received: '1.5'"),
        ("tcp,x,99999999999999999999,1", "a whole number in column bytes, row 3"),
        ("tcp,x,,1", "a whole number in column bytes, row 3 of {path}. Received: an empty cell"),
        ("tcp,x,1,fast", "a finite number in column duration, row 3 of {path}. Received: 'fast'"),
        ("tcp,x,1,NaN", "a finite number in column duration, row 3 of {path}. Received: 'NaN'"),
        ("tcp,x,1,inf", "a finite number in column duration, row 3 of {path}. Received: 'inf'"),
        ("tcp,x,1,1e300", "a number that fits float32 in column duration, row 3"),
        ("tcp,x,1,1,1", "row 3: Expected 4 columns, got 5"),
        ("tcp,x", "row 3: Expected 4 columns, got 2"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(tmp_path, cell, words):
    path = _csv(tmp_path, f"{_HEADER}tcp,x,1,1\ntcp,x,1,1\n{cell}\n")

    with pytest.raises(InputError) as caught:
        _read(path, batch_size=2)

    assert words.format(path=path) in str(caught.value)


def test_the_row_counts_over_batches(tmp_path):
    path = _csv(tmp_path, _HEADER + "tcp,x,1,1\n" * 999 + "tcp,x,-,1\n")

    with pytest.raises(InputError, match="row 1000 of"):
        _read(path, batch_size=7)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("flows.csv", b"", "an empty file"),
        ("flows.csv", _HEADER.encode(), "at least one flow"),
        ("flows.csv", b"protocol,label\ntcp,x\n", "Missing: bytes, duration"),
        ("flows.csv", b"bytes,bytes,duration,protocol\n1,1,1,x\n", "Received twice: bytes"),
        ("flows.csv", _HEADER.encode() + b"\xff\xfe,x,1,1\n", "invalid UTF8"),
        ("flows.csv.gz", gzip.compress(_HEADER.encode() + b"tcp,x,1,1\n" * 999)[:-20], "intact file"),
        ("flows.csv.gz", b"plain text", "intact file"),
        ("flows.parquet", b"PAR1 and no more", "intact file"),
        ("flows.txt", b"text", "ends in .csv, .csv.gz, .parquet"),
    ],
)
def test_a_file_that_is_none_of_flows_is_refused_by_name(tmp_path, name, content, words):
    path = _csv(tmp_path, content, name)

    with pytest.raises(InputError) as caught:
        _read(path)

    assert words in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="nothing of that name"):
        _read(tmp_path / "no.csv")
    with pytest.raises(InputError, match="a folder"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("column", "words"),
    [({"bytes": [None, 1]}, "row 1"), ({"protocol": ["a", None]}, "row 2"), ({"protocol": [1.5, 2.5]}, "Float64")],
)
def test_a_parquet_cell_without_a_value_is_named(tmp_path, column, words):
    path = tmp_path / "flows.parquet"
    pl.DataFrame({"bytes": [1, 2], "duration": [1.0, 2.0], "protocol": ["a", "b"]} | column).write_parquet(path)

    with pytest.raises(InputError, match=words):
        _read(path)


def test_a_model_whose_inputs_are_no_columns_cannot_score_files(tmp_path):
    with pytest.raises(InputError, match="inputs are columns"):
        list(read_batches(_csv(tmp_path, "x\n1\n"), {"x": TensorSpec("x", "x:0", 1, (-1, 4))}, 10))


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_scores_are_written_frame_by_frame(tmp_path, name):
    path = tmp_path / name
    with score_writer(path) as writer:
        writer.write(pl.DataFrame({"row": [1], "label": ["a,b"]}))
        writer.write(pl.DataFrame({"row": [2], "label": ["c"]}))

    read = pl.read_csv(path) if name.endswith("csv") else pl.read_parquet(path)
    assert read.rows() == [(1, "a,b"), (2, "c")]


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_an_error_leaves_no_output_and_the_old_one_as_it_was(tmp_path, name):
    path = tmp_path / name
    path.write_text("old")

    with pytest.raises(RuntimeError), score_writer(path) as writer:
        writer.write(pl.DataFrame({"row": [1]}))
        raise RuntimeError

    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert path.read_text() == "old"


def test_scores_go_to_standard_output_as_csv(capsys):
    with score_writer(None) as writer:
        writer.write(pl.DataFrame({"row": [1]}))
        writer.write(pl.DataFrame({"row": [2]}))

    assert capsys.readouterr().out == "row\n1\n2\n"


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"ends in .csv or .parquet"), score_writer(tmp_path / "scores.xlsx"):
        pass
    with pytest.raises(InputError, match="the folder"), score_writer(tmp_path):
        pass
    with (
        pytest.raises(StoreError, match=r"scores.csv. Received: "),
        score_writer(tmp_path / "file" / "scores.csv"),
    ):
        pass
