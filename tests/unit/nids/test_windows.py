from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nids.errors import InputError
from nids.windows import COLUMNS, DESTINATION_SECONDS, INPUTS, LARGEST_COUNT, SOURCE_SECONDS, windowed_features

START = 1_767_592_800.0


def flow(second: float, source: str = "a", destination: str = "b", counts: tuple[int, ...] = (1, 1, 1, 1)) -> tuple:
    return (START + second, source, destination, *counts)


def frame(rows: list[tuple]) -> pl.DataFrame:
    types = [pl.Float64(), pl.String(), pl.String(), *[pl.Int64()] * 4]
    return pl.DataFrame(rows, schema=dict(zip(INPUTS, types, strict=True)), orient="row")


def features(rows: list[tuple]) -> list[dict]:
    return windowed_features(frame(rows)).to_dicts()


def slowly(rows: list[tuple]) -> list[dict]:
    """The definition, word for word, one flow at a time."""
    expected = []
    for now, source, destination, *_ in rows:
        age = [round(now * 1e6) - round(row[0] * 1e6) for row in rows]
        mine = [r for r, a in zip(rows, age, strict=True) if 0 < a <= SOURCE_SECONDS * 10**6 and r[1] == source]
        near = [r for r, a in zip(rows, age, strict=True) if 0 < a <= DESTINATION_SECONDS * 10**6]
        sent, received, out, back = (sum(r[i] for r in mine) for i in (3, 4, 5, 6))
        share = sum(r[2] == destination for r in near) / max(len(near), 1)
        values = [len(mine), sent, received, sent / max(received, 1), out, back, out / max(back, 1), share]
        expected.append(
            {
                column.name: np.float32(value) if isinstance(value, float) else value
                for column, value in zip(COLUMNS, values, strict=True)
            }
        )
    return expected


def random_rows(seed: int, n: int, seconds: int, hosts: int) -> list[tuple]:
    rng = np.random.default_rng(seed)
    times = rng.integers(0, seconds * 2, n) / 2  # half seconds: many ties, and many flows exactly on a window's edge
    return [
        flow(t, f"h{s}", f"h{d}", tuple(int(x) for x in rng.integers(0, 2**40, 4)))
        for t, s, d in zip(times, rng.integers(0, hosts, n), rng.integers(0, hosts, n), strict=True)
    ]


rows_of_flows = st.lists(
    st.builds(
        flow,
        st.integers(0, 800).map(lambda half: half / 2),
        st.sampled_from("abc"),
        st.sampled_from("abc"),
        st.tuples(*[st.integers(0, 2**40)] * 4),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(rows_of_flows)
def test_features_equal_the_definition_word_for_word(rows):
    assert features(rows) == slowly(rows)


@pytest.mark.parametrize(("n", "seconds", "hosts"), [(300, 600, 4), (200, 100, 2), (250, 5_000, 6)])
def test_features_equal_the_definition_on_dense_and_on_thin_traffic(n, seconds, hosts):
    rows = random_rows(1, n, seconds, hosts)
    assert features(rows) == slowly(rows)


@settings(max_examples=40, deadline=None)
@given(rows_of_flows.filter(bool), st.data())
def test_nothing_at_or_after_a_moment_changes_the_features_at_it(rows, data):
    now = data.draw(st.sampled_from(rows))[0]
    kept = [row for row in rows if row[0] <= now]
    other = [flow(row[0] - START + 1, "c", "a", (7, 7, 7, 7)) for row in rows if row[0] > now]
    changed = [(*row[:3], 9, 9, 9, 9) if row[0] == now else row for row in kept]
    before = [f for f, row in zip(features(rows), rows, strict=True) if row[0] <= now]
    after = features(changed + other)[: len(kept)]
    assert after == before


@settings(max_examples=40, deadline=None)
@given(rows_of_flows, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_so_of_ties_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = features([rows[i] for i in order])
    assert [shuffled[order.index(i)] for i in range(len(rows))] == features(rows)


def test_a_flow_of_the_same_moment_does_not_count():
    assert [f["src_conns_2m"] for f in features([flow(0), flow(0), flow(0)])] == [0, 0, 0]


@pytest.mark.parametrize(("age", "counted"), [(0.000001, 1), (120, 1), (120.000001, 0)])
def test_the_source_window_reaches_back_exactly_two_minutes(age, counted):
    assert features([flow(0), flow(age)])[1]["src_conns_2m"] == counted


@pytest.mark.parametrize(("age", "share"), [(180, 1.0), (180.000001, 0.0)])
def test_the_destination_window_reaches_back_exactly_three_minutes(age, share):
    assert features([flow(0), flow(age)])[1]["dst_conn_share_3m"] == share


def test_the_share_counts_the_flows_of_every_source():
    rows = [flow(0, "x", "b"), flow(1, "y", "b"), flow(2, "z", "other"), flow(3, "a", "b")]
    assert features(rows)[3]["dst_conn_share_3m"] == np.float32(2 / 3)


def test_a_source_that_received_nothing_has_a_finite_ratio():
    last = features([flow(0, counts=(6, 0, 500, 0)), flow(1)])[1]
    assert (last["src_pkts_ratio_2m"], last["src_bytes_ratio_2m"]) == (6.0, 500.0)


def test_sums_beyond_the_exact_range_of_floats_stay_exact():
    large = 2**43 + 1
    rows = [flow(i / 100, counts=(1, 1, large, 1)) for i in range(2_000)]
    assert features([*rows, flow(30)])[-1]["src_bytes_sent_2m"] == 2_000 * large > 2**53


def test_a_damaged_count_neither_overflows_nor_lowers_a_sum():
    rows = [flow(0, counts=(1, 1, 2**63 - 1, -5)), flow(1, counts=(1, 1, 2**63 - 1, 4)), flow(2)]
    last = features(rows)[2]
    assert (last["src_bytes_sent_2m"], last["src_bytes_recv_2m"]) == (2 * LARGEST_COUNT, 4)


def test_an_absurd_time_is_ordered_and_harms_no_other_flow():
    rows = [(1e300, "a", "b", 1, 1, 1, 1), flow(0), flow(1), (-1e300, "a", "b", 1, 1, 1, 1)]
    assert [f["src_conns_2m"] for f in features(rows)] == [0, 0, 1, 0]


def test_no_flows_give_no_features_in_the_same_columns():
    empty = windowed_features(frame([]))
    assert empty.height == 0
    assert empty.columns == [column.name for column in COLUMNS]


def test_features_have_the_types_of_their_columns():
    assert dict(windowed_features(frame([flow(0)])).schema) == {c.name: c.kind.polars for c in COLUMNS}


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"Missing: \['resp_pkts'\]"):
        windowed_features(frame([flow(0)]).drop("resp_pkts"))


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_flow_without_a_finite_time_is_refused(time):
    with pytest.raises(InputError, match="'ts'"):
        windowed_features(frame([(time, "a", "b", 1, 1, 1, 1)]))


def test_a_flow_without_an_address_is_refused():
    with pytest.raises(InputError, match="'id_orig_h'"):
        windowed_features(frame([(START, None, "b", 1, 1, 1, 1)]))
