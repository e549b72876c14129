import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.preprocessing.split import preprocess, split
from nids.datasets import get_dataset
from nids.errors import InputError
from nids.schema import Column, FlowSchema, Kind

FEATURES = (Column("size", heavy_tailed=True), Column("service", Kind.CATEGORY))
CLASSES = ("normal", "dos", "probe")
PLAIN = FlowSchema("plain", "Plain flows", FEATURES, CLASSES)
TIME = Column("ts", Kind.TIME, minimum=None, nullable=True)
TIMED = FlowSchema("timed", "Timed flows", FEATURES, CLASSES, context=(TIME,), time="ts")


def frame(labels, sizes=None, splits=None, times=None):
    """Flows without equals unless `sizes` says so."""
    n = len(labels)
    columns = {
        "size": list(range(n)) if sizes is None else sizes,
        "service": ["http"] * n,
        "label": labels,
        "split": [None] * n if splits is None else splits,
        "source_file": ["flows.csv"] * n,
        "source_row": list(range(1, n + 1)),
    }
    schema = PLAIN if times is None else TIMED
    if times is not None:
        columns["ts"] = times
    return pl.DataFrame(columns, strict=False).cast(schema.polars_schema())


MIXED = ["normal"] * 600 + ["dos"] * 300 + ["probe"] * 100


def counts(flows, sides):
    return {
        name: [int(((sides == side) & (flows["label"] == name).to_numpy()).sum()) for side in range(3)]
        for name in CLASSES
    }


# -- by class ---------------------------------------------------------------------------------------------------------


def test_each_class_is_divided_by_the_shares():
    flows = frame(MIXED)
    made = split(flows, PLAIN, val_share=0.15, test_share=0.2)
    assert counts(flows, made.sides) == {"normal": [390, 90, 120], "dos": [195, 45, 60], "probe": [65, 15, 20]}
    assert "65% of the flows train, 15% validate and 20% test" in made.method


def test_the_same_seed_divides_alike_and_another_seed_does_not():
    flows = frame(MIXED)
    assert (split(flows, PLAIN, seed=1).sides == split(flows, PLAIN, seed=1).sides).all()
    assert (split(flows, PLAIN, seed=1).sides != split(flows, PLAIN, seed=2).sides).any()


def test_equal_flows_share_a_side_whatever_their_label():
    flows = frame(["normal", "dos"] * 300 + ["probe"] * 400, sizes=[i // 6 for i in range(1000)])
    sides = split(flows, PLAIN).sides
    assert len(np.unique(np.stack([flows["size"].to_numpy(), sides]), axis=1).T) == flows["size"].n_unique()
    assert all(min(row) > 0 for row in counts(flows, sides).values())


def test_flows_that_differ_in_one_category_are_not_equal():
    flows = frame(["normal"] * 4 + ["dos"] * 2 + ["probe"] * 2, sizes=[1, 1, 2, 3, 4, 5, 6, 7])
    flows = flows.with_columns(service=pl.Series(["http", "dns"] + ["http"] * 6))
    sides = {split(flows, PLAIN, seed=seed).sides[0] - split(flows, PLAIN, seed=seed).sides[1] for seed in range(9)}
    assert sides != {0}


def test_one_huge_group_trains_and_leaves_the_small_ones_to_the_others():
    flows = frame(["normal"] * 600 + ["dos"] * 302 + ["probe"] * 98, sizes=[*range(600), *[-1] * 300, *range(700, 800)])
    assert counts(flows, split(flows, PLAIN).sides)["dos"] == [300, 1, 1]


@pytest.mark.parametrize(("n", "sides"), [(2, [1, 1, 0]), (3, [1, 1, 1]), (4, [2, 1, 1])])
def test_a_tiny_class_reaches_train_first_then_val_then_test(n, sides):
    flows = frame(["normal"] * 60 + ["dos"] * 30 + ["probe"] * n)
    assert counts(flows, split(flows, PLAIN).sides)["probe"] == sides


def test_a_class_of_equal_flows_trains_and_is_named_absent_elsewhere():
    flows = frame(["normal"] * 60 + ["dos"] * 30 + ["probe"] * 5, sizes=[*range(90), *[500] * 5])
    made = preprocess(flows, PLAIN)
    assert made.train.counts["probe"] == 5
    assert made.val.about["absent"] == made.test.about["absent"] == ["probe"]
    assert made.train.about["absent"] == []


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(CLASSES), st.integers(0, 30)), max_size=120),
    val_share=st.floats(0.05, 0.45),
    test_share=st.floats(0.05, 0.45),
    seed=st.integers(0, 99),
)
def test_no_group_is_ever_torn_and_every_class_can_be_learnt(rows, val_share, test_share, seed):
    own = [(name, 1000 + 10 * i + j) for i, name in enumerate(CLASSES) for j in range(2)]
    labels, sizes = map(list, zip(*rows, *own, strict=True))
    flows = frame(labels, sizes=sizes)
    sides = split(flows, PLAIN, val_share=val_share, test_share=test_share, seed=seed).sides
    assert len(np.unique(np.stack([flows["size"].to_numpy(), sides]), axis=1).T) == flows["size"].n_unique()
    for on_train, on_val, _ in counts(flows, sides).values():
        assert on_train > 0
        assert on_val > 0


# -- official ---------------------------------------------------------------------------------------------------------


def official():
    """900 training flows, and 300 test flows strewn among them, a third of these equal to training flows."""
    splits = ["test" if i % 4 == 3 else "train" for i in range(1200)]
    labels = [CLASSES[i % 3] for i in range(1200)]
    sizes = [i - 1 if i % 12 == 3 else i for i in range(1200)]
    return frame(labels, sizes=sizes, splits=splits)


def test_the_official_test_part_comes_out_whole_and_in_order():
    flows = official()
    made = preprocess(flows, PLAIN)
    assert made.test.flows is not None
    assert made.test.flows.equals(flows.filter(pl.col("split") == "test"))
    assert made.test.about["also_in_train"] + made.val.about["also_in_train"] <= 100
    assert made.test.about["also_in_train"] > 0


def test_validation_is_drawn_by_class_from_the_official_training_part():
    flows = official()
    made = preprocess(flows, PLAIN, val_share=0.1, test_share=0.9 - 1e-9)
    assert made.val.counts == {"normal": 30, "dos": 30, "probe": 30}
    assert made.train.counts == {"normal": 270, "dos": 270, "probe": 270}
    assert made.val.flows is not None
    assert made.val.flows["split"].unique().to_list() == ["train"]
    assert "official" in made.val.about["method"]


def test_equal_flows_of_the_official_training_part_share_a_side():
    flows = official().with_columns(size=(pl.col("size") // 8).cast(pl.Float32))
    made = preprocess(flows, PLAIN)
    assert made.val.about["also_in_train"] == 0


def test_one_official_part_alone_is_divided_by_class():
    made = split(frame(MIXED, splits=["train"] * 1000), PLAIN)
    assert np.bincount(made.sides).tolist() == [650, 150, 200]
    assert "official" not in made.method


@pytest.mark.parametrize("mark", [None, "validation"])
def test_a_flow_without_a_known_split_mark_is_named(mark):
    flows = frame(MIXED, splits=["train", "test"] * 499 + ["train", mark])
    with pytest.raises(InputError, match=rf"'split' to say train or test.*{mark}.* at flows\.csv row 1000"):
        split(flows, PLAIN)


def test_a_class_with_one_official_training_flow_is_refused():
    labels = ["normal"] * 10 + ["dos"] * 10 + ["probe"] * 10
    flows = frame(labels, splits=["train", "test"] * 10 + ["train"] + ["test"] * 9)
    with pytest.raises(InputError, match=r"'probe' in the official training part.*Received: 1 \(flows\.csv row 21\)"):
        split(flows, PLAIN)


# -- by time ----------------------------------------------------------------------------------------------------------


def test_the_earliest_train_and_the_latest_test_in_whatever_order_they_come():
    times = np.random.default_rng(0).permutation(1000).astype(float)
    sides = split(frame([CLASSES[i % 3] for i in range(1000)], times=times), TIMED).sides
    assert np.bincount(sides).tolist() == [650, 150, 200]
    assert times[sides == 0].max() < times[sides == 1].min()
    assert times[sides == 1].max() < times[sides == 2].min()


def test_time_goes_before_the_official_split():
    flows = frame(MIXED[::-1] + MIXED, times=list(range(2000)), splits=["test"] * 1000 + ["train"] * 1000)
    assert split(flows, TIMED).method.startswith("By time (column ts)")


@pytest.mark.parametrize("width", [3, 7, 40, 200])
def test_flows_of_the_same_moment_share_a_side(width):
    times = [float(i // width) for i in range(1000)]
    sides = split(frame([CLASSES[i % 3] for i in range(1000)], times=times), TIMED).sides
    assert len(set(zip(times, sides.tolist(), strict=True))) == len(set(times))
    assert np.abs(np.bincount(sides) - [650, 150, 200]).max() <= width


@pytest.mark.parametrize("times", [[5.0] * 99, [1.0] * 50 + [2.0] * 49])
def test_too_few_moments_are_refused(times):
    with pytest.raises(InputError, match=r"times in column 'ts' that divide the flows in three.*99 flows at [12] diff"):
        split(frame([CLASSES[i % 3] for i in range(99)], times=times), TIMED)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_flow_without_a_time_is_named(value):
    times = [float(i) for i in range(99)]
    times[42] = value
    with pytest.raises(InputError, match=r"a time in column 'ts'.* at flows\.csv row 43"):
        split(frame([CLASSES[i % 3] for i in range(99)], times=times), TIMED)


def test_a_class_too_late_to_train_on_is_refused():
    with pytest.raises(InputError, match=r"class 'probe' to train on. Received: 100, none of them"):
        split(frame(MIXED, times=[float(i) for i in range(1000)]), TIMED)


def test_a_class_that_ends_early_is_named_absent():
    flows = frame(MIXED[::-1], times=[float(i) for i in range(1000)])
    made = preprocess(flows, TIMED)
    assert made.val.about["absent"] == made.test.about["absent"] == ["dos", "probe"]
    assert made.test.counts == {"normal": 200, "dos": 0, "probe": 0}


# -- what is refused, and what may not leak ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "says"), [(0, r"Received: 0$"), (1, r"Received: 1 \(flows\.csv row 91\)$")], ids=["none", "one"]
)
def test_a_class_with_fewer_than_two_flows_is_refused(n, says):
    with pytest.raises(InputError, match=f"at least 2 flows of class 'probe'.*{says}"):
        split(frame(["normal"] * 60 + ["dos"] * 30 + ["probe"] * n), PLAIN)


def test_an_unknown_label_is_named_with_its_row():
    with pytest.raises(InputError, match=r"Received: 'worm' at flows\.csv row 2, flows\.csv row 4"):
        split(frame(["normal", "worm", "dos", "worm"]), PLAIN)


def test_no_flows_are_refused():
    with pytest.raises(InputError, match="Expected flows to split"):
        split(frame(MIXED).head(0), PLAIN)


@pytest.mark.parametrize(
    ("shares", "flag"),
    [
        ({"val_share": 0.0}, "val_share"),
        ({"test_share": 1.0}, "test_share"),
        ({"val_share": float("nan")}, "val_share"),
        ({"val_share": 0.5, "test_share": 0.5}, r"val_share \+ test_share below 1"),
    ],
)
def test_impossible_shares_are_refused(shares, flag):
    with pytest.raises(InputError, match=flag):
        split(frame(MIXED), PLAIN, **shares)


@pytest.mark.parametrize("method", ["by class", "official", "by time"])
def test_what_is_not_trained_on_cannot_change_the_transform(method):
    labels = [CLASSES[i % 3] for i in range(1000)]
    splits = ["train"] * 700 + ["test"] * 300 if method == "official" else None
    times = [float(i) for i in range(1000)] if method == "by time" else None
    schema = TIMED if method == "by time" else PLAIN
    flows = frame(labels, splits=splits, times=times)
    before = preprocess(flows, schema)
    unseen = pl.Series(split(flows, schema).sides > 0)
    spoilt = flows.with_columns(
        size=pl.when(unseen).then(pl.col("size") + 1e6).otherwise(pl.col("size")).cast(pl.Float32),
        service=pl.when(unseen).then(pl.lit("gopher")).otherwise(pl.col("service")),
    )
    after = preprocess(spoilt, schema)
    assert not after.test.flows.equals(before.test.flows)
    assert after.transform == before.transform
    assert after.train.X.equals(before.train.X)
    assert after.test.X["size"].min() == 1
    assert after.test.X["service"].to_list() == [0] * after.test.X.height


def test_sides_hold_every_flow_once_each_in_the_order_given():
    flows = frame(MIXED)
    made = preprocess(flows, PLAIN)
    sides = [side.flows for side in (made.train, made.val, made.test)]
    assert pl.concat(sides).sort("source_row").equals(flows)
    assert all(side["source_row"].is_sorted() for side in sides)


def test_features_and_labels_stand_row_for_row_with_the_flows():
    made = preprocess(frame(MIXED), PLAIN)
    for side in (made.train, made.val, made.test):
        assert side.X.equals(made.transform.apply(side.flows))
        assert [CLASSES[c] for c in side.y] == side.flows["label"].to_list()


def test_a_side_says_how_it_came_about():
    made = preprocess(frame(MIXED), PLAIN, seed=3, note="Only one of two files was given.")
    assert made.val.about == {
        "role": "val",
        "method": "65% of the flows train, 15% validate and 20% test, drawn by class with seed 3; flows with equal "
        "features stay on one side. Only one of two files was given.",
        "seed": 3,
        "rows": 150,
        "absent": [],
        "also_in_train": 0,
    }


# -- real data --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    """Reads a data set below the folder NIDS_DATA."""
    if "NIDS_DATA" not in os.environ:
        pytest.skip("NIDS_DATA names no folder with data sets")

    def read(name):
        dataset = get_dataset(name)
        return dataset.schema, dataset.read(Path(os.environ["NIDS_DATA"]) / name)

    return read


def test_the_official_test_part_of_nsl_kdd_stays_whole(real):
    schema, raw = real("nsl-kdd")
    made = preprocess(raw.frame, schema)
    assert made.test.flows.equals(raw.frame.filter(pl.col("split") == "test"))
    assert made.test.counts == {"normal": 9711, "dos": 7458, "probe": 2421, "r2l": 2887, "u2r": 67}
    assert made.train.X.height + made.val.X.height == 125_973
    for name, count in made.val.counts.items():
        whole = count + made.train.counts[name]
        assert count == pytest.approx(0.15 * whole, rel=0.001, abs=1)
    assert made.val.about["also_in_train"] == 0


def test_the_many_equal_flows_of_unsw_nb15_share_a_side(real):
    schema, raw = real("unsw-nb15")
    testing_only = raw.frame.filter(pl.col("source_file").str.contains("testing")).with_columns(split=None)
    made = preprocess(testing_only.cast(schema.polars_schema()), schema)
    assert made.val.about["also_in_train"] == made.test.about["also_in_train"] == 0
    assert made.test.about["absent"] == []
    for name, count in made.test.counts.items():
        whole = count + made.train.counts[name] + made.val.counts[name]
        assert count == pytest.approx(0.2 * whole, rel=0.05, abs=2)
