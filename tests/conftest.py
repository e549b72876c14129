"""A small trained and exported model of NSL-KDD flows, shared by the tests from export to serving."""

from __future__ import annotations

import pytest
from sample_models import ModelUnderTest, random_flows, write_model


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> ModelUnderTest:
    from nids.artifacts import Split, load_transform, save_split
    from nids.datasets import get_schema

    folder = tmp_path_factory.mktemp("trained")
    schema = get_schema("nsl-kdd")
    write_model(folder / "model", flows=random_flows(schema, 400, seed=0))
    transform = load_transform(folder / "model")
    # Drawn anew: values outside the fitted ranges are among them.
    flows = random_flows(schema, 300, seed=1)
    split = Split(schema, transform.apply(flows), transform.labels(flows), flows, about={"role": "test"})
    save_split(folder / "test", split)
    return ModelUnderTest(folder / "model", folder / "test")
