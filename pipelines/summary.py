"""What a run ends with, in a terminal: results, steps, the gate's verdict, where the report is, live scores."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from nids import artifacts
from nids.errors import ArtifactError
from pipelines.runners import RunResult

_HEADLINES = (
    "accuracy",
    "macro_f1",
    "mcc",
    "roc_auc",
    "pr_auc",
    "binary_accuracy",
    "detection_rate",
    "false_positive_rate",
)
_ASKED_ROWS = 12


def show(result: RunResult, console: Console) -> None:
    """Print the tables of one run."""
    console.print(_steps(result))
    console.print(_results(result.evaluation))
    console.print(_rules(result.decision))
    if result.version is None:
        failed = [rule["metric"] for rule in result.decision.rules if not rule["passed"]]
        console.print(f"Rejected by the gate ({', '.join(failed) or 'no rules'}): the store is as it was.")
    else:
        console.print(f"Approved. Version {result.version.number} is in {result.version.path}", soft_wrap=True)
    console.print(f"Report: {result.report}", soft_wrap=True)


def show_answers(result: RunResult, model_name: str, console: Console) -> None:
    """Serve the released version, ask it for some real test flows over gRPC, print what came back."""
    from serving.client import Client
    from serving.server import running_server

    split = artifacts.load_split(result.test)
    if result.version is None or split.flows is None:
        raise ArtifactError("Expected a released version, and test flows to ask it. Received: none")
    flows = split.flows.unique("label", keep="first", maintain_order=True).head(_ASKED_ROWS)
    with (
        running_server(model_name, result.version.path.parent) as server,
        Client(server.grpc_address, model=model_name) as client,
    ):
        scores = client.predict(flows)
    table = Table(
        title=f"Scores over gRPC from {model_name} version {scores.version}: the first test flow of each class"
    )
    for header in ("row", "true label", "label", "probability"):
        table.add_column(header, justify="right" if header in ("row", "probability") else "left")
    best = scores.probabilities.max(axis=1)
    for row, truth, label, probability in zip(flows["source_row"], flows["label"], scores.labels, best, strict=True):
        table.add_row(str(row), truth, str(label), f"{probability:.3f}")
    console.print(table)
    if scores.version != result.version.number:
        console.print(f"Note: version {scores.version} answered; another run has released it meanwhile.")


def _steps(result: RunResult) -> Table:
    table = Table(title="Steps")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("peak MB", justify="right")
    for step in result.steps:
        if step.cached:
            table.add_row(step.name, "cached", "")
        else:
            table.add_row(step.name, f"{step.seconds:.1f}", f"{step.peak_megabytes:.0f}")
    return table


def _results(evaluation: artifacts.Evaluation) -> Table:
    title = f"Results on the test split of {evaluation.schema}"
    if evaluation.about.get("simulated"):
        title += " (simulated traffic)"
    table = Table(title=title)
    table.add_column("metric", no_wrap=True)
    table.add_column("model", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    for name in evaluation.baselines:
        table.add_column(name.replace("_", " "), justify="right")
    for metric in _HEADLINES:
        interval = evaluation.intervals.get(metric)
        others = [_number(scores.get(metric)) for scores in evaluation.baselines.values()]
        between = f"{interval[0]:.4f} - {interval[1]:.4f}" if interval else ""
        table.add_row(metric, _number(evaluation.metrics.get(metric)), between, *others)
    return table


def _rules(decision: artifacts.Decision) -> Table:
    table = Table(title="Gate")
    table.add_column("rule")
    table.add_column("value", justify="right")
    table.add_column("verdict")
    for rule in decision.rules:
        verdict = "pass" if rule["passed"] else "FAIL"
        table.add_row(f"{rule['metric']} {rule['comparison']} {rule['bound']}", _number(rule["value"]), verdict)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
