"""The whole pipeline on simulated traffic, as a user runs it: real steps, a real store, a real server."""

import gzip
import json
import os
import re
from pathlib import Path

import pytest
from conftest import Ran, nids, run_pipeline

from nids import artifacts

pytestmark = pytest.mark.slow


def test_an_approved_model_is_released_served_and_answers(approved: Ran) -> None:
    assert approved.code == 0, approved.err + approved.out
    assert approved.versions == ["1"]
    assert (approved.store / "nids" / "1" / "saved_model.pb").exists()
    assert "Scores over gRPC from nids version 1" in approved.out
    assert "simulated traffic" in approved.out


def test_the_run_leaves_a_self_contained_report(approved: Ran) -> None:
    match = re.search(r"Report: (\S+report\.html)", approved.out)
    assert match is not None
    html = Path(match.group(1)).read_text()
    assert "simulated" in html.lower()
    assert not re.search(r"(?:src|href)=[\"']https?:", html)


def test_an_unchanged_run_comes_from_the_cache_and_releases_nothing_twice(approved: Ran) -> None:
    again = run_pipeline(approved.work.parent, flags=("--no-ask",))
    assert again.code == 0, again.err
    assert again.out.count("taken from an earlier run") == 9
    assert again.versions == ["1"]


def test_a_rejected_model_leaves_the_store_as_it_was(approved: Ran) -> None:
    rejected = run_pipeline(approved.work.parent, store="empty-store", min_macro_f1="0.9999")
    assert rejected.code == 3, rejected.err
    assert rejected.versions == []
    assert "Rejected by the gate (macro_f1)" in rejected.out
    decision = artifacts.load_decision(rejected.artifact("evaluation-gate", "decision"))
    assert not decision.approved
    assert [rule["metric"] for rule in decision.rules if not rule["passed"]] == ["macro_f1"]


def test_the_same_seed_gives_the_same_splits_features_and_metrics(approved: Ran, tmp_path: Path) -> None:
    twin = run_pipeline(tmp_path, flags=("--no-ask",))
    assert twin.code == 0, twin.err
    for step, output in [
        ("data-ingestion", "flows"),
        ("preprocessing", "train"),
        ("preprocessing", "val"),
        ("preprocessing", "test"),
        ("preprocessing", "transform"),
        ("smote", "resampled"),
        ("feature-selection", "features"),
    ]:
        mine, other = approved.artifact(step, output), twin.artifact(step, output)
        for file in sorted(mine.rglob("*")):
            assert file.read_bytes() == (other / file.name).read_bytes(), f"{step} {file.name}"
    models = [artifacts.ModelFiles(r.artifact("training", "model")) for r in (approved, twin)]
    assert models[0].digest() == models[1].digest()
    a, b = (artifacts.load_evaluation(r.artifact("evaluation", "evaluation")) for r in (approved, twin))
    assert a.metrics == b.metrics
    assert a.intervals == b.intervals
    assert a.per_class == b.per_class
    assert a.confusion == b.confusion


def one_sentence(err: str) -> bool:
    return "Traceback" not in err and len(err.strip().splitlines()) <= 2


NSL = (
    "0,tcp,http,SF,181,5450,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0.00,0.00,0.00,0.00,1.00,0.00,0.00,9,9,1.00,0.00,"
    "0.11,0.00,0.00,0.00,0.00,0.00,{label},21"
)
ATTACKS = ("normal", "neptune", "satan", "guess_passwd", "rootkit")


def nsl_folder(tmp_path: Path, change: dict[str, str] | None = None) -> Path:
    """A tiny NSL-KDD in its own format; `change` replaces a file's text."""
    folder = tmp_path / "nsl-kdd"
    folder.mkdir()
    rows = [NSL.format(label=label).replace("181", str(181 + i)) for i in range(20) for label in ATTACKS]
    for name in ("KDDTrain+.txt", "KDDTest+.txt"):
        text = (change or {}).get(name, "\n".join(rows) + "\n")
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda rows: [*rows[:4], rows[4].replace("tcp", "tcp,extra"), *rows[5:]], r"KDDTrain\+\.txt.*row 5"),
        (
            lambda rows: [*rows[:4], rows[4].replace("SF,181", "SF,many"), *rows[5:]],
            r"KDDTrain\+\.txt.*row 5.*src_bytes|src_bytes.*row 5",
        ),
        (lambda rows: [rows[0].replace("normal", "martian"), *rows[1:]], r"martian"),
        (lambda rows: [rows[0].replace("SF,181", "SF,nan"), *rows[1:]], r"src_bytes"),
        (lambda rows: [rows[0].replace("SF,181", "SF,inf"), *rows[1:]], r"src_bytes"),
        (lambda rows: [r for r in rows if "rootkit" not in r] + [rows[4]], r"u2r"),
        (lambda rows: rows[:0], r"KDDTrain\+\.txt"),
    ],
    ids=["extra column", "text for a number", "unknown label", "NaN", "infinity", "class with one row", "empty file"],
)
def test_bad_rows_end_in_one_sentence_and_an_untouched_store(tmp_path: Path, spoil, expected: str) -> None:
    folder = nsl_folder(tmp_path)
    rows = (folder / "KDDTrain+.txt").read_text().splitlines()
    spoiled = spoil(rows)
    assert spoiled != rows
    (folder / "KDDTrain+.txt").write_text("".join(row + "\n" for row in spoiled))
    refuses(tmp_path, folder, expected)


def test_a_truncated_gz_is_refused_by_name(tmp_path: Path) -> None:
    folder = nsl_folder(tmp_path)
    whole = gzip.compress((folder / "KDDTrain+.txt").read_bytes())
    (folder / "KDDTrain+.txt").unlink()
    (folder / "KDDTrain+.txt.gz").write_bytes(whole[: len(whole) // 2])
    refuses(tmp_path, folder, r"KDDTrain\+\.txt\.gz")


def test_a_directory_where_a_file_belongs_is_refused_by_name(tmp_path: Path) -> None:
    folder = nsl_folder(tmp_path)
    (folder / "KDDTrain+.txt").unlink()
    (folder / "KDDTrain+.txt").mkdir()
    refuses(tmp_path, folder, r"KDDTrain\+\.txt")


def test_another_data_set_is_refused_by_name(tmp_path: Path) -> None:
    folder = nsl_folder(tmp_path)
    (folder / "KDDTrain+.txt").write_text("id,dur,proto,service\n1,2,tcp,http\n")
    refuses(tmp_path, folder, r"KDDTrain\+\.txt")


def refuses(tmp_path: Path, data: Path, expected: str) -> None:
    done = nids(
        *("run", "--dataset", "nsl-kdd", "--data", str(data), "--preset", "smoke"),
        *("--work", str(tmp_path / "work"), "--store", str(tmp_path / "store")),
    )
    assert done.returncode == 1, done.stdout
    assert one_sentence(done.stderr), done.stderr
    assert re.search(expected, done.stderr), done.stderr
    assert list((tmp_path / "store").rglob("*")) == []


def test_an_unknown_parameter_is_refused_before_any_step(tmp_path: Path) -> None:
    done = nids("run", "--store", str(tmp_path / "s"), "--work", str(tmp_path / "w"), "--set", "min_f1=1")
    assert done.returncode == 1
    assert "min_f1" in done.stderr
    assert one_sentence(done.stderr)
    assert not (tmp_path / "w").exists()


def test_a_store_that_cannot_be_written_is_refused_before_any_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = nids("run", "--store", str(tmp_path / "file" / "store"), "--work", str(tmp_path / "w"))
    assert done.returncode == 1
    assert "--store" in done.stderr
    assert one_sentence(done.stderr)


@pytest.mark.skipif("NIDS_DATA" not in os.environ, reason="NIDS_DATA names no folder with the real data sets")
def test_nsl_kdd_smoke_runs_whole_on_the_official_files(tmp_path: Path) -> None:
    data = Path(os.environ["NIDS_DATA"]) / "nsl-kdd"
    done = nids(
        *("run", "--dataset", "nsl-kdd", "--data", str(data), "--preset", "smoke"),
        *("--work", str(tmp_path / "work"), "--store", str(tmp_path / "store"), "--no-ask"),
        *(
            "--set",
            "epochs=1",
            "--set",
            "smote_strategy=none",
            "--set",
            "selection_method=rfe",
            "--set",
            "rfe_features=8",
        ),
        *("--set", 'tuning_grid={"lstm_units": [8]}'),
        *("--set", "baselines=decision_tree", "--set", "tuning_rows=1000", "--set", "selection_rows=1500"),
    )
    assert done.returncode in (0, 3), done.stderr
    run = Ran(done.returncode, done.stdout, done.stderr, tmp_path / "work", tmp_path / "store")
    assert artifacts.load_split(run.artifact("preprocessing", "test")).X.height == 22544
    record = json.loads(next((tmp_path / "work" / "runs").glob("*/run.json")).read_text())
    assert len(record["steps"]) == 10 - (done.returncode == 3)
