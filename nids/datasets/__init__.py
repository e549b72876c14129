"""The data sets by name. Each module beside this one declares one `DATASET`."""

from __future__ import annotations

import importlib

from nids.datasets.base import FlowDataset
from nids.errors import InputError
from nids.schema import FlowSchema

_MODULES = {
    "simulated": "nids.datasets.simulated",
    "nsl-kdd": "nids.datasets.nsl_kdd",
    "unsw-nb15": "nids.datasets.unsw_nb15",
}

NAMES = tuple(_MODULES)


def get_dataset(name: str) -> FlowDataset:
    """The data set called `name`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _MODULES:
        raise InputError(f"Expected --dataset to be one of {', '.join(NAMES)}. Received: {name!r}")
    dataset: FlowDataset = importlib.import_module(_MODULES[name]).DATASET
    return dataset


def get_schema(name: str) -> FlowSchema:
    """The schema of the data set called `name`; InputError where there is none."""
    return get_dataset(name).schema
