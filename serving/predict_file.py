"""Score a file of raw flows on a server: `nids predict`."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nids.errors import InputError
from serving.client import DEFAULT_TIMEOUT, Client, Scores
from serving.frames import Batch, check_output, read_batches, score_writer

_IN_FLIGHT = 2  # the next batch is read and sent while the server works
_PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Scored:
    """What was done: flows by label, the versions that answered, and the time it took."""

    flows: int
    labels: dict[str, int]
    versions: tuple[int, ...]
    seconds: float


def predict_file(
    input: str | Path,
    server: str,
    model: str = "nids",
    output: str | Path | None = None,
    batch_size: int = 1024,
    timeout: float = DEFAULT_TIMEOUT,
) -> Scored:
    """Score every flow of a file.

    The output has one row per flow, in the order of the file: `row` (the first is 1), `label`, `probability_<class>`
    for each class, `version`. The class names are those of the model's classify signature; `probability_0` and so on
    for a model that has none.

    Args:
        input: CSV (`.csv`, `.csv.gz`) or Parquet file; its header names the model's inputs, other columns are ignored.
        server: `HOST:PORT` of the gRPC port.
        model: served name.
        output: `.csv` or `.parquet` file, which is whole or not there; None for CSV on standard output.
        batch_size: flows per request.
        timeout: seconds that a request may take.

    Raises:
        InputError: the file, a column or a cell is not as expected; it is named.
        NotFoundError: the server has no such model.
        StoreError: the server cannot be reached.
    """
    if batch_size < 1:
        raise InputError(f"Expected --batch-size of at least 1. Received: {batch_size}")
    if output is not None:
        check_output(Path(output))
    start = time.monotonic()
    labels: Counter[str] = Counter()
    versions: set[int] = set()
    progress = _Progress(start)
    with Client(server, model, timeout) as client:
        batches = read_batches(input, client.metadata().inputs, batch_size)
        classes: list[str] | None = None
        with score_writer(output) as writer:
            for batch, scores in _scored(client, batches):
                classes = classes or _class_names(client, batch, scores)
                writer.write(_table(batch, scores, classes))
                labels.update(scores.labels)
                versions.add(scores.version)
                progress.show(labels.total())
    return Scored(labels.total(), dict(labels.most_common()), tuple(sorted(versions)), time.monotonic() - start)


def _scored(client: Client, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Scores]]:
    waiting: deque[tuple[Batch, Future[Scores]]] = deque()
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        for batch in batches:
            waiting.append((batch, pool.submit(client.predict, batch.columns)))
            if len(waiting) >= _IN_FLIGHT:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()


def _class_names(client: Client, batch: Batch, scores: Scores) -> list[str]:
    """Names for the columns of probabilities, taken only where they agree with the labels of the same flows."""
    width = scores.probabilities.shape[1]
    names = client.class_names(batch.columns)
    if names and len(names) == width:
        named = [names[index] for index in scores.class_ids]
        if named == list(scores.labels):
            return names
    return [str(index) for index in range(width)]


def _table(batch: Batch, scores: Scores, classes: list[str]) -> pl.DataFrame:
    n_flows = len(batch)
    return pl.DataFrame(
        {
            "row": np.arange(batch.first_row, batch.first_row + n_flows, dtype=np.int64),
            "label": scores.labels.tolist(),
            **{f"probability_{name}": scores.probabilities[:, index] for index, name in enumerate(classes)},
            "version": np.full(n_flows, scores.version, dtype=np.int64),
        }
    )


class _Progress:
    """A line on standard error every few seconds; none for what is done at once."""

    def __init__(self, start: float) -> None:
        self._start = self._last = start

    def show(self, flows: int) -> None:
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS:
            self._last = now
            rate = flows / (now - self._start)
            print(f"{flows:,} flows scored, {rate:,.0f} per second", file=sys.stderr, flush=True)
