"""Split first, then fit on the training side only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.artifacts import Split
from nids.errors import InputError
from nids.schema import LABEL, SOURCE_FILE, SOURCE_ROW, SPLIT, FlowSchema
from nids.transform import Transform

ROLES = ("train", "val", "test")

_Integers = npt.NDArray[np.int64]
_TOGETHER = "flows with equal features stay on one side"


@dataclass(frozen=True)
class Partition:
    """Which side each flow is on, and how that came about.

    Attributes:
        sides: shape (n_flows,), position in `ROLES`.
        method: a sentence for the report.
    """

    sides: _Integers
    method: str


@dataclass(frozen=True)
class Preprocessed:
    """The three sides, transformed, each in the order of the flows given, and the transform fitted on `train`."""

    train: Split
    val: Split
    test: Split
    transform: Transform


def preprocess(
    flows: pl.DataFrame,
    schema: FlowSchema,
    *,
    val_share: float = 0.15,
    test_share: float = 0.2,
    seed: int = 7,
    note: str = "",
) -> Preprocessed:
    """Split `flows`, fit the transform on the training side, apply it to all three.

    Args:
        flows: records with the columns of `schema.polars_schema()`.
        note: what the data set says of its own split; goes into `about["method"]`.

    Returns:
        Sides with `about`: `role`, `method`, `seed`, `rows`, `absent` (classes without a flow on that side) and, for
        val and test, `also_in_train` (flows whose features equal those of a training flow).

    Raises:
        InputError: a share, a label or a time is not as expected, or a class has no flow to train on.
    """
    partition = split(flows, schema, val_share=val_share, test_share=test_share, seed=seed)
    groups = _groups(flows, schema)
    trained = np.unique(groups[partition.sides == 0])
    transform = Transform.fit(flows.filter(partition.sides == 0), schema)
    about = {"method": f"{partition.method} {note}".strip(), "seed": seed}

    def side(number: int, role: str) -> Split:
        mine = partition.sides == number
        records = flows.filter(mine)
        y = transform.labels(records)
        facts: dict[str, Any] = {
            **about,
            "role": role,
            "rows": records.height,
            "absent": [name for index, name in enumerate(schema.classes) if index not in y],
        }
        if role != "train":
            facts["also_in_train"] = int(np.isin(groups[mine], trained).sum())
        return Split(schema, transform.apply(records), y, records, about=facts)

    train, val, test = (side(number, role) for number, role in enumerate(ROLES))
    return Preprocessed(train, val, test, transform)


def split(
    flows: pl.DataFrame, schema: FlowSchema, *, val_share: float = 0.15, test_share: float = 0.2, seed: int = 7
) -> Partition:
    """Put every flow on one side: by time, by the data set's official split, or by class, in this order of preference.

    By time: the earliest flows train, the latest test; flows of the same moment share a side.
    Official: `test` is the official test part; `val_share` of the official training part validates; `test_share`
    has no meaning.
    By class: each class is divided by `val_share` and `test_share`, as near as groups of equal flows allow.

    Raises:
        InputError: a share, a label, a split mark or a time is not as expected, or a class has no flow to train on.
    """
    _check_shares(val_share, test_share)
    y = _class_indices(flows, schema)
    if schema.time is not None:
        partition = _by_time(flows, schema.time, val_share, test_share)
    elif _has_official_split(flows):
        partition = _official(flows, schema, y, val_share, seed)
    else:
        partition = _by_class(flows, schema, y, val_share, test_share, seed)
    _check_training_classes(flows, schema, y, partition)
    return partition


def _by_time(flows: pl.DataFrame, column: str, val_share: float, test_share: float) -> Partition:
    time = flows[column].cast(pl.Float64).to_numpy()
    if not np.isfinite(time).all():
        where = _where(flows.filter(~np.isfinite(time)))
        raise InputError(f"Expected a time in column {column!r} of every flow. Received: none at {where}")
    ordered = np.sort(time)
    from_val = _moment(ordered, 1 - val_share - test_share)
    from_test = _moment(ordered, 1 - test_share)
    if not ordered[0] < from_val < from_test:
        raise InputError(
            f"Expected times in column {column!r} that divide the flows in three. "
            f"Received: {flows.height} flows at {len(np.unique(time))} different times"
        )
    sides = np.searchsorted([from_val, from_test], time, side="right")
    return Partition(
        sides.astype(np.int64),
        f"By time (column {column}): the earliest {1 - val_share - test_share:.0%} of the flows train, the next "
        f"{val_share:.0%} validate, the latest {test_share:.0%} test; flows of the same moment stay on one side.",
    )


def _moment(ordered: npt.NDArray[np.float64], share: float) -> float:
    """The time at which a side begins: the change of time nearest to `share` of the flows."""
    position = min(round(share * len(ordered)), len(ordered) - 1)
    left = np.searchsorted(ordered, ordered[position], side="left")
    right = np.searchsorted(ordered, ordered[position], side="right")
    go_left = left > 0 and (right == len(ordered) or position - left <= right - position)
    return float(ordered[left if go_left else min(right, len(ordered) - 1)])


def _has_official_split(flows: pl.DataFrame) -> bool:
    """Whether the data set's authors fixed the split. One official part alone is not a split."""
    marks = flows[SPLIT].unique()
    strange = flows.filter(~pl.col(SPLIT).is_in(["train", "test"]))
    mixed = flows.filter(pl.col(SPLIT).is_null())
    if not strange.is_empty() or 0 < mixed.height < flows.height:
        wrong = strange if not strange.is_empty() else mixed
        raise InputError(
            f"Expected column {SPLIT!r} to say train or test for every flow, or to be empty for all. "
            f"Received: {wrong[SPLIT][0]!r} at {_where(wrong)}"
        )
    return set(marks) == {"train", "test"}


def _official(flows: pl.DataFrame, schema: FlowSchema, y: _Integers, val_share: float, seed: int) -> Partition:
    pool = (flows[SPLIT] == "train").to_numpy()
    sides = np.full(flows.height, ROLES.index("test"))
    sides[pool] = _deal_by_class(_groups(flows.filter(pool), schema), y[pool], (1 - val_share, val_share), seed)
    return Partition(
        sides,
        f"The official split of the data set: its test part untouched; {val_share:.0%} of its training part validates, "
        f"drawn by class with seed {seed}; {_TOGETHER}.",
    )


def _by_class(
    flows: pl.DataFrame, schema: FlowSchema, y: _Integers, val_share: float, test_share: float, seed: int
) -> Partition:
    train_share = 1 - val_share - test_share
    sides = _deal_by_class(_groups(flows, schema), y, (train_share, val_share, test_share), seed)
    return Partition(
        sides,
        f"{train_share:.0%} of the flows train, {val_share:.0%} validate and {test_share:.0%} test, drawn by class "
        f"with seed {seed}; {_TOGETHER}.",
    )


def _groups(flows: pl.DataFrame, schema: FlowSchema) -> _Integers:
    """Shape (n_flows,): flows equal in every feature carry the same number, counted by first appearance."""
    features = list(schema.feature_names)
    rows = flows.select(features).with_row_index("_row").group_by(features, maintain_order=True).agg("_row")["_row"]
    groups = np.empty(flows.height, dtype=np.int64)
    groups[rows.explode().to_numpy()] = np.repeat(np.arange(len(rows)), rows.list.len().to_numpy())
    return groups


def _deal_by_class(groups: _Integers, y: _Integers, shares: tuple[float, ...], seed: int) -> _Integers:
    """Side of every flow, shape (n_flows,), such that each class is divided by `shares` and no group is torn.

    A group with flows of several classes counts for the rarest of them.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(groups)
    by_rarity = np.argsort(np.bincount(y), kind="stable")
    stratum = np.full(len(sizes), len(by_rarity))
    np.minimum.at(stratum, groups, np.argsort(by_rarity)[y])
    sides = np.empty(len(sizes), dtype=np.int64)
    for rank in np.unique(stratum):
        members = rng.permutation(np.flatnonzero(stratum == rank))
        members = members[np.argsort(-sizes[members], kind="stable")]
        sides[members] = _deal(sizes[members].tolist(), shares)
    dealt: _Integers = sides[groups]
    return dealt


def _deal(sizes: list[int], shares: tuple[float, ...]) -> list[int]:
    """Side of each group, largest group first: the one that is least filled for its share (Sainte-Lague).

    Every side gets a group before any gets two, or the first sides where there are fewer groups than sides: to that
    end the smallest groups are set aside, the smallest for the smallest share.
    """
    filled = [0] * len(shares)
    sides: list[int] = []
    n_reserved = min(len(sizes), len(shares))
    reserved = sorted(range(n_reserved), key=lambda side: -shares[side])
    for side, size in zip(reserved, sizes[-n_reserved:], strict=True):
        filled[side] += size
    for size in sizes[:-n_reserved]:
        side = min(range(len(shares)), key=lambda s: (filled[s] + size / 2) / shares[s])
        filled[side] += size
        sides.append(side)
    return sides + reserved


def _check_shares(val_share: float, test_share: float) -> None:
    for flag, share in (("val_share", val_share), ("test_share", test_share)):
        if not 0 < share < 1:
            raise InputError(f"Expected {flag} between 0 and 1. Received: {share}")
    if val_share + test_share >= 1:
        raise InputError(f"Expected val_share + test_share below 1. Received: {val_share} + {test_share}")


def _class_indices(flows: pl.DataFrame, schema: FlowSchema) -> _Integers:
    if flows.is_empty():
        raise InputError("Expected flows to split. Received: none")
    codes = {name: index for index, name in enumerate(schema.classes)}
    y = flows[LABEL].replace_strict(codes, default=-1, return_dtype=pl.Int64).to_numpy()
    if (y < 0).any():
        unknown = flows.filter(y < 0)
        raise InputError(
            f"Expected labels among {list(schema.classes)}. Received: {unknown[LABEL][0]!r} at {_where(unknown)}"
        )
    return y


def _check_training_classes(flows: pl.DataFrame, schema: FlowSchema, y: _Integers, partition: Partition) -> None:
    """Refuse a class without a flow to train on, or with one flow where two sides have to share it."""
    official = schema.time is None and _has_official_split(flows)
    pool = partition.sides != ROLES.index("test") if official else np.full(len(y), True)
    for index, name in enumerate(schema.classes):
        mine = flows.filter(pool & (y == index))
        if mine.height < 2:
            part = " in the official training part" if official else ""
            raise InputError(
                f"Expected at least 2 flows of class {name!r}{part}, one to train on and one to validate on. "
                f"Received: {mine.height}{_at(mine)}"
            )
        if not (partition.sides[y == index] == 0).any():
            raise InputError(
                f"Expected flows of class {name!r} to train on. Received: {mine.height}, none of them on the training "
                f"side{_at(mine)}. {partition.method}"
            )


def _at(flows: pl.DataFrame) -> str:
    return f" ({_where(flows)})" if 0 < flows.height <= 3 else ""


def _where(flows: pl.DataFrame) -> str:
    """File and row of the first few flows."""
    places = [f"{file} row {row}" for file, row in flows.select(SOURCE_FILE, SOURCE_ROW).head(3).iter_rows()]
    return ", ".join(places) + (", ..." if flows.height > 3 else "")
