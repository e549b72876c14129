"""What a reader says of its files is what both reports show: one vocabulary from the first room to the last."""

import gzip
import hashlib
from types import SimpleNamespace

import pytest

from components.data_validation.report import render
from components.data_validation.validate import validate
from components.evaluation import background
from nids.artifacts import ModelInfo, Selection, Tuning
from nids.datasets import get_dataset
from nids.datasets.base import files_read
from nids.datasets.simulator import write_records

NORMAL = "0,tcp,http,SF,181,5450" + ",0" * 16 + ",8,8" + ",0.00" * 7 + ",9,9" + ",0.00" * 8 + ",normal,20\n"


def nsl_kdd(root):
    (root / "KDDTrain+.txt").write_text(NORMAL * 4)
    (root / "KDDTest+.txt.gz").write_bytes(gzip.compress((NORMAL * 3).encode(), mtime=0))
    return "nsl-kdd", root, {"KDDTrain+.txt": 4, "KDDTest+.txt.gz": 3}


def simulated(root):
    write_records(root / "flows.csv", 1_000, 0)
    return "simulated", root / "flows.csv", {"flows.csv": 1_000}


@pytest.mark.parametrize("make", [nsl_kdd, simulated])
def test_both_reports_name_every_file_with_its_rows_and_digest(tmp_path, make):
    name, path, files = make(tmp_path)
    dataset = get_dataset(name)
    judged = validate(dataset.read(path), dataset.schema, min_class_rows=0)
    digests = {file: hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() for file in files}
    found = files_read(judged.validation.about)
    assert {file["file"]: (file["rows"], file["sha256"]) for file in found} == {
        file: (rows, digests[file]) for file, rows in files.items()
    }

    told = background.Background(
        judged.validation,
        Selection(["duration"], "none", []),
        Tuning("net", {}, "val_macro_f1", []),
        ModelInfo("net", {}, name, list(dataset.schema.classes), ["duration"], 7, 1, []),
    )
    evaluation = SimpleNamespace(
        model_digest="a" * 64, split_digest="b" * 64, about={"train_split_digest": "c", "seed": 7, "split": {}}
    )
    pages = [
        render(judged.validation, judged.rejected, dataset.schema),
        "".join(background.sections(told, dataset.schema.classes)),
        background.provenance(evaluation, told),
    ]
    for file, rows in files.items():
        for page in pages:
            assert file in page
            assert digests[file] in page
        for page in pages[:2]:
            assert f'<td>{file}</td><td class="number">{rows:,}</td>' in page


def test_the_digest_of_the_text_of_a_packed_file_is_shown_too(tmp_path):
    name, path, _ = nsl_kdd(tmp_path)
    dataset = get_dataset(name)
    judged = validate(dataset.read(path), dataset.schema, min_class_rows=0)
    page = render(judged.validation, judged.rejected, dataset.schema)
    assert page.count(hashlib.sha256((NORMAL * 3).encode()).hexdigest()) == 1
    assert page.count(hashlib.sha256((NORMAL * 4).encode()).hexdigest()) == 1


def test_simulated_flows_come_from_no_file():
    assert files_read(get_dataset("simulated").simulate(1_000, 0).about) == []
