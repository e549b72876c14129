from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from nids.datasets import get_dataset
from nids.datasets._records import ZEEK_TYPES
from nids.datasets.base import UNREADABLE_SCHEMA
from nids.datasets.simulated import SCHEMA, read, simulate
from nids.datasets.simulator import simulate_connections, write_records
from nids.errors import InputError
from nids.windows import windowed_features

FORMATS = ("csv", "log", "parquet")
N = 1_000


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("written")
    for suffix in FORMATS:
        write_records(folder / f"flows.{suffix}", N, 0)
    return {suffix: folder / f"flows.{suffix}" for suffix in FORMATS}


@pytest.fixture
def text(written, tmp_path) -> Path:
    """A CSV file of the first five rows, to damage."""
    lines = written["csv"].read_text().splitlines(keepends=True)
    path = tmp_path / "flows.csv"
    path.write_text("".join(lines[:6]))
    return path


def put(path: Path, row: int, column: str, value: str) -> None:
    """Set a cell of a CSV file; the first data row is 1."""
    lines = path.read_text().splitlines()
    cells = lines[row].split(",")
    cells[list(ZEEK_TYPES).index(column)] = value
    lines[row] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


# -- the data set ------------------------------------------------------------------------------------------------------


def test_the_data_set_says_that_it_is_simulated():
    dataset = get_dataset("simulated")
    assert dataset.schema.simulated
    assert "imulated" in dataset.schema.title
    assert dataset.simulate is not None


def test_addresses_times_and_names_are_no_features():
    features = set(SCHEMA.feature_names)
    assert not features & {"ts", "uid", "id_orig_h", "id_orig_p", "id_resp_h", "history"}


def test_simulated_flows_have_the_schema_and_say_how_they_were_made():
    raw = simulate(N, 7)
    assert dict(raw.frame.schema) == SCHEMA.polars_schema()
    assert raw.about == {"simulated": {"flows": N, "seed": 7}}
    assert raw.frame["source_row"].to_list() == list(range(1, N + 1))
    assert raw.frame["source_file"].unique().to_list() == ["simulated"]
    assert raw.frame["split"].null_count() == N
    assert raw.unreadable.is_empty()


def test_simulated_flows_keep_to_the_ranges_and_documented_values():
    frame = simulate(20_000, 0).frame
    for column in (*SCHEMA.features, *SCHEMA.context):
        values = frame[column.name]
        assert column.nullable or values.null_count() == 0, column.name
        if column.values:
            assert set(values.unique()) <= set(column.values), column.name
        elif not column.is_category:
            assert column.minimum is None or values.min() >= column.minimum, column.name
            assert column.maximum is None or values.max() <= column.maximum, column.name


def test_unset_numbers_become_zero_and_an_unset_service_a_dash():
    records = simulate_connections(N, 0)
    frame = simulate(N, 0).frame
    for column, value in {"duration": 0, "orig_bytes": 0, "resp_bytes": 0, "service": "-"}.items():
        unset = records[column].is_null()
        assert unset.any()
        assert frame.filter(unset)[column].unique().to_list() == [value]


def test_the_windowed_features_are_those_of_the_flows():
    frame = simulate(N, 0).frame
    expected = windowed_features(frame)
    assert frame.select(expected.columns).equals(expected)
    assert frame["src_conns_2m"].max() > 0


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_was_written_is_read_back_as_it_was_simulated(written, suffix):
    raw = read(written[suffix])
    simulated = simulate(N, 0).frame
    assert raw.frame.drop("source_file").equals(simulated.drop("source_file"))
    assert raw.frame["source_file"].unique().to_list() == [f"flows.{suffix}"]
    assert raw.unreadable.is_empty()
    assert dict(raw.unreadable.schema) == UNREADABLE_SCHEMA


@pytest.mark.parametrize("suffix", FORMATS)
def test_about_names_the_file_its_digest_and_its_rows_and_no_folder(written, suffix):
    digest = hashlib.sha256(written[suffix].read_bytes()).hexdigest()
    assert read(written[suffix]).about == {"files": [{"file": f"flows.{suffix}", "sha256": digest, "rows": N}]}


def test_columns_may_stand_in_another_order(written, tmp_path):
    pl.read_csv(written["csv"], infer_schema=False).select(reversed(ZEEK_TYPES)).write_csv(tmp_path / "flows.csv")
    assert read(tmp_path / "flows.csv").frame.equals(read(written["csv"]).frame)


def test_a_parquet_file_of_texts_is_read_like_a_csv_file(written, tmp_path):
    pl.read_csv(written["csv"], infer_schema=False).write_parquet(tmp_path / "flows.parquet")
    assert (
        read(tmp_path / "flows.parquet")
        .frame.drop("source_file")
        .equals(read(written["csv"]).frame.drop("source_file"))
    )


@pytest.mark.parametrize("suffix", ["csv", "log"])
def test_line_ends_and_byte_order_mark_of_another_system_change_nothing(written, tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    mark = b"\xef\xbb\xbf" if suffix == "csv" else b""
    path.write_bytes(mark + written[suffix].read_bytes().replace(b"\n", b"\r\n"))
    assert read(path).frame.equals(read(written[suffix]).frame)


def test_whole_numbers_written_as_decimals_are_read(text):
    put(text, 2, "orig_pkts", "12.0")
    assert read(text).frame["orig_pkts"][1] == 12


@pytest.mark.parametrize(
    ("column", "cell", "wanted"),
    [
        ("orig_bytes", "many", "a whole number"),
        ("orig_bytes", "nan", "a whole number"),
        ("resp_pkts", "1.5", "a whole number"),
        ("resp_pkts", "99999999999999999999", "a whole number"),
        ("id.resp_p", "http", "a whole number"),
        ("duration", "long", "a number"),
        ("ts", "yesterday", "a finite time"),
        ("ts", "nan", "a finite time"),
        ("ts", "inf", "a finite time"),
        ("ts", "-", "a finite time"),
        ("orig_pkts", "", "a whole number"),
        ("id.orig_h", "-", "a value"),
        ("label", "", "a value"),
    ],
)
def test_a_cell_without_a_value_of_its_type_sets_its_row_aside(text, column, cell, wanted):
    reason = f"Expected {wanted} in column '{column}'. Received: " + (f"'{cell}'" if cell else "an empty cell")
    put(text, 3, column, cell)
    raw = read(text)
    assert raw.frame["source_row"].to_list() == [1, 2, 4, 5]
    (aside,) = raw.unreadable.to_dicts()
    assert (aside["source_file"], aside["source_row"]) == ("flows.csv", 3)
    assert (aside["column"], aside["reason"]) == (column, reason)
    assert aside["text"] == text.read_text().splitlines()[3]
    assert raw.about["files"][0]["rows"] == 5


def test_a_row_with_two_faults_is_set_aside_once_with_both(text):
    put(text, 1, "orig_pkts", "x")
    put(text, 1, "resp_pkts", "y")
    (aside,) = read(text).unreadable.to_dicts()
    assert aside["column"] == "orig_pkts"
    assert aside["reason"] == (
        "Expected a whole number in column 'orig_pkts'. Received: 'x'; "
        "Expected a whole number in column 'resp_pkts'. Received: 'y'"
    )


def test_a_long_cell_is_told_by_its_beginning(text):
    put(text, 1, "orig_pkts", "x" * 200_000)
    assert read(text).unreadable["reason"][0].endswith(f"Received: '{'x' * 80}'")


def test_a_parquet_cell_is_told_as_a_text_cell_is(written, tmp_path):
    path = tmp_path / "flows.parquet"
    cells = pl.read_parquet(written["parquet"]).with_columns(pl.lit(1.5).alias("orig_pkts")).head(1)
    cells.with_columns(pl.lit(None, pl.String).alias("uid")).write_parquet(path)
    assert read(path).unreadable["reason"].to_list() == [
        "Expected a value in column 'uid'. Received: an empty cell; "
        "Expected a whole number in column 'orig_pkts'. Received: '1.5'"
    ]


@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("log", "\t")])
@pytest.mark.parametrize("lost", [1, 6, 18])
def test_a_row_cut_short_is_set_aside_with_its_number_of_cells(written, tmp_path, suffix, mark, lost):
    path = tmp_path / f"flows.{suffix}"
    lines = written[suffix].read_text().splitlines()
    at = len(lines) - N + 4
    lines[at] = lines[at].rsplit(mark, lost)[0]
    path.write_text("\n".join(lines) + "\n")
    raw = read(path)
    assert raw.frame.height == N - 1
    (aside,) = raw.unreadable.to_dicts()
    assert (aside["source_row"], aside["column"], aside["text"]) == (5, None, lines[at])
    assert aside["reason"] == f"Expected 19 cells. Received: {19 - lost}"


def test_short_rows_and_wrong_cells_are_told_apart(text):
    put(text, 1, "orig_pkts", "x")
    lines = text.read_text().splitlines()
    lines[3] = "5"
    lines[4] = ""
    text.write_text("\n".join(lines) + "\n")
    assert read(text).unreadable.select("source_row", "column", "reason").rows() == [
        (1, "orig_pkts", "Expected a whole number in column 'orig_pkts'. Received: 'x'"),
        (3, None, "Expected 19 cells. Received: 1"),
        (4, None, "Expected 19 cells. Received: 0"),
    ]


def test_a_row_short_of_a_cell_that_may_be_unset_is_set_aside_too(written, tmp_path):
    path = tmp_path / "flows.csv"
    names = [name for name in ZEEK_TYPES if name != "history"]
    pl.read_csv(written["csv"], infer_schema=False).select(*names, "history").write_csv(path)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0]
    path.write_text("\n".join(lines) + "\n")
    assert read(path).unreadable.select("source_row", "reason").rows() == [(3, "Expected 19 cells. Received: 18")]


def test_a_row_set_aside_counts_in_no_window(text):
    whole = read(text).frame
    lines = text.read_text().splitlines()
    text.write_text("\n".join([*lines[:1], lines[1].replace(lines[1].split(",")[0], "x"), *lines[1:]]) + "\n")
    assert read(text).frame.drop("source_row").equals(whole.drop("source_row"))


@pytest.mark.parametrize("suffix", ["csv", "log"])
def test_unset_is_a_dash_or_an_empty_cell(written, tmp_path, suffix):
    mark, other = {"csv": (",,", ",-,"), "log": ("\t-\t", "\t\t")}[suffix]
    path = tmp_path / f"flows.{suffix}"
    path.write_text(written[suffix].read_text().replace(mark, other))
    assert path.read_bytes() != written[suffix].read_bytes()
    assert read(path).frame.equals(read(written[suffix]).frame)


def test_nan_infinity_values_out_of_range_and_unknown_labels_are_left_to_validation(text):
    put(text, 1, "duration", "nan")
    put(text, 2, "duration", "inf")
    put(text, 3, "orig_pkts", "-4")
    put(text, 4, "label", "gremlin")
    raw = read(text)
    assert raw.unreadable.is_empty()
    assert raw.frame["duration"].is_nan()[0]
    assert raw.frame["duration"].is_infinite()[1]
    assert raw.frame["orig_pkts"][2] == -4
    assert raw.frame["label"][3] == "gremlin"


def test_a_file_of_nothing_but_unreadable_rows_gives_no_flow(text):
    for row in range(1, 6):
        put(text, row, "ts", "x")
    raw = read(text)
    assert (raw.frame.height, raw.unreadable.height) == (0, 5)
    assert dict(raw.frame.schema) == SCHEMA.polars_schema()


# -- refusing ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_refused_by_name(written):
    with pytest.raises(InputError, match=r"Expected one file of flow records .* the folder .*written"):
        read(written["csv"].parent)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv\. Received: no such file"):
        read(tmp_path / "nowhere.csv")


def test_another_extension_is_refused(tmp_path):
    (tmp_path / "KDDTrain+.txt").write_text("0,tcp,ftp_data,SF\n")
    with pytest.raises(InputError, match=r"ends in \.csv, \.log, \.parquet\. Received: .*KDDTrain\+\.txt"):
        read(tmp_path / "KDDTrain+.txt")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_file_is_named(tmp_path, suffix):
    (tmp_path / f"flows.{suffix}").touch()
    with pytest.raises(InputError, match=rf"flows\.{suffix}\. Received: an empty file"):
        read(tmp_path / f"flows.{suffix}")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_without_rows_is_named(written, tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    if suffix == "parquet":
        pl.read_parquet(written[suffix]).head(0).write_parquet(path)
    else:
        lines = written[suffix].read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:-N]))
    with pytest.raises(InputError, match=rf"flows\.{suffix}\. Received: a file without rows"):
        read(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_missing_extra_and_renamed_columns_are_named(written, tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    if suffix == "parquet":
        pl.read_parquet(written[suffix]).rename({"orig_pkts": "packets"}).write_parquet(path)
    else:
        path.write_text(written[suffix].read_text().replace("orig_pkts", "packets", 1))
    with pytest.raises(InputError, match=r"no column 'orig_pkts', column 'packets'"):
        read(path)


def test_a_column_given_twice_is_named(text):
    text.write_text(text.read_text().replace("uid", "ts", 1))
    with pytest.raises(InputError, match=r"no column 'uid', column 'ts'"):
        read(text)


def test_a_file_of_another_data_set_is_refused(tmp_path):
    (tmp_path / "UNSW.csv").write_text("id,dur,proto\n1,0.1,tcp\n")
    with pytest.raises(InputError, match=r"UNSW\.csv\. Received: no column 'ts'"):
        read(tmp_path / "UNSW.csv")


def test_a_log_without_its_header_is_refused(tmp_path):
    (tmp_path / "conn.log").write_text("1.0\tC1\n")
    with pytest.raises(InputError, match=r"#fields line in .*conn\.log"):
        read(tmp_path / "conn.log")


@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("log", "\t")])
def test_a_row_with_too_many_cells_is_named(written, tmp_path, suffix, mark):
    path = tmp_path / f"flows.{suffix}"
    lines = written[suffix].read_text().splitlines()
    first = len(lines) - N
    lines[first + 6] += f"{mark}more"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"19 cells in .*flows\.{suffix}\. Received: 20 cells in row 7"):
        read(path)


@pytest.mark.parametrize("row", [1, 5, N])
@pytest.mark.parametrize("cell", ['"ht', 'ht"', 'h"t', '"h"t', '"'])
def test_a_quote_that_does_not_end_is_named_with_its_row(written, tmp_path, row, cell):
    path = tmp_path / "flows.csv"
    path.write_bytes(written["csv"].read_bytes())
    put(path, row, "service", cell)
    # Enough behind it that the csv module would give up on one cell.
    path.write_text(path.read_text() + "".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match=rf"quotes .* in .*flows\.csv\. Received: .* in row {row}$") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_quoted_cell_that_swallows_rows_is_refused(text):
    put(text, 2, "service", '"ht')
    put(text, 4, "service", 'tp"')
    with pytest.raises(InputError, match=r"in row 2$"):
        read(text)


def test_quotes_in_the_header_and_around_cells_are_read(text):
    whole = read(text).frame
    lines = text.read_text().splitlines()
    quoted = [",".join(f'"{cell}"' if cell else cell for cell in line.split(",")) for line in lines]
    text.write_text("\n".join(quoted) + "\n")
    assert read(text).frame.equals(whole)


def test_a_header_with_an_open_quote_is_named(text):
    text.write_text('"' + text.read_text())
    with pytest.raises(InputError, match=r"in the header$"):
        read(text)


@pytest.mark.parametrize("suffix", ["csv", "log"])
def test_a_file_that_is_one_endless_line_is_refused(tmp_path, suffix):
    path = tmp_path / f"flows.{suffix}"
    path.write_text("x" * 200_000)
    with pytest.raises(InputError, match=rf"flows\.{suffix}"):
        read(path)


def test_a_truncated_parquet_file_is_refused(written, tmp_path):
    (tmp_path / "flows.parquet").write_bytes(written["parquet"].read_bytes()[:-500])
    with pytest.raises(InputError, match=r"whole Parquet file at .*flows\.parquet"):
        read(tmp_path / "flows.parquet")


def test_a_text_file_called_parquet_is_refused(written, tmp_path):
    (tmp_path / "flows.parquet").write_bytes(written["csv"].read_bytes())
    with pytest.raises(InputError, match="whole Parquet file"):
        read(tmp_path / "flows.parquet")


def test_a_parquet_column_of_another_kind_is_named(written, tmp_path):
    records = pl.read_parquet(written["parquet"])
    records.with_columns(pl.col("ts").cast(pl.Datetime("us"))).write_parquet(tmp_path / "flows.parquet")
    with pytest.raises(InputError, match=r"Expected Float64 in column 'ts' of .*Received: Datetime"):
        read(tmp_path / "flows.parquet")


@pytest.mark.parametrize("suffix", ["csv", "log"])
def test_text_that_is_not_utf_8_is_named_with_its_line(written, tmp_path, suffix):
    lines = written[suffix].read_bytes().split(b"\n")
    lines[11] = lines[11].replace(b"benign", b"b\xe9nign").replace(b"tcp", b"t\xe9p").replace(b"udp", b"u\xe9p")
    (tmp_path / f"flows.{suffix}").write_bytes(b"\n".join(lines))
    with pytest.raises(InputError, match=rf"UTF-8 text in .*flows\.{suffix}\. Received: other bytes in line 12"):
        read(tmp_path / f"flows.{suffix}")
