import gzip
import os
from pathlib import Path

import pytest

from nids.datasets import get_dataset, unsw_nb15
from nids.datasets.unsw_nb15 import FILES, SCHEMA, read
from nids.errors import InputError

HEADER = ",".join(["id", *SCHEMA.feature_names, "attack_cat", "label"])
TRAIN, TEST = FILES["train"], FILES["test"]


def _row(number, category="Normal", attack=0, **cells):
    values = dict.fromkeys(SCHEMA.feature_names, "1")
    values |= {"proto": "tcp", "service": "-", "state": "FIN"} | cells
    return ",".join([str(number), *values.values(), category, str(attack)])


def _text(*rows, header=HEADER):
    return "\ufeff" + "\r\n".join([header, *rows]) + "\r\n"


def _write(folder, name, text):
    (folder / name).write_bytes(text.encode())
    return folder


def test_the_registry_knows_it():
    assert get_dataset("unsw-nb15").schema is SCHEMA
    assert SCHEMA.classes[0] == "Normal" and len(SCHEMA.classes) == 10


def test_row_number_and_labels_are_never_features():
    assert len(SCHEMA.features) == 42
    assert {"id", "label", "attack_cat"}.isdisjoint(SCHEMA.feature_names)


def test_both_files_give_the_authors_split(tmp_path):
    _write(tmp_path, TRAIN, _text(_row(1), _row(2, "DoS", 1)))
    _write(tmp_path, TEST, _text(_row(1, "Worms", 1)))
    flows = read(tmp_path)
    assert dict(flows.frame.schema) == SCHEMA.polars_schema()
    assert flows.frame.select("label", "split", "source_file", "source_row").rows() == [
        ("Normal", "train", TRAIN, 1),
        ("DoS", "train", TRAIN, 2),
        ("Worms", "test", TEST, 1),
    ]
    assert "The authors' split" in flows.about["split_note"]
    assert f"{TRAIN} and {TEST} has not its official number of rows" in flows.about["split_note"]


@pytest.mark.parametrize(("name", "word"), [(TEST, "testing"), (TRAIN, "training")])
def test_one_file_alone_leaves_the_split_open_and_says_so(tmp_path, name, word):
    flows = read(_write(tmp_path, name, _text(_row(1), _row(2, "DoS", 1))))
    assert flows.frame["split"].to_list() == [None, None]
    assert f"Only the official {word} set was given" in flows.about["split_note"]
    assert "not comparable with published ones" in flows.about["split_note"]


def test_a_part_of_the_training_set_under_another_name_is_not_taken_for_it(tmp_path):
    _write(tmp_path, TEST, _text(_row(1)))
    _write(tmp_path, "UNSW_NB15_training-set.first19999.csv", _text(_row(1), _row(2)))
    flows = read(tmp_path)
    assert flows.frame["source_file"].to_list() == [TEST]
    (tmp_path / TEST).unlink()
    with pytest.raises(InputError, match=r"Received: a folder with UNSW_NB15_training-set\.first19999\.csv"):
        read(tmp_path)


@pytest.mark.parametrize(("name", "rows"), [(TRAIN, 3), (TEST, 5)])
def test_swapped_names_are_refused(tmp_path, monkeypatch, name, rows):
    monkeypatch.setattr(unsw_nb15, "OFFICIAL_ROWS", {"train": 5, "test": 3})
    _write(tmp_path, name, _text(*(_row(i) for i in range(rows))))
    with pytest.raises(InputError, match="the two names are swapped in this copy"):
        read(tmp_path)


def test_the_right_number_of_rows_under_the_right_name_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(unsw_nb15, "OFFICIAL_ROWS", {"train": 5, "test": 3})
    _write(tmp_path, TRAIN, _text(*(_row(i) for i in range(5))))
    _write(tmp_path, TEST, _text(*(_row(i) for i in range(3))))
    flows = read(tmp_path)
    assert flows.frame.height == 8
    assert "official number of rows" not in flows.about["split_note"]


@pytest.mark.parametrize(("category", "attack"), [("Normal", 1), ("DoS", 0), ("DoS", 2)])
def test_a_row_whose_labels_contradict_each_other_is_kept_aside(tmp_path, category, attack):
    row = _row(2, category, attack, dur="0.10")
    flows = read(_write(tmp_path, TEST, _text(_row(1), row, _row(3))))
    assert flows.frame["source_row"].to_list() == [1, 3]
    assert flows.unreadable.select("source_row", "column", "text").rows() == [(2, "label", row)]
    assert f"Received: {attack} with attack_cat '{category}'" in flows.unreadable["reason"][0]


def test_an_empty_or_unknown_class_is_left_to_validation(tmp_path):
    flows = read(_write(tmp_path, TEST, _text(_row(1, "", 0), _row(2, "Ransomware", 1), _row(3, "DoS", ""))))
    assert flows.frame["label"].to_list() == [None, "Ransomware", "DoS"]


def test_the_row_number_may_be_missing(tmp_path):
    text = _text(_row(1).split(",", 1)[1], header=HEADER.removeprefix("id,"))
    assert read(_write(tmp_path, TEST, text)).frame.height == 1


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        (HEADER.replace("dur,", "duration,"), "missing 'dur', unexpected 'duration'"),
        (HEADER.replace("dur,", ""), "missing 'dur'"),
        (HEADER + ",extra", "unexpected 'extra'"),
        ("pkSeqID,stime,attack", "looks like Bot-IoT"),
        ("Flow ID,Flow Duration,Label", "looks like CIC-IDS2017"),
        ("0,tcp,http,SF" + ",0" * 37 + ",normal,20", "looks like NSL-KDD"),
    ],
)
def test_other_columns_are_named(tmp_path, header, complaint):
    with pytest.raises(InputError, match=complaint):
        read(_write(tmp_path, TEST, _text(_row(1), header=header)))


def test_a_folder_of_another_data_set_is_named(tmp_path):
    (tmp_path / "KDDTrain+.txt").write_text("0")
    with pytest.raises(InputError, match="looks like NSL-KDD"):
        read(tmp_path)


def test_a_truncated_gz_is_refused(tmp_path):
    packed = gzip.compress(_text(*(_row(i) for i in range(50))).encode())
    (tmp_path / f"{TEST}.gz").write_bytes(packed[:-20])
    with pytest.raises(InputError, match=r"testing-set\.csv\.gz\. Received: one that is cut off"):
        read(tmp_path)


@pytest.mark.skipif("NIDS_DATA" not in os.environ, reason="NIDS_DATA names no folder with real data")
def test_the_official_testing_set_has_the_published_counts():
    flows = read(Path(os.environ["NIDS_DATA"]) / "unsw-nb15")
    counts = dict(flows.frame["label"].value_counts().rows())
    assert [counts[name] for name in SCHEMA.classes] == [
        37_000,
        18_871,
        11_132,
        6_062,
        4_089,
        3_496,
        677,
        583,
        378,
        44,
    ]
    assert flows.unreadable.is_empty()
    assert flows.about["files"][0]["official"] is True
    for column in SCHEMA.numeric:
        values = flows.frame[column.name]
        assert values.null_count() == 0 and values.min() >= column.minimum
        assert column.maximum is None or values.max() <= column.maximum
    for column in SCHEMA.categorical:
        assert not column.values or set(flows.frame[column.name]) <= set(column.values)
