"""The windowed features of the literature: what a flow's source and destination did in the minutes before it.

For a flow that starts at time t:

    source, 2 minutes        all flows with t - 120 s <= ts < t whose originator is this flow's originator
    destination, 3 minutes   all flows with t - 180 s <= ts < t, whoever their originator is

Only strictly earlier flows count: never the flow itself, never one of the same microsecond, so that the order of ties
says nothing. Sums are exact integers; a ratio is one float64 division, stored as float32.
The time of a flow is its start. A sensor reports a flow when it ends, so that a live score, which counts the flows
reported so far, can lack a long flow that is still open.
"""

from __future__ import annotations

import polars as pl

from nids.errors import InputError
from nids.schema import Column, Kind

SOURCE_SECONDS = 120
DESTINATION_SECONDS = 180

LARGEST_COUNT = 2**44 - 1
"""Counts enter the sums clipped to [0, this], so that a damaged record cannot overflow its neighbours' sums."""

INPUTS = ("ts", "id_orig_h", "id_resp_h", "orig_pkts", "resp_pkts", "orig_bytes", "resp_bytes")
"""Columns that the features are made from."""

COLUMNS = (
    Column("src_conns_2m", Kind.INTEGER, heavy_tailed=True, description="flows of the same source, last 2 min"),
    Column("src_pkts_sent_2m", Kind.INTEGER, heavy_tailed=True, description="packets that source sent, last 2 min"),
    Column("src_pkts_recv_2m", Kind.INTEGER, heavy_tailed=True, description="packets it received, last 2 min"),
    Column("src_pkts_ratio_2m", heavy_tailed=True, description="packets sent / max(received, 1)"),
    Column("src_bytes_sent_2m", Kind.INTEGER, heavy_tailed=True, description="payload bytes it sent, last 2 min"),
    Column("src_bytes_recv_2m", Kind.INTEGER, heavy_tailed=True, description="payload bytes it received, last 2 min"),
    Column("src_bytes_ratio_2m", heavy_tailed=True, description="payload bytes sent / max(received, 1)"),
    Column(
        "dst_conn_share_3m",
        maximum=1.0,
        description="flows to the same destination / all flows, last 3 min; 0 where there were none",
    ),
)
"""The features, in the order of `windowed_features`."""

_SUMS = {
    "src_pkts_sent_2m": "orig_pkts",
    "src_pkts_recv_2m": "resp_pkts",
    "src_bytes_sent_2m": "orig_bytes",
    "src_bytes_recv_2m": "resp_bytes",
}
_LARGEST_SECONDS = 1e12  # beyond any calendar, and its microseconds still fit into int64


def windowed_features(flows: pl.DataFrame) -> pl.DataFrame:
    """The windowed features of each flow, from the flows before it.

    Args:
        flows: records in any order, with the columns `INPUTS`: `ts` in seconds, addresses as text, counts as integers.

    Returns:
        Frame of shape (n_flows, len(COLUMNS)), row for row that of `flows`. A record's `orig_bytes` is what its source
        sent, its `resp_bytes` what its source received; the same holds for packets.

    Raises:
        InputError: a column is missing, a time is not a finite number, or an address or a count is missing.
    """
    _check(flows)
    order = flows["ts"].arg_sort()
    counts = [pl.col(name).cast(pl.Int64).clip(0, LARGEST_COUNT) for name in _SUMS.values()]
    past = flows.select(
        _microseconds(pl.col("ts")).alias("t"),
        "id_orig_h",
        "id_resp_h",
        *counts,
        one=pl.lit(1, pl.Int64),
    )[order].with_columns(
        _before("one", SOURCE_SECONDS, "id_orig_h").alias("src_conns_2m"),
        *(_before(column, SOURCE_SECONDS, "id_orig_h").alias(name) for name, column in _SUMS.items()),
        _before("one", DESTINATION_SECONDS, "id_resp_h").alias("to_destination"),
        _before("one", DESTINATION_SECONDS).alias("to_all"),
    )
    features = past.select(
        ratio("src_pkts_sent_2m", "src_pkts_recv_2m").alias("src_pkts_ratio_2m"),
        ratio("src_bytes_sent_2m", "src_bytes_recv_2m").alias("src_bytes_ratio_2m"),
        ratio("to_destination", "to_all").alias("dst_conn_share_3m"),
        "src_conns_2m",
        *_SUMS,
    )
    return features.select(column.name for column in COLUMNS)[order.arg_sort()]


def ratio(part: str, whole: str) -> pl.Expr:
    """`part` / max(`whole`, 1), as float32: finite where the whole is 0."""
    return (pl.col(part).cast(pl.Float64) / pl.col(whole).clip(lower_bound=1).cast(pl.Float64)).cast(pl.Float32)


def _microseconds(seconds: pl.Expr) -> pl.Expr:
    """Integers: the edges of a window must not depend on the rounding of a float subtraction."""
    return (seconds.clip(-_LARGEST_SECONDS, _LARGEST_SECONDS) * 1e6).round().cast(pl.Int64)


def _before(column: str, seconds: int, group: str | None = None) -> pl.Expr:
    """Sum of `column` over the flows of the same `group` with t - seconds <= their t < t."""
    total = pl.col(column).rolling_sum_by("t", window_size=f"{seconds * 1_000_000}i", closed="left")
    return (total.over(group) if group else total).fill_null(0)


def _check(flows: pl.DataFrame) -> None:
    missing = [name for name in INPUTS if name not in flows.columns]
    if missing:
        raise InputError(f"Expected the columns {list(INPUTS)} for windowed features. Missing: {missing}")
    empty = [name for name in INPUTS if flows[name].null_count()]
    if not empty and not flows["ts"].cast(pl.Float64).is_finite().all():
        empty = ["ts"]
    if empty:
        raise InputError(f"Expected a value in every row of {empty} for windowed features. Received: rows without one")
