import pytest

from components.training.code import FOLDERS, code_digest


@pytest.fixture
def folders(tmp_path):
    for name in ("models", "training"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.py").write_text("x = 1\n")
    return [tmp_path / "models", tmp_path / "training"]


def test_the_same_sources_have_the_same_digest(folders):
    before = code_digest(folders)
    (folders[0] / "__pycache__").mkdir()
    (folders[0] / "__pycache__" / "one.pyc").write_bytes(b"compiled")
    assert code_digest(folders) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "one.py").write_text("x = 2\n"),
        lambda folder: (folder / "two.py").write_text(""),
        lambda folder: (folder / "one.py").rename(folder / "other.py"),
    ],
    ids=["changed", "added", "renamed"],
)
@pytest.mark.parametrize("which", [0, 1])
def test_changed_sources_have_another_digest(folders, which, change):
    before = code_digest(folders)
    change(folders[which])
    assert code_digest(folders) != before


def test_models_and_this_room_are_looked_at():
    names = {file.name for folder in FOLDERS for file in folder.glob("*.py")}
    assert {"fit.py", "attention_cnn_lstm.py", "train.py", "produce.py"} <= names
