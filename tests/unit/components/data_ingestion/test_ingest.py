from pathlib import Path

import polars as pl
import pytest

from components.data_ingestion.ingest import ingest
from nids.datasets.base import FlowDataset, RawFlows
from nids.errors import InputError
from nids.schema import Column, FlowSchema

SCHEMA = FlowSchema("example", "Example flows", (Column("bytes"),), ("benign", "attack"))


def _flows(**about):
    return RawFlows(pl.DataFrame(schema=SCHEMA.polars_schema()), about=about)


def _read(path):
    return _flows(path=path)


def _simulate(n_flows, seed):
    return _flows(n_flows=n_flows, seed=seed)


def test_data_given_is_read_even_where_it_could_be_simulated():
    raw = ingest(FlowDataset(SCHEMA, _read, _simulate), "some/folder", simulated_flows=10, seed=1)
    assert raw.about == {"path": Path("some/folder")}


def test_a_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    raw = ingest(FlowDataset(SCHEMA, _read), "~/flows", simulated_flows=10, seed=1)
    assert raw.about == {"path": Path("/somewhere/flows")}


def test_without_data_the_simulator_makes_as_many_flows_as_asked():
    raw = ingest(FlowDataset(SCHEMA, _read, _simulate), "", simulated_flows=10, seed=3)
    assert raw.about == {"n_flows": 10, "seed": 3}


def test_a_recorded_data_set_needs_its_data():
    with pytest.raises(InputError, match="Expected --data with the files of Example flows"):
        ingest(FlowDataset(SCHEMA, _read), "", simulated_flows=10, seed=1)


def test_a_number_of_flows_below_one_is_refused():
    with pytest.raises(InputError, match=r"Expected simulated_flows >= 1\. Received: 0"):
        ingest(FlowDataset(SCHEMA, _read, _simulate), "", simulated_flows=0, seed=1)
