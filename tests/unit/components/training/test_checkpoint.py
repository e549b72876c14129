import numpy as np
import pytest

from components.training.checkpoint import Checkpoint, State
from nids.errors import StoreError

FIT = {"train": "abc", "seed": 7}


def state(n=12, value=1.0):
    variables = [np.full((i + 1, 2), value + i, np.float32) for i in range(n)] + [np.array([3, 4], np.uint32)]
    return State(variables, [np.zeros(3, np.float32)], [{"epoch": 1, "loss": 0.1}])


def silent(_):
    raise AssertionError("nothing to say")


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path):
    Checkpoint(tmp_path, FIT).save(state())
    loaded = Checkpoint(tmp_path, FIT).load(silent)
    assert loaded.history == state().history
    for given, found in zip(state().variables + state().best, loaded.variables + loaded.best, strict=True):
        assert (given == found).all()
        assert given.dtype == found.dtype


def test_the_last_state_is_the_one_that_counts_and_the_only_file(tmp_path):
    checkpoint = Checkpoint(tmp_path, FIT)
    for value in (1.0, 5.0):
        checkpoint.save(state(value=value))
    assert checkpoint.load(silent).variables[0][0, 0] == 5.0
    assert list(tmp_path.iterdir()) == [checkpoint.path]


def test_another_fit_has_another_checkpoint(tmp_path):
    Checkpoint(tmp_path, FIT).save(state())
    assert Checkpoint(tmp_path, FIT | {"seed": 8}).load(silent) is None
    assert Checkpoint(tmp_path, dict(reversed(FIT.items()))).load(silent) is not None


@pytest.mark.parametrize("damage", [lambda b: b[:0], lambda b: b[: len(b) // 2], lambda b: b"text" + b[4:]])
def test_a_damaged_file_is_told_and_not_used(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path, FIT)
    checkpoint.save(state())
    checkpoint.path.write_bytes(damage(checkpoint.path.read_bytes()))
    told = []
    assert checkpoint.load(told.append) is None
    assert "cannot be read" in told[0]


def test_a_write_that_fails_leaves_the_state_before(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, FIT)
    checkpoint.save(state())

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StoreError, match="No space left on device"):
        checkpoint.save(state(value=5.0))
    assert checkpoint.load(silent).variables[0][0, 0] == 1.0
    assert list(tmp_path.iterdir()) == [checkpoint.path]


def test_removing_is_final_and_may_be_repeated(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new" / "folder", FIT)
    checkpoint.save(state())
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.load(silent) is None


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="checkpoints to be a folder"):
        Checkpoint(tmp_path / "file", FIT)
