from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from components.evaluation.evaluate import HEADLINES, attack_names, attacks_in, check_sides, evaluate
from nids.artifacts import Split
from nids.errors import InputError
from nids.metrics import DESCRIPTIONS
from nids.schema import Column, FlowSchema, Kind

SCHEMA = FlowSchema(
    name="toy",
    title="Toy flows",
    features=(Column("rate"),),
    classes=("normal", "dos", "probe"),
    context=(Column("attack", Kind.CATEGORY, nullable=True),),
    attack="attack",
)


def split(y, attacks=None):
    y = np.array(y, np.int32)
    frame = pl.DataFrame({"rate": np.linspace(0, 1, len(y), dtype=np.float32)})
    flows = frame.with_columns(pl.Series("attack", attacks or [None] * len(y), dtype=pl.String))
    return Split(SCHEMA, frame, y, flows)


TEST = split([0, 0, 1, 1, 1, 2], [None, None, "neptune", "neptune", "apache2", "nmap"])
ANSWERS = np.eye(3)[[0, 1, 1, 1, 0, 1]]


def test_attacks_new_to_the_model_are_told_from_those_it_was_trained_on():
    found = evaluate(TEST, frozenset({"neptune", "nmap"}), ANSWERS, seed=1)
    assert found.per_attack["apache2"] == {"support": 1, "detected": 0, "seen_in_training": False}
    assert found.metrics["seen_attack_detection_rate"] == 1
    assert found.metrics["novel_attack_detection_rate"] == 0
    assert found.intervals["novel_attack_detection_rate"] == pytest.approx([0, 0.7935], abs=1e-4)


def test_without_new_attacks_there_is_neither_rate_nor_interval():
    found = evaluate(TEST, frozenset({"neptune", "nmap", "apache2"}), ANSWERS, seed=1)
    assert math.isnan(found.metrics["novel_attack_detection_rate"])
    assert "novel_attack_detection_rate" not in found.intervals


def test_intervals_of_undefined_numbers_are_left_out():
    found = evaluate(split([1, 1, 2]), frozenset(), ANSWERS[:3], seed=1)
    assert "false_positive_rate" not in found.intervals
    assert all(math.isfinite(end) for ends in found.intervals.values() for end in ends)


def test_a_flow_without_a_finer_name_goes_by_its_class():
    assert attack_names(split([0, 1, 2], [None, "", "nmap"])) == ["normal", "dos", "nmap"]
    assert attack_names(replace(TEST, flows=None))[2] == "dos"
    assert attack_names(replace(TEST, schema=replace(SCHEMA, attack=None)))[5] == "probe"


def test_benign_flows_hold_no_attack_whatever_their_name():
    assert attacks_in(split([0, 0, 1], ["normal", "neptune", "smurf"])) == {"smurf"}


def test_headlines_are_metrics():
    assert set(HEADLINES) <= set(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("test", "train", "schema", "classes", "message"),
    [
        (TEST, TEST, "other", SCHEMA.classes, "of one data set"),
        (TEST, replace(TEST, schema=replace(SCHEMA, name="other")), "toy", SCHEMA.classes, "of one data set"),
        (TEST, TEST, "toy", ("normal", "probe", "dos"), "a model of the classes"),
        (replace(TEST, flows=None), TEST, "toy", SCHEMA.classes, "raw records"),
        (split([]), TEST, "toy", SCHEMA.classes, "test split with at least one flow"),
        (TEST, split([]), "toy", SCHEMA.classes, "train split with at least one flow"),
    ],
)
def test_sides_that_do_not_belong_together_are_refused(test, train, schema, classes, message):
    with pytest.raises(InputError, match=message):
        check_sides(test, train, schema, classes)


def test_sides_that_belong_together_pass():
    assert check_sides(TEST, TEST, "toy", list(SCHEMA.classes)) is None
