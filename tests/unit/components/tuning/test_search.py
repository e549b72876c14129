import itertools
import math
import tempfile

import pytest

from components.tuning.search import _in_grid_order, search

GRIDS = [
    {},
    {"a": [1]},
    {"a": [3, 1, 2]},
    {"a": [0.1], "b": [16, 32], "c": [5]},
    {"a": [0.3, 0.1, 0.2], "b": [64, 32], "c": [0.0, 0.5]},
    {"z": [1, 2], "a": [1, 2], "m": [1, 2], "b": [1, 2]},
    {"a": list(range(12, 0, -1)), "b": [0.5, 0.25]},
]


def scored(point, value=0.5):
    return {"val_macro_f1": value, "val_loss": 1.0, "sum": sum(point.values())}


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: "x".join(str(len(v)) for v in grid.values()) or "none")
def test_every_point_is_tried_exactly_once_and_told_in_grid_order(grid):
    tried = []

    def score(point):
        tried.append(tuple(point.items()))
        return scored(point)

    trials = search(grid, score, say=lambda _: None)
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    assert [trial["point"] for trial in trials] == points
    assert [trial["sum"] for trial in trials] == [sum(point.values()) for point in points]
    assert len(tried) == len(set(tried)) == len(points)


def test_whole_numbers_stay_whole_and_fractions_fractions():
    (trial,) = search({"units": [32], "rate": [0.0]}, scored, say=lambda _: None)
    assert {name: type(value) for name, value in trial["point"].items()} == {"units": int, "rate": float}


def test_equal_and_undefined_scores_change_nothing():
    def score(point):
        return {"val_macro_f1": 0.0, "val_loss": math.inf}

    assert len(search({"a": [1, 2], "b": [1, 2]}, score, say=lambda _: None)) == 4


def test_an_error_in_a_trial_ends_the_search_and_comes_out_as_it_was():
    class OddError(Exception):
        pass

    calls = []

    def score(point):
        calls.append(point)
        raise OddError("the disk is full")

    with pytest.raises(OddError, match="the disk is full"):
        search({"a": [1, 2]}, score, say=lambda _: None)
    assert len(calls) == 1


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    search({"a": [1, 2]}, scored, say=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_line_per_trial_tells_point_scores_and_time():
    lines = []
    search({"lstm_units": [32, 64], "dropout": [0.2]}, scored, say=lines.append)
    assert len(lines) == 2
    assert lines[0].startswith("trial 1/2: lstm_units 32, dropout 0.2: val macro-F1 0.5000, val_loss 1.0000")
    assert lines[1].endswith("about 0 s left")


@pytest.mark.parametrize(
    "scored_points",
    [[{"a": 1}], [{"a": 1}, {"a": 1}], [{"a": 1}, {"a": 2}, {"a": 2}], [{"a": 1}, {"a": 3}]],
    ids=["left out", "another twice", "once too often", "not of the grid"],
)
def test_a_search_that_left_points_out_or_repeated_them_is_a_defect(scored_points):
    with pytest.raises(RuntimeError, match="each of 2 grid points to be tried once"):
        _in_grid_order([{"a": 1}, {"a": 2}], [{"point": point} for point in scored_points])
