"""A client that lives longer than the version it first met."""

import contextlib

import numpy as np
import polars as pl
import pytest

import serving.client
from nids.errors import InputError, NotFoundError, StoreError
from serving.client import Client, predict_file
from serving.frames import Batch
from serving.versions import State

_FLOWS = pl.DataFrame(
    {"protocol": ["tcp", "udp", "new"], "duration": [0.5, 100.0, 3.0], "bytes": [1, 2, 3], "packets": [1.0, 1.0, 1.0]}
)


@pytest.fixture
def base(tmp_path, publish, small_model):
    publish(small_model, tmp_path / "nids", 1)
    return tmp_path / "nids"


@pytest.fixture(scope="module")
def wider_model(tmp_path_factory):
    """A model that the small one may be followed by, with another set of inputs."""
    import tensorflow as tf

    class Wider(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="duration"),
                tf.TensorSpec([None], tf.float32, name="packets"),
            ]
        )
        def score(self, duration, packets):
            both = tf.stack([duration, packets], axis=1)
            class_id = tf.argmax(both, axis=1)
            return {"probabilities": both, "class_id": class_id, "label": tf.as_string(class_id)}

    folder = tmp_path_factory.mktemp("wider") / "model"
    model = Wider()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.score})
    return folder


def _replace(client, publish, model, base, version):
    publish(model, base, version)
    client.wait_until_available(60, version)
    while {status.version: status.state for status in client.status()}[version - 1] is not State.END:
        pass


def test_a_frame_is_scored_by_a_newer_version_with_other_inputs(base, served, publish, wider_model):
    with served(base) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
        assert client.predict(_FLOWS).version == 1
        _replace(client, publish, wider_model, base, 2)

        assert client.predict(_FLOWS).version == 2
        assert client.metadata().version == 2
        with pytest.raises(InputError, match=r"Missing but required: \{packets\}"):
            client.predict(_FLOWS.drop("packets"))


@contextlib.contextmanager
def _replaced_after_the_first_batch(monkeypatch, client, publish, model, base):
    original = serving.client._scored

    def scored(asking, batches):
        for index, pair in enumerate(original(asking, batches)):
            yield pair
            if index == 0:
                _replace(client, publish, model, base, 2)

    monkeypatch.setattr(serving.client, "_scored", scored)
    yield


def test_probabilities_keep_their_columns_when_a_version_orders_its_classes_otherwise(
    base, served, publish, reversed_model, tmp_path, monkeypatch
):
    _FLOWS.write_csv(tmp_path / "flows.csv")
    with (
        served(base) as addresses,
        Client(addresses.grpc) as client,
    ):
        client.wait_until_available(60)
        with _replaced_after_the_first_batch(monkeypatch, client, publish, reversed_model, base):
            done = predict_file(
                tmp_path / "flows.csv", addresses.grpc, output=tmp_path / "scores.parquet", batch_size=1
            )

    scores = pl.read_parquet(tmp_path / "scores.parquet")
    assert done.versions == (1, 2)
    for row in scores.iter_rows(named=True):
        likely = max(("normal", "attack"), key=lambda name: row[f"probability_{name}"])
        assert row["label"] == likely
    assert scores["version"][-1] == 2


def test_a_version_of_other_classes_ends_the_file_without_output(
    base, served, publish, other_model, tmp_path, monkeypatch
):
    _FLOWS.write_csv(tmp_path / "flows.csv")
    with served(base) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
        with (
            _replaced_after_the_first_batch(monkeypatch, client, publish, other_model, base),
            pytest.raises(StoreError, match="version 2, which was released meanwhile"),
        ):
            predict_file(tmp_path / "flows.csv", addresses.grpc, output=tmp_path / "scores.csv", batch_size=1)

    assert not (tmp_path / "scores.csv").exists()


def test_a_version_that_went_before_its_classes_were_asked_is_not_given_those_of_another():
    class Gone:
        def class_names(self, _columns, version):
            raise NotFoundError(f"Specific(nids, {version})")

    scores = serving.client.Scores(np.array(["a"], object), np.array([0]), np.ones((1, 2), np.float32), 1)

    with pytest.raises(StoreError, match="version 1 to be served"):
        serving.client._Classes(Gone()).columns(Batch(1, {}), scores)
