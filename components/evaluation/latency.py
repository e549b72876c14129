"""How long one flow takes to score, by size of the request."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from nids.errors import InputError

BATCH_SIZES = (1, 64, 256, 1024)

_WARM_UP = 3
_LEAST_CALLS = 7
_MOST_CALLS = 200


def measure(
    flows: pl.DataFrame,
    prepare: Callable[[pl.DataFrame], Any],
    answer: Callable[[Any], Any],
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    seconds: float = 1.0,
) -> dict[str, float]:
    """Milliseconds per flow by batch size: the median over calls of `answer`, divided by the flows of a call.

    Args:
        flows: raw flows to ask for; repeated where there are fewer than a batch has.
        prepare: from flows to a request, not timed.
        answer: from a request to scores, timed.
        seconds: about how long each batch size is measured.
    """
    if flows.is_empty():
        raise InputError("Expected at least one flow to measure latency with. Received: none")
    found = {}
    for size in batch_sizes:
        request = prepare(flows[[row % flows.height for row in range(size)]])
        for _ in range(_WARM_UP):
            answer(request)
        found[str(size)] = 1000 * statistics.median(_timed(answer, request, seconds)) / size
    return found


def _timed(answer: Callable[[Any], Any], request: Any, seconds: float) -> list[float]:
    durations: list[float] = []
    while len(durations) < _LEAST_CALLS or (sum(durations) < seconds and len(durations) < _MOST_CALLS):
        started = time.perf_counter()
        answer(request)
        durations.append(time.perf_counter() - started)
    return durations
