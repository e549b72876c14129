from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from components.evaluation import plots
from components.evaluation.assess import Assessment
from components.evaluation.background import Background
from components.evaluation.report import render
from nids import intervals, metrics
from nids.artifacts import Evaluation, ModelInfo, Selection, Tuning, Validation

CLASSES = ["normal", "dos", "<probe>"]


def assessment(simulated=False, y=None, baselines=True):
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 300) if y is None else y
    p = rng.dirichlet([1, 1, 1], len(y)) * 0.5 + 0.5 * np.eye(3)[y]
    scores = metrics.score(y, p, CLASSES)
    detection = {
        "smurf": {"support": 10, "detected": 9, "seen_in_training": True},
        "apache2": {"support": 4, "detected": 0, "seen_in_training": False},
    }
    found = {
        name: ends for name, ends in intervals.intervals(scores.confusion, seed=1).items() if np.isfinite(ends).all()
    }
    evaluation = Evaluation(
        model_digest="a" * 64,
        split_digest="b" * 64,
        schema="toy",
        classes=CLASSES,
        metrics=scores.metrics | metrics.attack_metrics(detection),
        intervals=found,
        per_class=scores.per_class,
        per_attack=detection,
        confusion=scores.confusion.tolist(),
        latency={"1024": 0.01, "1": 2.0},
        baselines={"majority": dict.fromkeys(scores.metrics, 0.0)} if baselines else {},
        about={
            "title": "Toy flows",
            "simulated": simulated,
            "split": {"method": "By time.", "seed": 3, "also_in_train": 5},
            "train_split_digest": "c" * 64,
            "train_flows": dict.fromkeys(CLASSES, 10),
            "test_flows": dict.fromkeys(CLASSES, 10),
            "seed": 7,
            "latency": "In process.",
        },
    )
    return Assessment(evaluation, y.astype(np.int32), p, {"majority": np.full((len(y), 3), 1 / 3)} if baselines else {})


@pytest.fixture
def background():
    return Background(
        Validation("toy", 1000, 1, [{"name": "range", "success": False}], {"normal": 900, "dos": 99}),
        Selection(["rate"], "none", [{"name": "rate", "boruta": None, "rfe_rank": None, "selected": True}]),
        Tuning("net", {"dropout": 0.2}, "val_macro_f1", [{"hyperparameters": {"dropout": 0.2}, "score": 0.9}]),
        ModelInfo("net", {"dropout": 0.2}, "toy", CLASSES, ["rate"], 7, 12345, [{"epoch": 1, "loss": 0.3}]),
    )


def test_equal_evaluations_give_equal_bytes(background):
    assert render(assessment(), background) == render(assessment(), background)


def test_simulated_traffic_is_called_so_and_other_traffic_is_not(background):
    assert "SIMULATED TRAFFIC" in render(assessment(simulated=True), background)
    assert "SIMULATED" not in render(assessment(), background)


def test_text_is_escaped_and_figures_are_pictures_inside_the_page(background):
    page = render(assessment(), background)
    assert "<probe>" not in page
    assert "&lt;probe&gt;" in page
    images = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert len(images) == 5
    for image in images:
        assert ET.fromstring(base64.b64decode(image)).tag.endswith("svg")


def test_new_attacks_come_first_with_their_share(background):
    page = render(assessment(), background)
    assert page.index("apache2") < page.index("smurf")
    assert "Attacks not in the training split: 0.00%" in page
    assert "Attacks in the training split, too: 90.00%" in page


def test_how_it_came_about_is_told(background):
    page = render(assessment(), background)
    for told in ("By time.", "5 test flows have the same features", "12,345", "1 set aside", "a" * 64, "c" * 64):
        assert told in page, told


def test_larger_batches_come_later(background):
    page = render(assessment(), background)
    assert page.index(">500<") < page.index(">100,000<")


def test_a_model_that_tells_nothing_apart_is_best_at_nothing(background):
    rows = re.findall(r"<td>false_positive_rate</td>.*?</tr>", render(assessment(), background))
    assert rows[-1].endswith("<td>n/a</td></tr>")


@pytest.mark.parametrize(("label", "told"), [(0, "does not hold both"), (1, "nothing can be said of false alarms")])
def test_a_test_split_of_one_kind_is_reported_without_made_up_numbers(background, label, told):
    page = render(assessment(y=np.full(50, label)), background)
    assert told in page
    assert "n/a" in page
    assert ">nan<" not in page
    assert "macro averages leave it out" in page


def test_without_baselines_or_history_the_page_still_stands(background):
    bare = replace(background, model=replace(background.model, history=[]))
    page = render(assessment(baselines=False), bare)
    assert "No baseline was asked for" in page
    assert "per epoch" not in page


def test_the_served_point_is_read_off_the_confusion_matrix():
    assert plots.served_point([[8, 2, 0], [1, 2, 1], [0, 0, 4]]) == (0.2, 7 / 8)
    assert plots.served_point([[0, 0], [0, 0]]) == (0, 0)


def test_a_figure_carries_no_clock_and_no_tool_version():
    image = plots.confusion([[1, 2], [3, 4]], ["a", "b"]).decode()
    assert "<dc:date>" not in image
    assert "matplotlib.org" not in image.split("<metadata>")[1].split("</metadata>")[0]
