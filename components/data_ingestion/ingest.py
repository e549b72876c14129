"""Where the flow records of a run come from: read, or made by the one data set that is a simulation."""

from __future__ import annotations

from pathlib import Path

from nids.datasets.base import FlowDataset, RawFlows
from nids.errors import InputError


def ingest(dataset: FlowDataset, data: str, *, simulated_flows: int, seed: int) -> RawFlows:
    """The records of `dataset`.

    Args:
        data: file or folder to read; "" to simulate.
        simulated_flows, seed: number of flows to simulate, and the seed; not used where `data` is given.

    Raises:
        InputError: there is nothing to read and nothing that could be simulated, or what is read is not this data set.
    """
    if data:
        return dataset.read(Path(data).expanduser())
    if dataset.simulate is None:
        raise InputError(f"Expected --data with the files of {dataset.schema.title}. Received: none")
    if simulated_flows < 1:
        raise InputError(f"Expected simulated_flows >= 1. Received: {simulated_flows}")
    return dataset.simulate(simulated_flows, seed)
