import gzip
import os
from pathlib import Path

import polars as pl
import pytest

from nids.datasets import get_dataset
from nids.datasets.nsl_kdd import CATEGORIES, FILES, SCHEMA, read
from nids.errors import InputError

NORMAL = "0,tcp,http,SF,181,5450" + ",0" * 5 + ",1" + ",0" * 10 + ",8,8" + ",0.00" * 4 + ",1.00" + ",0.00" * 2
NORMAL += ",9,9,1.00,0.00,0.11" + ",0.00" * 5 + ",normal,20"
HTTPTUNNEL = NORMAL.replace(",normal,20", ",httptunnel,15")


def _folder(root, train=f"{NORMAL}\n", test=f"{HTTPTUNNEL}\n"):
    for side, text in (("train", train), ("test", test)):
        (root / FILES[side]).write_text(text)
    return root


def test_the_registry_knows_it():
    assert get_dataset("nsl-kdd").schema is SCHEMA
    assert SCHEMA.classes == ("normal", "dos", "probe", "r2l", "u2r")


def test_difficulty_and_attack_name_are_never_features():
    assert len(SCHEMA.features) == 41
    assert {"difficulty", "attack", "label"}.isdisjoint(SCHEMA.feature_names)
    assert {column.name for column in SCHEMA.context} == {"attack", "difficulty"}


def test_every_attack_belongs_to_one_class():
    attacks = [attack for names in CATEGORIES.values() for attack in names.split()]
    assert len(attacks) == len(set(attacks)) == 40


def test_the_split_follows_the_file_and_httptunnel_is_r2l(tmp_path):
    flows = read(_folder(tmp_path))
    assert dict(flows.frame.schema) == SCHEMA.polars_schema()
    found = flows.frame.select(
        "attack", "label", "split", "source_file", "source_row", "difficulty", "dst_bytes"
    ).rows()
    assert found == [
        ("normal", "normal", "train", "KDDTrain+.txt", 1, 20, 5450),
        ("httptunnel", "r2l", "test", "KDDTest+.txt", 1, 15, 5450),
    ]
    assert [file["official"] for file in flows.about["files"]] == [False, False]


def test_the_plain_file_wins_over_the_packed_one(tmp_path):
    folder = _folder(tmp_path)
    (folder / "KDDTrain+.txt.gz").write_bytes(gzip.compress(f"{NORMAL}\n{NORMAL}\n".encode()))
    assert read(folder).frame.height == 2
    (folder / "KDDTrain+.txt").unlink()
    assert read(folder).frame.height == 3


def test_an_unknown_attack_keeps_its_name_as_label(tmp_path):
    flows = read(_folder(tmp_path, test=NORMAL.replace("normal", "quantum")))
    assert flows.frame["label"].to_list() == ["normal", "quantum"]


def test_a_row_with_text_for_a_number_is_kept_aside(tmp_path):
    damaged = NORMAL.replace("5450", "many")
    flows = read(_folder(tmp_path, train=f"{NORMAL}\n{damaged}\n"))
    assert flows.frame.height == 2
    assert flows.unreadable.rows() == [
        ("KDDTrain+.txt", 2, "dst_bytes", "Expected a whole number in column 'dst_bytes'. Received: 'many'", damaged)
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (NORMAL.rsplit(",", 1)[0], "Expected 43 columns of NSL-KDD .* of KDDTrain.*Received: 42 in row 1"),
        (NORMAL + ",1", "Received: 44 in row 1"),
        (NORMAL.rsplit(",", 2)[0] + ",smurf.", "looks like KDD Cup 99"),
        ("id,dur,proto,ct_state_ttl,attack_cat,label", "looks like UNSW-NB15"),
        ("", "an empty file"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, complaint):
    with pytest.raises(InputError, match=complaint):
        read(_folder(tmp_path, train=text))


def test_a_folder_without_one_of_the_files_names_it(tmp_path):
    (_folder(tmp_path) / FILES["test"]).unlink()
    with pytest.raises(InputError, match=r"Expected KDDTest\+\.txt .* Received: a folder with KDDTrain\+\.txt"):
        read(tmp_path)


def test_a_file_a_missing_folder_and_another_data_set_are_told_apart(tmp_path):
    file = tmp_path / "KDDTrain+.txt"
    file.write_text(NORMAL)
    with pytest.raises(InputError, match=r"a folder with KDDTrain\+\.txt and KDDTest\+\.txt .*Received: the file"):
        read(file)
    with pytest.raises(InputError, match="where there is nothing"):
        read(tmp_path / "absent")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(InputError, match="an empty folder"):
        read(other)
    (other / "UNSW_NB15_testing-set.csv").write_text("id\n")
    with pytest.raises(InputError, match="looks like UNSW-NB15"):
        read(other)
    with pytest.raises(InputError, match=r"Received: the file .*looks like UNSW-NB15"):
        read(other / "UNSW_NB15_testing-set.csv")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    folder = _folder(tmp_path)
    (folder / FILES["test"]).unlink()
    (folder / FILES["test"]).mkdir()
    with pytest.raises(InputError, match=r"KDDTest\+\.txt\. Received: a folder"):
        read(folder)


def test_a_truncated_gz_is_refused(tmp_path):
    folder = _folder(tmp_path)
    packed = gzip.compress((f"{NORMAL}\n" * 100).encode())
    (folder / FILES["test"]).rename(folder / "spare")
    (folder / "KDDTest+.txt.gz").write_bytes(packed[:60])
    with pytest.raises(InputError, match=r"KDDTest\+\.txt\.gz\. Received: one that is cut off"):
        read(folder)


@pytest.mark.skipif("NIDS_DATA" not in os.environ, reason="NIDS_DATA names no folder with real data")
def test_the_official_files_have_the_published_counts():
    flows = read(Path(os.environ["NIDS_DATA"]) / "nsl-kdd")
    counts = flows.frame.group_by("split", "label").len().rows()
    assert {(side, label): rows for side, label, rows in counts} == {
        ("train", "normal"): 67_343,
        ("train", "dos"): 45_927,
        ("train", "probe"): 11_656,
        ("train", "r2l"): 995,
        ("train", "u2r"): 52,
        ("test", "normal"): 9_711,
        ("test", "dos"): 7_458,
        ("test", "probe"): 2_421,
        ("test", "r2l"): 2_887,
        ("test", "u2r"): 67,
    }
    assert flows.unreadable.is_empty()
    assert [file["official"] for file in flows.about["files"]] == [True, True]
    assert flows.frame["num_outbound_cmds"].max() == 0
    for column in SCHEMA.numeric:
        values = flows.frame[column.name].cast(pl.Float64)
        assert values.is_finite().all() and values.min() >= column.minimum
        assert column.maximum is None or values.max() <= column.maximum
    for column in SCHEMA.categorical:
        assert set(flows.frame[column.name]) <= set(column.values)
