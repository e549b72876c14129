"""The client, and `nids predict`, against the embedded server."""

import socket
import threading

import numpy as np
import polars as pl
import pytest

from nids.errors import InputError, NotFoundError, StoreError
from serving.client import Client, predict_file

_FRAME = pl.DataFrame(
    {
        "label": ["ignored"] * 3,
        "protocol": ["tcp", "udp", "new"],
        "duration": [0.5, 100.0, 3.0],
        "bytes": [1, 2, 3],
    }
)


@pytest.fixture(scope="module")
def client(server):
    with Client(server.grpc) as client:
        yield client


def test_metadata_names_inputs_and_types(client):
    assert client.metadata().version == 7
    assert client.metadata().dtypes == {"bytes": "int64", "duration": "float", "protocol": "string"}


def test_frames_and_columns_get_the_same_scores(client):
    frame = client.predict(_FRAME)
    columns = client.predict(
        {
            "protocol": np.array([b"tcp", b"udp", b"new"], object),
            "duration": np.array([0.5, 100, 3]),
            "bytes": np.array([1, 2, 3], np.int32),
        }
    )

    assert frame.labels.tolist() == columns.labels.tolist() == ["normal", "attack", "normal"]
    assert frame.class_ids.tolist() == [0, 1, 0]
    assert frame.probabilities.shape == (3, 2)
    assert frame.version == 7
    np.testing.assert_array_equal(frame.probabilities, columns.probabilities)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bytes": [0.5, 1.0, 2.0]}, 'Input "bytes": Expected int64'),
        ({"duration": ["a", "b", "c"]}, 'Input "duration": Expected float'),
        ({"protocol": [1, 2, 3]}, 'Input "protocol": Expected string'),
    ],
)
def test_a_column_of_another_type_is_named_before_anything_is_sent(client, change, words):
    with pytest.raises(InputError, match=words):
        client.predict(_FRAME.with_columns(**{name: pl.Series(values) for name, values in change.items()}))


def test_the_classify_signature_gives_the_class_names(client):
    columns = {name: _FRAME[name].to_numpy() for name in ("protocol", "duration", "bytes")}

    assert client.class_names(columns) == ["normal", "attack"]


def test_an_unknown_model_is_not_found(server):
    with Client(server.grpc, model="other") as client, pytest.raises(NotFoundError, match=r"Latest\(other\)"):
        client.predict(_FRAME)


def test_a_server_that_is_not_there_is_named():
    with Client("127.0.0.1:9", timeout=5) as client, pytest.raises(StoreError, match=r"a server at 127\.0\.0\.1:9"):
        client.status()


def test_a_deadline_ends_a_call_and_the_server_lives_on(server):
    with Client(server.grpc, timeout=0.2) as client, pytest.raises(StoreError, match=r"within 0\.2 s"):
        client._connection.predict({"seconds": np.float32(1)}, "slow")
    with Client(server.grpc) as client:
        assert client.predict(_FRAME).version == 7


@pytest.mark.parametrize("address", ["localhost", ":8500", "localhost:grpc", ""])
def test_an_address_without_host_or_port_is_refused(address):
    with pytest.raises(InputError, match="Expected HOST:PORT"):
        Client(address)


def test_waiting_for_a_version_that_never_comes_ends_and_says_why(client):
    with pytest.raises(StoreError, match=r"model nids .* within 0.3 s. Received: .*version 8"):
        client.wait_until_available(0.3, version=8)


@pytest.fixture
def silent():
    """Address of a port that accepts and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_waiting_for_a_server_that_never_answers_asks_no_longer_than_it_waits(silent):
    with Client(silent, timeout=3600) as client, pytest.raises(StoreError, match=r"an answer from .* within 0\.\d+ s"):
        client.wait_until_available(0.5)


def test_a_proxy_is_not_asked_for_this_machine(server, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:9")

    with Client(server.grpc, timeout=10) as client:
        assert client.status()[0].version == 7


@pytest.mark.parametrize(
    ("protocol", "words"), [(None, "null"), ("\ud800", r"'\\ud800'")], ids=["null", "half a character"]
)
def test_a_category_that_is_no_text_is_named_with_its_row(client, protocol, words):
    columns = {name: _FRAME[name].to_numpy() for name in ("duration", "bytes")}
    columns["protocol"] = np.array(["tcp", "udp", protocol], object)

    with pytest.raises(InputError, match=rf'Input "protocol": .* Received: ({words}|None) in row 3'):
        client.predict(columns)


def test_many_threads_share_a_client(client):
    results = []
    frames = [_FRAME.with_columns(bytes=pl.lit(i, pl.Int64)) for i in range(16)]
    threads = [threading.Thread(target=lambda f=f: results.append(client.predict(f).version)) for f in frames]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [7] * 16


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("batch_size", [1, 2, 1024])
def test_a_file_is_scored_row_by_row(server, client, tmp_path, kind, batch_size):
    flows, scores = tmp_path / f"flows.{kind}", tmp_path / f"scores.{kind}"
    _FRAME.write_csv(flows) if kind == "csv" else _FRAME.write_parquet(flows)

    done = predict_file(flows, server.grpc, output=scores, batch_size=batch_size)

    assert (done.flows, done.labels, done.versions) == (3, {"normal": 2, "attack": 1}, (7,))
    read = pl.read_csv(scores) if kind == "csv" else pl.read_parquet(scores)
    assert read.columns == ["row", "label", "probability_normal", "probability_attack", "version"]
    assert read["row"].to_list() == [1, 2, 3]
    expected = client.predict(_FRAME)
    assert read["label"].to_list() == expected.labels.tolist()
    np.testing.assert_allclose(read.select(r"^probability_.*$").to_numpy(), expected.probabilities, rtol=1e-6)


def test_scores_go_to_standard_output_where_no_file_is_named(server, tmp_path, capsys):
    _FRAME.write_csv(tmp_path / "flows.csv")

    predict_file(tmp_path / "flows.csv", server.grpc)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "row,label,probability_normal,probability_attack,version"
    assert [line.split(",")[1] for line in lines[1:]] == ["normal", "attack", "normal"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop("bytes"), "Missing: bytes"),
        (lambda frame: frame.with_columns(bytes=pl.Series(["1", "two", "3"])), "column bytes, row 2"),
    ],
)
def test_a_bad_file_leaves_no_output(server, tmp_path, change, words):
    change(_FRAME).write_csv(tmp_path / "flows.csv")

    with pytest.raises(InputError, match=words):
        predict_file(tmp_path / "flows.csv", server.grpc, output=tmp_path / "scores.csv", batch_size=1)

    assert not (tmp_path / "scores.csv").exists()


def test_flags_that_cannot_be_are_refused_before_the_server_is_asked(tmp_path):
    with pytest.raises(InputError, match="--batch-size"):
        predict_file(tmp_path / "flows.csv", "127.0.0.1:9", batch_size=0)
    with pytest.raises(InputError, match="ends in"):
        predict_file(tmp_path / "flows.csv", "127.0.0.1:9", output=tmp_path / "scores.txt")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9"):
        predict_file(tmp_path / "flows.csv", "127.0.0.1:9", timeout=5)
