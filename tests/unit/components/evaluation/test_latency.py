from __future__ import annotations

import polars as pl
import pytest

from components.evaluation.latency import BATCH_SIZES, measure
from nids.errors import InputError

FLOWS = pl.DataFrame({"rate": [0.0, 1.0, 2.0]})


def test_each_batch_size_is_asked_for_whole_and_real_flows_are_repeated_where_there_are_too_few():
    asked = []
    found = measure(FLOWS, lambda flows: flows, asked.append, seconds=0)
    assert list(found) == [str(size) for size in BATCH_SIZES]
    assert all(ms > 0 for ms in found.values())
    assert {batch.height for batch in asked} == set(BATCH_SIZES)
    batch = next(batch for batch in asked if batch.height == 64)
    assert batch["rate"].to_list()[:5] == [0, 1, 2, 0, 1]


def test_the_request_is_made_once_per_size_and_not_timed_with_the_answer():
    made = []
    measure(FLOWS, made.append, lambda _: None, batch_sizes=(1, 2), seconds=0)
    assert len(made) == 2


def test_no_flows_no_latency():
    with pytest.raises(InputError, match="at least one flow"):
        measure(FLOWS.clear(), lambda flows: flows, lambda _: None)
