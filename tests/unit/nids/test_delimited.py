import gzip
import hashlib
import math

import polars as pl
import pytest

from nids.datasets._delimited import read_delimited
from nids.datasets.base import UNREADABLE_SCHEMA
from nids.errors import InputError
from nids.schema import Kind

COLUMNS = {"name": Kind.CATEGORY, "share": Kind.FLOAT, "count": Kind.INTEGER}


def _write(folder, text, name="flows.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _read(path, **options):
    return read_delimited(path, COLUMNS, title="Example", **options)


def test_cells_become_typed_columns_that_know_their_row(tmp_path):
    read = _read(_write(tmp_path, "name,share,count\ntcp,0.5,3\nudp,1,4\n"))
    assert dict(read.frame.schema) == {
        "name": pl.String(),
        "share": pl.Float32(),
        "count": pl.Int64(),
        "source_file": pl.String(),
        "source_row": pl.Int64(),
    }
    assert read.frame.rows() == [("tcp", 0.5, 3, "flows.csv", 1), ("udp", 1.0, 4, "flows.csv", 2)]
    assert read.unreadable.is_empty()
    assert dict(read.unreadable.schema) == UNREADABLE_SCHEMA


def test_a_file_is_described_by_its_rows_and_digests(tmp_path):
    text = b"tcp,0.5,3\n"
    packed = gzip.compress(text)
    about = _read(_write(tmp_path, packed, "flows.csv.gz"), header=False).about
    assert about == {
        "file": "flows.csv.gz",
        "rows": 1,
        "sha256": hashlib.sha256(packed).hexdigest(),
        "sha256_unpacked": hashlib.sha256(text).hexdigest(),
    }


@pytest.mark.parametrize(
    "text",
    [
        "name,share,count\r\ntcp,0.5,3\r\n",
        "\ufeffname,share,count\ntcp,0.5,3",
        "count,name,share\n3,tcp,0.5\n\n\n",
        'name,share,count\n"tcp","0.5","3"\n',
    ],
    ids=["CRLF", "byte-order mark, no last line end", "another order, blank end", "quoted"],
)
def test_dialects_read_the_same(tmp_path, text):
    read = _read(_write(tmp_path, text))
    assert read.frame.rows() == [("tcp", 0.5, 3, "flows.csv", 1)]
    assert read.unreadable.is_empty()


def test_a_gzip_file_without_the_ending_is_unpacked(tmp_path):
    read = _read(_write(tmp_path, gzip.compress(b"tcp,0.5,3\n")), header=False)
    assert read.frame.height == 1


def test_quoted_cells_keep_the_separator(tmp_path):
    read = _read(_write(tmp_path, 'name,share,count\n"a,b",0.5,3\nc,1,4\n'))
    assert read.frame["name"].to_list() == ["a,b", "c"]


def test_tabs_separate_too(tmp_path):
    read = _read(_write(tmp_path, "name\tshare\tcount\ntcp\t0.5\t3\n"), separator="\t")
    assert read.frame["count"].to_list() == [3]


def test_empty_cells_are_null_and_strange_numbers_are_kept_for_validation(tmp_path):
    read = _read(_write(tmp_path, "name,share,count\n,nan,3\ntcp,,\ntcp,Infinity,-5\n"))
    assert read.frame["name"].to_list() == [None, "tcp", "tcp"]
    share = read.frame["share"].to_list()
    assert math.isnan(share[0]) and share[1] is None and share[2] == math.inf
    assert read.frame["count"].to_list() == [3, None, -5]
    assert read.unreadable.is_empty()


def test_a_count_written_as_a_float_is_a_whole_number(tmp_path):
    read = _read(_write(tmp_path, "name,share,count\ntcp,1,3.0\ntcp,1,9007199254740993\n"))
    assert read.frame["count"].to_list() == [3, 9007199254740993]


def test_an_unreadable_row_keeps_its_text_and_says_why(tmp_path):
    read = _read(_write(tmp_path, "name,share,count\ntcp,1,3\ntcp,fast,3.5\nudp,1,4\n"))
    assert read.frame["source_row"].to_list() == [1, 3]
    assert read.unreadable.rows() == [
        (
            "flows.csv",
            2,
            "share",
            "Expected a number in column 'share'. Received: 'fast'; "
            "Expected a whole number in column 'count'. Received: '3.5'",
            "tcp,fast,3.5",
        )
    ]
    assert read.about["rows"] == 3


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "0x10", "1,5"[:1] + " "])
def test_what_is_no_whole_number_is_unreadable(tmp_path, value):
    read = _read(_write(tmp_path, f"name,share,count\ntcp,1,{value}\n"))
    assert read.frame.is_empty()
    assert read.unreadable["column"].to_list() == ["count"]


def test_rows_with_too_few_or_too_many_cells_are_unreadable_and_in_order(tmp_path):
    read = _read(_write(tmp_path, "name,share,count\ntcp,1\ntcp,x,3\ntcp,1,3,4\n\ntcp,1,3\n"))
    assert read.frame["source_row"].to_list() == [5]
    assert read.unreadable["source_row"].to_list() == [1, 2, 3, 4]
    assert read.unreadable["reason"].to_list()[2] == "Expected 3 cells. Received: 4"
    assert read.unreadable["text"].to_list() == ["tcp,1", "tcp,x,3", "tcp,1,3,4", ""]


def test_a_quote_that_does_not_end_costs_one_row_only(tmp_path):
    read = _read(_write(tmp_path, 'name,share,count\n"tcp,1,3\nudp,1,4\n'))
    assert read.frame["name"].to_list() == ["udp"]
    assert read.unreadable["text"].to_list() == ['"tcp,1,3']


def test_optional_columns_may_be_left_out(tmp_path):
    read = _read(_write(tmp_path, "share,count\n1,3\n"), optional=("name",))
    assert read.frame["name"].to_list() == [None]


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("name,share\na,1\n", {}, "Expected the 3 columns of Example in flows.csv. Received: missing 'count'"),
        ("name,share,count,more\na,1,2,3\n", {}, "unexpected 'more'"),
        ("name,share,total\na,1,2\n", {}, "missing 'count', unexpected 'total'"),
        ("name,share,count,count\na,1,2,2\n", {}, "repeated 'count'"),
        ("name,share,count\n", {}, "a header and no rows"),
        ("a,1\nb,1,2\n", {"header": False}, "Expected 3 columns of Example in every row of flows.csv. Received: 2 in"),
        ("", {}, "an empty file"),
        ("\n\n", {}, "an empty file"),
        (b"name,share,count\na,1,2\n\xe9,1,2\n", {}, "byte 0xe9 in line 3"),
        ('"name,share,count\na,1,2\n', {}, "flows.csv, line 1"),
        ("pkSeqID,share\n1,2\n", {}, "looks like Bot-IoT"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path, text, options, complaint):
    with pytest.raises(InputError) as caught:
        _read(_write(tmp_path, text), **options)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"flows\.csv\. Received: nothing of that name"):
        _read(tmp_path / "flows.csv")
    with pytest.raises(InputError, match="Received: a folder"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda packed: packed[: len(packed) // 2], "cut off"),
        (lambda packed: packed[:-4], "cut off"),
        (lambda packed: packed[:-6] + b"??????", "intact gzip file"),
        (lambda _: b"name,share,count\na,1,2\n", "intact gzip file"),
        (lambda _: b"", "empty file"),
        (lambda _: gzip.compress(b""), "empty file"),
    ],
    ids=["half", "no trailer", "wrong checksum", "not packed", "no bytes", "nothing packed"],
)
def test_a_damaged_gzip_file_is_refused(tmp_path, damage, complaint):
    packed = gzip.compress(b"name,share,count\n" + b"tcp,0.5,3\n" * 1000)
    with pytest.raises(InputError, match=complaint):
        _read(_write(tmp_path, damage(packed), "flows.csv.gz"))
