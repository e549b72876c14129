"""The run's report: one self-contained HTML page that says what the model can do, and how that is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from components.evaluation import plots
from components.evaluation.assess import Assessment
from components.evaluation.background import Background, provenance, sections
from components.evaluation.evaluate import HEADLINES
from nids.artifacts import Evaluation
from nids.html import Html, badge, bar, figure, page, paragraph, section, table
from nids.intervals import wilson
from nids.metrics import DESCRIPTIONS, attack_score

_UNDEFINED = "n/a"
_LOWER_IS_BETTER = {"false_positive_rate", "calibration_error"}
_BENIGN_FLOWS_A_DAY = 1_000_000


def render(assessment: Assessment, background: Background) -> str:
    """The whole page. Equal evaluations give equal bytes."""
    evaluation = assessment.evaluation
    return page(
        f"Evaluation of {background.model.architecture} on {evaluation.about['title']}",
        section("How good it is", paragraph(_split(evaluation)), _headlines(evaluation), _alarms(evaluation)),
        section("Beside plain models", *_rivals(evaluation)),
        section("Class by class", _classes(evaluation), *_confusion(evaluation)),
        section("At every threshold", *_curves(assessment)),
        section("Attack by attack", *_attacks(evaluation)),
        section("Can its confidence be believed?", *_calibration(assessment)),
        section("How long it takes", *_latency(evaluation)),
        *sections(background, evaluation.classes),
        section("Where it comes from", provenance(evaluation, background)),
        lead=_lead(evaluation),
    )


def _lead(evaluation: Evaluation) -> Html:
    flows = sum(map(sum, evaluation.confusion))
    metrics = evaluation.metrics
    sentence = (
        f"Of {flows:,} test flows, {_share(metrics['accuracy'])} were given their true class; "
        f"{_share(metrics['detection_rate'])} of the attack flows were flagged, "
        f"and {_share(metrics['false_positive_rate'])} of the benign ones."
    )
    if not evaluation.about["simulated"]:
        return Html(sentence)
    return Html(f"{badge('SIMULATED TRAFFIC', 'note')} {sentence} Made by a simulator: no network was measured.")


def _split(evaluation: Evaluation) -> str:
    split = evaluation.about["split"]
    text = f"How train, validation and test came apart: {split.get('method', 'not recorded')}"
    if split.get("also_in_train"):
        text += f" {split['also_in_train']:,} test flows have the same features as some training flow."
    return text


def _headlines(evaluation: Evaluation) -> Html:
    rows = [
        (name, _number(evaluation.metrics.get(name)), _interval(evaluation.intervals.get(name)), DESCRIPTIONS[name])
        for name in HEADLINES
    ]
    return table(["metric", "value", "95 % interval", "what it says"], rows)


def _alarms(evaluation: Evaluation) -> Html:
    rate = evaluation.metrics["false_positive_rate"]
    if rate is None or math.isnan(rate):
        return paragraph("The test split holds no benign flow, so nothing can be said of false alarms.")
    alarms = int(evaluation.metrics["false_alarms"] or 0)
    low, high = (end * _BENIGN_FLOWS_A_DAY for end in evaluation.intervals["false_positive_rate"])
    return paragraph(
        f"False alarms: {alarms:,} in this test split, or {rate * 10_000:,.1f} per 10,000 benign flows. A network with "
        f"{_BENIGN_FLOWS_A_DAY:,} benign flows a day like these would see about {rate * _BENIGN_FLOWS_A_DAY:,.0f} "
        f"false alarms a day (95 % interval {low:,.0f} to {high:,.0f})."
    )


def _rivals(evaluation: Evaluation) -> Iterator[Html]:
    everyone = {"model": evaluation.metrics, **evaluation.baselines}
    rows = []
    for metric in HEADLINES:
        values = {name: _defined(scores.get(metric)) for name, scores in everyone.items()}
        telling = {name: value for name, value in values.items() if everyone[name]["mcc"]}
        rows.append((metric, *(_number(value) for value in values.values()), _best(metric, telling)))
    yield paragraph(
        "Trained on the same training split (before balancing, all columns), scored on the same test flows. "
        "'best' leaves out those that tell nothing apart."
        if evaluation.baselines
        else "No baseline was asked for."
    )
    yield table(["metric", *(name.replace("_", " ") for name in everyone), "best"], rows)


def _best(metric: str, values: Mapping[str, float | None]) -> str:
    defined = {name: value for name, value in values.items() if value is not None}
    if len(defined) < 2:
        return _UNDEFINED
    wanted = min(defined.values()) if metric in _LOWER_IS_BETTER else max(defined.values())
    return ", ".join(name.replace("_", " ") for name, value in defined.items() if value == wanted)


def _classes(evaluation: Evaluation) -> Html:
    names = ("precision", "recall", "f1", "roc_auc", "pr_auc")
    trained = evaluation.about["train_flows"]
    rows = [
        (name, *(_number(scores[metric]) for metric in names), int(scores["support"] or 0), trained[name])
        for name, scores in evaluation.per_class.items()
    ]
    note = "Precision: of the flows given this class, the share that are of it. Recall: of its flows, the share found."
    headers = ["class", *(name.replace("_", " ") for name in names), "test flows", "train flows"]
    return table(headers, rows, caption=note)


def _confusion(evaluation: Evaluation) -> Iterator[Html]:
    absent = [name for name, scores in evaluation.per_class.items() if not scores["support"]]
    if absent:
        yield paragraph(f"The test split holds no flow of {', '.join(absent)}: macro averages leave it out.")
    image = plots.confusion(evaluation.confusion, evaluation.classes)
    yield figure(image, "True class by row, predicted class by column.", plots.MEDIA_TYPE)


def _curves(assessment: Assessment) -> Iterator[Html]:
    y, probabilities = assessment.y, assessment.probabilities
    attack = y != 0
    if attack.any() and not attack.all():
        scores = {"model": attack_score(probabilities)}
        scores |= {name: attack_score(answers) for name, answers in assessment.rivals.items()}
        image = plots.attack_or_not(attack, scores, plots.served_point(assessment.evaluation.confusion))
        caption = (
            "Attack or not, flagged where 1 - P(benign) is above a threshold. The dot is the answer as served: the "
            "most probable class. The middle panel shows the few false alarms that people can look into."
        )
        yield figure(image, caption, plots.MEDIA_TYPE)
    else:
        yield paragraph("The test split does not hold both benign flows and attacks, so there is no such curve.")
    image = plots.one_against_rest(y, probabilities, assessment.evaluation.classes)
    yield figure(image, "Each class against all others.", plots.MEDIA_TYPE)


def _attacks(evaluation: Evaluation) -> Iterator[Html]:
    metrics, intervals = evaluation.metrics, evaluation.intervals
    for name, kind in (("novel", "not in the training split"), ("seen", "in the training split, too")):
        key = f"{name}_attack_detection_rate"
        if _defined(metrics.get(key)) is not None:
            between = _interval(intervals.get(key))
            yield paragraph(f"Attacks {kind}: {_share(metrics[key])} of their flows flagged (95 % interval {between}).")
        else:
            yield paragraph(f"The test split holds no flow of attacks {kind}.")
    rows = []
    ordered = sorted(evaluation.per_attack.items(), key=lambda item: (item[1]["seen_in_training"], item[0]))
    for attack, row in ordered:
        share = row["detected"] / row["support"]
        between = _interval(wilson(row["detected"], row["support"]))
        novelty = "seen" if row["seen_in_training"] else badge("new", "note")
        rows.append((attack, novelty, row["support"], row["detected"], share, bar(share), between))
    headers = ["attack", "in training", "flows", "flagged", "share", "", "95 % interval"]
    yield table(headers, rows, caption="Flagged as any attack, whichever its class.")


def _calibration(assessment: Assessment) -> Iterator[Html]:
    error = assessment.evaluation.metrics["calibration_error"]
    yield paragraph(
        "Where a model states 0.9, nine of ten such answers should be right. "
        f"On average over the test flows it is off by {error:.4f}."
    )
    image = plots.calibration(assessment.y, assessment.probabilities)
    yield figure(image, "Stated confidence against accuracy, and how often it was stated.", plots.MEDIA_TYPE)


def _latency(evaluation: Evaluation) -> Iterator[Html]:
    rows = [
        (int(size), ms, round(1000 / ms)) for size, ms in sorted(evaluation.latency.items(), key=lambda i: int(i[0]))
    ]
    yield table(["flows per call", "milliseconds per flow", "flows per second"], rows)
    yield paragraph(evaluation.about["latency"])


def _defined(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _number(value: Any) -> object:
    defined = _defined(value)
    return _UNDEFINED if defined is None else defined


def _share(value: Any) -> str:
    defined = _defined(value)
    return _UNDEFINED if defined is None else f"{defined:.2%}"


def _interval(ends: list[float] | None) -> str:
    return f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else ""
