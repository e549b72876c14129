"""Small SavedModels of no use but to be served, and a server in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def save_small_model(path: Path, labels: tuple[str, str] = ("normal", "attack")) -> Path:
    """A model of three raw features: class 1 where duration + bytes + code of the protocol exceeds 10."""
    import tensorflow as tf

    class Small(tf.Module):
        def __init__(self):
            super().__init__()
            keys = tf.lookup.KeyValueTensorInitializer(["tcp", "udp"], tf.constant([1, 2], tf.int64))
            self.codes = tf.lookup.StaticHashTable(keys, 0)  # 0 is the slot of unknown protocols
            self.bound = tf.Variable(10.0)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="duration"),
                tf.TensorSpec([None], tf.int64, name="bytes"),
                tf.TensorSpec([None], tf.string, name="protocol"),
            ]
        )
        def score(self, duration, bytes, protocol):
            total = duration + tf.cast(bytes + self.codes.lookup(protocol), tf.float32)
            attack = tf.sigmoid(total - self.bound)
            probabilities = tf.stack([1 - attack, attack], axis=1)
            class_id = tf.argmax(probabilities, axis=1)
            label = tf.gather(tf.constant(labels), class_id)
            return {"probabilities": probabilities, "class_id": class_id, "label": label}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def classify(self, inputs):
            spec = {
                "duration": tf.io.FixedLenFeature([], tf.float32),
                "bytes": tf.io.FixedLenFeature([], tf.int64),
                "protocol": tf.io.FixedLenFeature([], tf.string),
            }
            scores = self.score(**tf.io.parse_example(inputs, spec))["probabilities"]
            return {"classes": tf.broadcast_to(tf.constant(labels), tf.shape(scores)), "scores": scores}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def half(self, x):
            return {"y": x / 2}

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="seconds")])
        def slow(self, seconds):
            start = tf.timestamp()
            end = start + tf.cast(seconds, tf.float64)
            now = tf.while_loop(lambda now: now < end, lambda _: [tf.timestamp()], [start])[0]
            return {"took": now - start}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def picky(self, x):
            with tf.control_dependencies([tf.debugging.assert_less(x, 1.0, message="x is too large")]):
                return {"y": tf.identity(x)}

    model = Small()
    signatures = {
        "serving_default": model.score,
        "classify": model.classify,
        "half": model.half,
        "slow": model.slow,
        "picky": model.picky,
    }
    tf.saved_model.save(model, str(path), signatures=signatures)
    return path


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> Path:
    """Folder of a SavedModel, to be copied and not to be changed."""
    return save_small_model(tmp_path_factory.mktemp("small") / "model")


@pytest.fixture(scope="session")
def other_model(tmp_path_factory) -> Path:
    """The same with other labels, so that an answer shows which of the two gave it."""
    return save_small_model(tmp_path_factory.mktemp("other") / "model", labels=("benign", "hostile"))


@pytest.fixture(scope="session")
def reversed_model(tmp_path_factory) -> Path:
    """The same with its two labels the other way round."""
    return save_small_model(tmp_path_factory.mktemp("reversed") / "model", labels=("attack", "normal"))


def publish(model: Path, base: Path, version: int) -> Path:
    """Copy a SavedModel beside its place and rename it into place, as the store does."""
    base.mkdir(parents=True, exist_ok=True)
    hidden = base / f".{version}"
    shutil.copytree(model, hidden)
    return hidden.rename(base / str(version))


@pytest.fixture(name="publish")
def publish_fixture() -> Callable[[Path, Path, int], Path]:
    return publish


@contextlib.contextmanager
def served(base: Path, **options) -> Iterator:
    """Serve `base` from a thread of this process; yields `serving.options.Addresses`."""
    from serving.options import ServerOptions
    from serving.server import started

    defaults = {"port": 0, "rest_api_port": 0, "file_system_poll_wait_seconds": 0.05, "drain_seconds": 5}
    ready: list = []
    is_ready, stop = threading.Event(), threading.Event()

    async def run():
        async with started(ServerOptions(base, **(defaults | options))) as addresses:
            ready.append(addresses)
            is_ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert is_ready.wait(60)
        yield ready[0]
    finally:
        stop.set()
        thread.join()


@pytest.fixture(name="served")
def served_fixture():
    return served


@pytest.fixture(scope="module")
def server(small_model, tmp_path_factory):
    """Version 7 of the small model under the name nids; shared by the tests of a module, which only ask."""
    from serving.client import Client

    base = tmp_path_factory.mktemp("store") / "nids"
    publish(small_model, base, 7)
    with served(base) as addresses:
        with Client(addresses.grpc) as client:
            client.wait_until_available(60)
        yield addresses
