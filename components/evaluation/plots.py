"""The report's figures, as SVG bytes: arrays in, picture out, equal bytes for equal arrays."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.figure import Figure

from components.evaluation.curves import pr_points, roc_points
from nids.metrics import calibration_bins

MEDIA_TYPE = "image/svg+xml"

_INK = "#222222"
# Okabe and Ito's colours: told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C6D31")
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nids",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": _INK,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=_COLOURS),
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_LOWEST_RATE = 1e-4
_POINTS = 400


class _Drawing:
    """A row of axes that becomes SVG bytes."""

    def __init__(self, columns: int, width: float, height: float) -> None:
        self._figure = Figure(figsize=(width, height), layout="constrained")
        self.axes: list[Any] = list(self._figure.subplots(1, columns, squeeze=False)[0])
        self.svg = b""

    def close(self) -> None:
        out = io.BytesIO()
        self._figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        self.svg = out.getvalue()


@contextmanager
def _drawing(columns: int, width: float, height: float) -> Iterator[_Drawing]:
    with mpl.rc_context(_STYLE):
        drawing = _Drawing(columns, width, height)
        yield drawing
        drawing.close()


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> bytes:
    """Heat map of a confusion matrix: the colour is the share of the true class, the text share and count."""
    matrix = np.asarray(counts, np.float64)
    total = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)
    size = max(3.6, 0.85 * len(classes) + 1.4)
    with _drawing(1, size + 0.9, size) as drawing:
        (ax,) = drawing.axes
        image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (true, predicted), share in np.ndenumerate(shares):
            if matrix[true, predicted]:
                colour = "white" if share > 0.5 else _INK
                text = f"{share:.1%}\n{int(matrix[true, predicted]):,}"
                ax.text(predicted, true, text, ha="center", va="center", color=colour, fontsize=8)
        ax.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
        ax.set_yticks(range(len(classes)), classes)
        ax.set_xlabel("predicted class")
        ax.set_ylabel("true class")
        ax.grid(visible=False)
        ax.figure.colorbar(image, ax=ax, shrink=0.8, label="share of the true class")
    return drawing.svg


def attack_or_not(
    attack: npt.NDArray[np.bool_], scores: Mapping[str, npt.NDArray[Any]], served: tuple[float, float]
) -> bytes:
    """ROC (linear and logarithmic) and precision-recall curves of 'attack or not'.

    Args:
        attack: truth, shape (n,).
        scores: attack score per model name, the model itself first.
        served: false-positive and detection rate of the answers as served (most probable class).
    """
    with _drawing(3, 11.5, 3.7) as drawing:
        roc, low, pr = drawing.axes
        for rank, (name, values) in enumerate(scores.items()):
            style = {"label": name.replace("_", " "), "linewidth": 2.2 if rank == 0 else 1.1, "zorder": 5 - rank}
            curve = roc_points(attack, values, _POINTS)
            roc.plot(curve[:, 0], curve[:, 1], **style)
            # Steps: a rate between two thresholds cannot be had, and a slanted line lies on a logarithmic axis.
            low.plot(np.maximum(curve[:, 0], _LOWEST_RATE), curve[:, 1], drawstyle="steps-post", **style)
            recall, precision = pr_points(attack, values, _POINTS).T
            pr.plot(recall, precision, drawstyle="steps-post", **style)
        for ax in (roc, low):
            ax.plot(*np.maximum(served, _LOWEST_RATE), "o", color=_INK, markersize=5, zorder=6, label="as served")
            ax.set_xlabel("false-positive rate")
            ax.set_ylabel("detection rate")
        roc.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
        roc.legend(loc="lower right")
        low.set_xscale("log")
        low.set_xlim(_LOWEST_RATE, 1)
        _finish_pr(pr)
        for ax, title in zip(drawing.axes, ("ROC", "ROC, few false alarms", "Precision and recall"), strict=True):
            ax.set_title(title, fontsize=10)
            ax.set_ylim(0, 1.02)
    return drawing.svg


def one_against_rest(y: npt.NDArray[Any], probabilities: npt.NDArray[Any], classes: Sequence[str]) -> bytes:
    """ROC and precision-recall curves per class; a class that `y` lacks has none."""
    with _drawing(2, 9.2, 3.9) as drawing:
        roc, pr = drawing.axes
        for c, name in enumerate(classes):
            style = {"label": name, "color": _COLOURS[c % len(_COLOURS)], "linestyle": "-" if c < 8 else "--"}
            roc.plot(*roc_points(y == c, probabilities[:, c], _POINTS)[:, :2].T, **style)
            pr.plot(*pr_points(y == c, probabilities[:, c], _POINTS).T, drawstyle="steps-post", **style)
        roc.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":")
        roc.set(xlabel="false-positive rate", ylabel="recall", ylim=(0, 1.02))
        roc.legend(loc="lower right")
        _finish_pr(pr)
        for ax, title in zip(drawing.axes, ("ROC, one class against the rest", "Precision and recall"), strict=True):
            ax.set_title(title, fontsize=10)
    return drawing.svg


def calibration(y: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> bytes:
    """Accuracy against stated confidence, and how many flows stated it."""
    confidence, accuracy, flows = calibration_bins(y, probabilities).T
    with _drawing(2, 9.2, 3.4) as drawing:
        line, bars = drawing.axes
        line.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle=":", label="as stated")
        line.plot(confidence, accuracy, "o-", color=_COLOURS[0], label="model")
        line.set(xlabel="stated confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
        line.set_title("Calibration", fontsize=10)
        line.legend(loc="upper left")
        bars.bar(confidence, flows, width=0.04, color=_COLOURS[0])
        bars.set(xlabel="stated confidence", ylabel="flows", xlim=(0, 1.02), yscale="log")
        bars.set_title("Flows by stated confidence", fontsize=10)
    return drawing.svg


def history(epochs: Sequence[Mapping[str, Any]], best: int | None) -> bytes:
    """Loss and validation score per epoch, and the epoch whose weights were kept."""
    numbers = [entry.get("epoch", i + 1) for i, entry in enumerate(epochs)]
    keys = sorted({key for entry in epochs for key, value in entry.items() if isinstance(value, int | float)})
    panels = (
        ("Loss", [key for key in keys if key.endswith("loss")]),
        ("Validation score", [key for key in keys if key.endswith(("f1", "mcc", "accuracy", "auc"))]),
    )
    with _drawing(2, 9.2, 3.2) as drawing:
        for ax, (title, names) in zip(drawing.axes, panels, strict=True):
            for name in names:
                values = [float(v) if (v := entry.get(name)) is not None else np.nan for entry in epochs]
                ax.plot(numbers, values, "o-", markersize=3, label=name.replace("_", " "))
            if best is not None:
                ax.axvline(best, color="#999999", linewidth=0.9, linestyle=":", label="weights kept")
            ax.set_title(title, fontsize=10)
            ax.set_xlabel("epoch")
            ax.xaxis.get_major_locator().set_params(integer=True)
            if names or best is not None:
                ax.legend()
    return drawing.svg


def served_point(counts: Sequence[Sequence[int]]) -> tuple[float, float]:
    """False-positive and detection rate of the most probable class, from a confusion matrix; 0 where undefined."""
    matrix = np.asarray(counts)
    benign, attacks = matrix[0].sum(), matrix[1:].sum()
    alarms, detected = matrix[0, 1:].sum(), matrix[1:, 1:].sum()
    return float(alarms / benign) if benign else 0.0, float(detected / attacks) if attacks else 0.0


def _finish_pr(ax: Any) -> None:
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
