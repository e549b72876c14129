import pytest
from kfp import dsl

from components.data_ingestion.component import data_ingestion
from nids import artifacts
from nids.errors import InputError

NORMAL = "0,tcp,http,SF,181,5450" + ",0" * 16 + ",8,8" + ",0.00" * 7 + ",9,9" + ",0.00" * 8 + ",normal,20"


def _folder(root, train, test):
    root.mkdir()
    (root / "KDDTrain+.txt").write_text("".join(f"{row}\n" for row in train))
    (root / "KDDTest+.txt").write_text("".join(f"{row}\n" for row in test))
    return str(root)


def test_files_become_flows_in_their_schema(tmp_path):
    data = _folder(tmp_path / "nsl-kdd", [NORMAL, NORMAL.replace("5450", "many")], [NORMAL.replace("normal", "smurf")])
    flows = dsl.Dataset(uri=str(tmp_path / "flows"))
    data_ingestion.python_func(flows, dataset="nsl-kdd", data=data, data_version="first")
    found = artifacts.load_flows(flows.path)
    assert found.schema.name == "nsl-kdd"
    assert found.raw.frame.select("label", "split").rows() == [("normal", "train"), ("dos", "test")]
    assert found.raw.unreadable["source_row"].to_list() == [2]
    assert [file["rows"] for file in found.raw.about["files"]] == [2, 1]
    assert flows.metadata == {"dataset": "nsl-kdd", "rows": 2, "unreadable": 1}


def test_the_same_files_give_the_same_bytes(tmp_path):
    data = _folder(tmp_path / "nsl-kdd", [NORMAL], [NORMAL])
    for name in ("first", "second"):
        data_ingestion.python_func(dsl.Dataset(uri=str(tmp_path / name)), dataset="nsl-kdd", data=data)
    for file in sorted(path.name for path in (tmp_path / "first").iterdir()):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_without_data_traffic_is_simulated(tmp_path, capsys):
    flows = dsl.Dataset(uri=str(tmp_path / "flows"))
    data_ingestion.python_func(flows, simulated_flows=1500, seed=3)
    found = artifacts.load_flows(flows.path)
    assert found.schema.simulated
    assert flows.metadata["rows"] == found.raw.frame.height == 1500
    assert "Simulating 1,500 flows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dataset": "nsl-kdd"}, "Expected --data"),
        ({"dataset": "kdd99"}, "Expected --dataset to be one of"),
        ({"dataset": "nsl-kdd", "data": "absent"}, "where there is nothing"),
    ],
)
def test_what_cannot_be_read_leaves_no_artifact(tmp_path, capsys, options, complaint):
    flows = dsl.Dataset(uri=str(tmp_path / "flows"))
    with pytest.raises(InputError, match=complaint):
        data_ingestion.python_func(flows, **options)
    assert list(tmp_path.iterdir()) == []
    assert "Simulating" not in capsys.readouterr().out
