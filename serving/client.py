"""A client of the served model: TensorFlow Serving's or the embedded server, over gRPC. Needs no TensorFlow.

with Client("localhost:8500") as client:
    scores = client.predict(pl.read_parquet("flows.parquet"))
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.errors import InputError, NidsError, NotFoundError, StoreError
from serving.columns import as_inputs, first_example
from serving.connection import Connection, Metadata
from serving.frames import Batch, check_output, read_batches, score_writer
from serving.options import DEFAULT_MODEL
from serving.signature import Signature, check_inputs
from serving.tensors import BY_NUMBER, STRING, Array
from serving.versions import State, VersionStatus

DEFAULT_TIMEOUT = 30.0
"""Deadline of a call, in seconds."""

_IN_FLIGHT = 2  # the next batch of a file is read and sent while the server works
_PROGRESS_SECONDS = 2.0
_SCORES = ("label", "class_id", "probabilities")


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of n flows.

    Attributes:
        labels: class name per flow, an object array of str of shape (n,).
        class_ids: int64 of shape (n,).
        probabilities: float32 of shape (n, n_classes), in class order.
        version: the version that answered.
    """

    labels: npt.NDArray[np.object_]
    class_ids: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    version: int


class Client:
    """One channel to one server. Every call has a deadline.

    Args:
        address: `HOST:PORT` of the server's gRPC port.
        model: name of the served model.
        timeout: deadline of a call, in seconds.

    Calls raise NotFoundError for an unknown model, InputError for a request the model cannot take, and StoreError,
    which names the address, where the server cannot be reached or does not answer in time.
    """

    def __init__(self, address: str, model: str = DEFAULT_MODEL, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._connection = Connection(address, model, timeout)
        self._metadata: Metadata | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self._connection.close()

    def status(self) -> list[VersionStatus]:
        """Status of the versions the server has seen, the newest first."""
        return self._connection.status()

    def metadata(self) -> Metadata:
        """The signatures of the version that was the latest when last asked: at first, and after a refusal."""
        if self._metadata is None:
            self._metadata = self._connection.metadata()
        return self._metadata

    def predict(self, columns: Mapping[str, Array] | pl.DataFrame) -> Scores:
        """Score n flows.

        Args:
            columns: raw values by input name, each of shape (n,); a frame may have further columns, which are left
                out. Numbers are cast to the model's types where no value changes beyond rounding; strings are str or
                bytes.
        """
        metadata = self.metadata()
        try:
            return self._predict(metadata.default, columns)
        except InputError:
            # A newer version may ask for other inputs: look again, once.
            self._metadata = self._connection.metadata()
            if self._metadata.version == metadata.version:
                raise
            return self._predict(self._metadata.default, columns)

    def _predict(self, signature: Signature, columns: Mapping[str, Array] | pl.DataFrame) -> Scores:
        inputs = as_inputs(signature, columns)
        check_inputs(signature, inputs)
        outputs, version = self._connection.predict(inputs)
        if not set(_SCORES) <= outputs.keys():
            raise InputError(f"Expected a model with the outputs {', '.join(_SCORES)}. Received: {sorted(outputs)}")
        labels = np.array([label.decode() for label in outputs["label"]], dtype=object)
        return Scores(labels, outputs["class_id"], outputs["probabilities"], version)

    def class_names(self, columns: Mapping[str, Array], version: int | None = None) -> list[str] | None:
        """Class names in class order, as the model's classify signature gives them; None for a model without one.

        Args:
            columns: at least one flow: the names come with its scores.
            version: which one's; None for the latest.
        """
        metadata = self._connection.metadata(version)
        for name, signature in metadata.signatures.items():
            if not {"classes", "scores"} <= signature.outputs.keys() or len(signature.inputs) != 1:
                continue
            (spec,) = signature.inputs.values()
            if BY_NUMBER.get(spec.dtype) is not STRING:
                continue
            example = np.array([first_example(metadata.default, columns)], dtype=object)
            outputs, _ = self._connection.predict({spec.alias: example}, name, metadata.version)
            return [text.decode() for text in outputs["classes"][0]]
        return None

    def wait_until_available(self, timeout: float = 60.0, version: int | None = None) -> int:
        """Wait for a version, or any, to be served; its number.

        Raises:
            StoreError: it was not within `timeout` seconds; the message says why.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                left = max(0.05, end - time.monotonic())
                statuses = [s for s in self._connection.status(left) if version in (None, s.version)]
                available = [status.version for status in statuses if status.state is State.AVAILABLE]
                if available:
                    return max(available)
                reasons = [f"version {s.version} is {s.state.name} {s.message}".strip() for s in statuses]
                reason = ", ".join(reasons) or f"version {version} is not known there"
            except NidsError as error:
                reason = str(error)
            if time.monotonic() > end:
                where = f"model {self._connection.model} at {self._connection.address}"
                raise StoreError(f"Expected {where} to be available within {timeout:g} s. Received: {reason}")
            time.sleep(0.1)


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
        StoreError: the server cannot be reached, or a version of other classes took over before the last flow.
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
        classes = _Classes(client)
        with score_writer(output) as writer:
            for batch, scores in _scored(client, batches):
                writer.write(_table(batch, scores, classes.columns(batch, scores)))
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


class _Classes:
    """The columns of probabilities by class name, in the order of the version that answered first."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._order: list[str] = []
        self._by_version: dict[int, list[str]] = {}

    def columns(self, batch: Batch, scores: Scores) -> dict[str, int]:
        """Index into `scores.probabilities` by class name.

        Raises:
            StoreError: the version of the scores has other classes than the first, or went before it was asked.
        """
        names = self._by_version.get(scores.version)
        if names is None:
            names = self._by_version[scores.version] = self._ask(batch, scores)
            self._order = self._order or names
            if sorted(names) != sorted(self._order):
                raise StoreError(
                    f"Expected the classes {self._order} for the whole file. Received: {names} from version "
                    f"{scores.version}, which was released meanwhile. Score the file again."
                )
        return {name: names.index(name) for name in self._order}

    def _ask(self, batch: Batch, scores: Scores) -> list[str]:
        """Names taken only where they agree with the labels of the same flows; else numbers."""
        width = scores.probabilities.shape[1]
        try:
            names = self._client.class_names(batch.columns, scores.version)
        except NotFoundError as error:
            raise StoreError(
                f"Expected version {scores.version} to be served until its classes are known. Received: a newer one "
                "took over. Score the file again."
            ) from error
        if names and len(names) == width:
            named = [names[index] for index in scores.class_ids]
            if named == list(scores.labels):
                return names
        return [str(index) for index in range(width)]


def _table(batch: Batch, scores: Scores, columns: Mapping[str, int]) -> pl.DataFrame:
    n_flows = len(batch)
    return pl.DataFrame(
        {
            "row": np.arange(batch.first_row, batch.first_row + n_flows, dtype=np.int64),
            "label": scores.labels.tolist(),
            **{f"probability_{name}": scores.probabilities[:, index] for name, index in columns.items()},
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
