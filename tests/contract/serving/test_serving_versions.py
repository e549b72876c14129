"""New versions under load, and versions that are none, over a socket."""

import contextlib
import threading

import numpy as np
import pytest

from nids.errors import InputError, NotFoundError, StoreError
from serving.client import Client
from serving.status import Code
from serving.versions import State

_FLOW = {"duration": np.float32([100]), "bytes": np.array([1]), "protocol": np.array(["tcp"])}


@pytest.fixture
def base(tmp_path):
    return tmp_path / "nids"


def _wait(client, version, state):
    for _ in range(2000):
        with contextlib.suppress(NotFoundError):  # nothing seen yet
            for status in client.status():
                if (status.version, status.state) == (version, state):
                    return status
        threading.Event().wait(0.01)
    raise AssertionError(f"version {version} is not {state.name}: {client.status()}")


def test_a_new_version_takes_over_while_requests_run_and_none_fails(base, served, publish, small_model, other_model):
    publish(small_model, base, 1)
    answers, errors, stop = [], [], threading.Event()

    with served(base) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)

        def ask():
            while not stop.is_set():
                try:
                    scores = client.predict(_FLOW)
                    answers.append((scores.version, scores.labels[0]))
                except Exception as error:
                    errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for version, model in ((2, other_model), (3, small_model), (4, other_model)):
            publish(model, base, version)
            _wait(client, version, State.AVAILABLE)
            _wait(client, version - 1, State.END)
        stop.set()
        for thread in threads:
            thread.join()
        assert client.predict(_FLOW).version == 4

    assert errors == []
    assert (
        {(1, "attack"), (2, "hostile"), (3, "attack")}
        <= set(answers)
        <= {
            (1, "attack"),
            (2, "hostile"),
            (3, "attack"),
            (4, "hostile"),
        }
    )


def test_a_request_in_flight_ends_on_the_version_it_began_with(base, served, publish, small_model):
    publish(small_model, base, 1)
    with served(base) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
        answers = []
        slow = threading.Thread(
            target=lambda: answers.append(client._connection.predict({"seconds": np.float32(1.5)}, "slow"))
        )
        slow.start()
        _wait_until_busy(client)
        publish(small_model, base, 2)
        _wait(client, 2, State.AVAILABLE)
        slow.join()
        _wait(client, 1, State.END)

    ((outputs, version),) = answers
    assert outputs["took"] >= 1.5
    assert version == 1


def _wait_until_busy(client):
    threading.Event().wait(0.3)
    assert client.status()[0].state is State.AVAILABLE


@pytest.mark.parametrize("damage", ["truncated", "text", "no variables"])
def test_a_version_that_cannot_be_loaded_leaves_the_older_one_serving(
    base, served, publish, small_model, tmp_path, damage
):
    publish(small_model, base, 1)
    with served(base) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
        broken = publish(small_model, tmp_path / "elsewhere", 2)
        mark = broken / "saved_model.pb"
        if damage == "truncated":
            mark.write_bytes(mark.read_bytes()[:1000])
        elif damage == "text":
            mark.write_text("this is no model")
        else:
            (broken / "variables" / "variables.index").unlink()
        broken.rename(base / "2")

        status = _wait(client, 2, State.END)

        assert status.code is not Code.OK
        assert status.message
        assert client.predict(_FLOW).version == 1


def test_a_half_copied_version_is_not_looked_at_and_mended_ones_are(base, served, publish, small_model):
    mark = publish(small_model, base, 1) / "saved_model.pb"
    data = mark.read_bytes()
    mark.unlink()
    with served(base) as addresses, Client(addresses.grpc) as client:
        with pytest.raises(NotFoundError, match="Could not find any versions"):
            client.status()
        mark.write_bytes(data[:500])
        _wait(client, 1, State.END)
        mark.write_bytes(data)
        _wait(client, 1, State.AVAILABLE)
        assert client.predict(_FLOW).version == 1


def test_a_server_started_before_its_store_waits_for_it(base, served, publish, small_model):
    with served(base) as addresses, Client(addresses.grpc) as client:
        with pytest.raises(NotFoundError, match=r"Servable not found for request: Latest\(nids\)"):
            client.predict(_FLOW)
        publish(small_model, base, 5)
        assert client.wait_until_available(60) == 5


def test_a_server_that_was_stopped_answers_no_more(base, served, publish, small_model):
    publish(small_model, base, 1)
    with served(base) as addresses, Client(addresses.grpc) as client:
        client.wait_until_available(60)
    with pytest.raises(StoreError, match=addresses.grpc), Client(addresses.grpc, timeout=5) as client:
        client.status()


def _with_warmup(folder, inputs):
    from serving.warmup import write_warmup

    write_warmup(folder, "nids", [inputs])


def test_warm_up_requests_run_before_a_version_is_available(base, served, publish, small_model):
    import tensorflow as tf

    folder = publish(small_model, base.parent / "elsewhere", 1)
    _with_warmup(folder, {name: tf.constant(values) for name, values in _FLOW.items()})
    base.mkdir()
    folder.rename(base / "1")
    with served(base) as addresses, Client(addresses.grpc) as client:
        assert client.wait_until_available(60) == 1


@pytest.mark.parametrize("damage", ["wrong input", "no records"])
def test_a_version_whose_warm_up_fails_is_not_served(base, served, publish, small_model, damage):
    folder = publish(small_model, base.parent / "elsewhere", 1)
    _with_warmup(folder, {"duration": np.float32([1])})
    if damage == "no records":
        (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"not a TFRecord file")
    base.mkdir()
    folder.rename(base / "1")
    with served(base) as addresses, Client(addresses.grpc) as client:
        status = _wait(client, 1, State.END)
        assert status.code is (Code.INVALID_ARGUMENT if damage == "wrong input" else Code.DATA_LOSS)
    with served(base, enable_model_warmup=False) as addresses, Client(addresses.grpc) as client:
        assert client.wait_until_available(60) == 1


def test_a_client_checks_columns_before_it_asks(server):
    with Client(server.grpc) as client, pytest.raises(InputError, match=r"Missing but required: \{bytes\}"):
        client.predict({name: values for name, values in _FLOW.items() if name != "bytes"})
