import numpy as np
import pytest

from nids.sampling import stratified_rows


def labels(*counts):
    return np.repeat(np.arange(len(counts)), counts)


def counts_of(y, max_rows, seed=7):
    return np.bincount(y[stratified_rows(y, max_rows, seed)], minlength=y.max() + 1).tolist()


@pytest.mark.parametrize(
    ("given", "max_rows", "expected"),
    [
        ((6000, 3000, 1000), 1000, [600, 300, 100]),
        ((8960, 8960, 150, 4), 1000, [448, 448, 100, 4]),
        ((60_000, 40_000, 900, 44), 10_000, [5914, 3942, 100, 44]),
        ((50, 50), 1000, [50, 50]),
        ((900, 90, 10), 30, [10, 10, 10]),
    ],
    ids=["shares", "the rare are spared", "the rarest stay whole", "all there are", "no room for shares"],
)
def test_a_sample_keeps_the_shares_of_the_classes(given, max_rows, expected):
    assert counts_of(labels(*given), max_rows) == expected


def test_rows_are_distinct_and_ascending_and_depend_on_the_seed():
    y = labels(500, 500)
    rows = stratified_rows(y, 100, 7)
    assert (np.diff(rows) > 0).all()
    assert (rows == stratified_rows(y, 100, 7)).all()
    assert (rows != stratified_rows(y, 100, 8)).any()


@pytest.mark.parametrize("max_rows", [100, 101, 257, 999])
def test_a_sample_has_exactly_the_rows_asked_for_and_all_classes(max_rows):
    y = labels(500, 300, 199, 1)
    rows = stratified_rows(y, max_rows, 7)
    assert len(set(rows.tolist())) == max_rows
    assert set(y[rows]) == {0, 1, 2, 3}
