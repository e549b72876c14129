"""A data set small enough to read, registered like the real ones."""

import sys
from types import SimpleNamespace

import polars as pl
import pytest

from nids import datasets
from nids.datasets.base import FlowDataset, RawFlows
from nids.schema import Column, FlowSchema, Kind

TINY = FlowSchema(
    name="tiny",
    title="Tiny flows",
    features=(
        Column("bytes", heavy_tailed=True),
        Column("service", Kind.CATEGORY),
        Column("rate", maximum=1.0),
        Column("count", Kind.INTEGER),
    ),
    classes=("normal", "dos", "probe"),
)


@pytest.fixture
def tiny(monkeypatch):
    """The schema `tiny`, under which artifacts can be loaded."""
    module = SimpleNamespace(DATASET=FlowDataset(TINY, read=lambda _: RawFlows(tiny_flows())))
    monkeypatch.setitem(sys.modules, "nids.datasets.tiny", module)
    monkeypatch.setitem(datasets._MODULES, "tiny", "nids.datasets.tiny")
    return TINY


def tiny_flows(normal=60, dos=30, probe=10):
    """Distinct labelled flows, the classes in turn after one another, whose class shows in `rate` and `service`."""
    labels = ["normal"] * normal + ["dos"] * dos + ["probe"] * probe
    n = range(len(labels))
    service = {"normal": ("http", "dns"), "dos": ("http", "smtp"), "probe": ("ftp", "smtp")}
    rate = {"normal": 0.1, "dos": 0.5, "probe": 0.9}
    return pl.DataFrame(
        {
            "bytes": [float((i * 37) % 101) ** 2 for i in n],
            "service": [service[label][i % 2] for i, label in enumerate(labels)],
            "rate": [rate[label] + (i % 7) / 100 for i, label in enumerate(labels)],
            "count": list(n),
            "label": labels,
            "split": None,
            "source_file": "tiny.csv",
            "source_row": [i + 1 for i in n],
        },
        schema=TINY.polars_schema(),
    )


@pytest.fixture
def flows():
    """The maker of tiny flows: `flows(normal=..., dos=..., probe=...)`."""
    return tiny_flows


@pytest.fixture
def prepared(tmp_path, tiny, flows):
    """A folder with the artifacts that tuning and training read: train, val, transform, features."""
    from nids import artifacts
    from nids.transform import Transform

    train, val = flows(normal=40, dos=25, probe=15), flows(normal=20, dos=12, probe=8)
    transform = Transform.fit(train, tiny)
    for role, frame in (("train", train), ("val", val)):
        split = artifacts.Split(tiny, transform.apply(frame), transform.labels(frame), frame, about={"role": role})
        artifacts.save_split(tmp_path / role, split)
    artifacts.save_transform(tmp_path / "transform", transform)
    artifacts.save_selection(tmp_path / "features", artifacts.Selection(["bytes", "service", "rate"], "none", []))
    return tmp_path
