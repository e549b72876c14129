"""The released model behind the embedded server, asked with TensorFlow Serving's own stubs as a stranger would."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import polars as pl
import pytest
from conftest import Ran, nids

from nids import artifacts
from serving.server import running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flows(approved: Ran) -> pl.DataFrame:
    frame = artifacts.load_split(approved.artifact("preprocessing", "test")).flows
    assert frame is not None
    return frame.head(40)


@pytest.fixture(scope="module")
def server(approved: Ran):
    with running_server("nids", approved.store / "nids", version=1) as running:
        yield running


def ask(server, columns: dict):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "nids"
    for name, values in columns.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    with grpc.insecure_channel(server.grpc_address) as channel:
        return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)


def columns_of(flows: pl.DataFrame, approved: Ran) -> dict:
    features = artifacts.ModelFiles(approved.artifact("training", "model")).info().features
    return {name: flows[name].to_numpy() for name in features}


def test_raw_flows_by_name_give_probabilities_class_ids_and_labels(server, flows, approved) -> None:
    import tensorflow as tf

    answer = ask(server, columns_of(flows, approved))
    outputs = {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}
    assert set(outputs) == {"probabilities", "class_id", "label"}
    assert outputs["probabilities"].shape == (40, 7)
    assert (outputs["probabilities"].argmax(axis=1) == outputs["class_id"]).all()
    assert answer.model_spec.version.value == 1


def test_served_scores_are_those_of_the_evaluation(server, flows, approved) -> None:
    import numpy as np
    import tensorflow as tf

    offline = artifacts.load_predictions(approved.artifact("evaluation", "evaluation")).drop("label").head(40)
    served = tf.make_ndarray(ask(server, columns_of(flows, approved)).outputs["probabilities"])
    np.testing.assert_allclose(served, offline.to_numpy(), atol=1e-5)


def test_a_category_never_seen_is_scored_through_the_unknown_slot(server, flows, approved) -> None:
    columns = columns_of(flows.with_columns(service=pl.lit("gopher")), approved)
    assert "service" in columns
    assert ask(server, columns).outputs["label"].tensor_shape.dim[0].size == 40


@pytest.mark.parametrize("trouble", ["missing", "dtype", "nan"])
def test_a_bad_feature_is_refused_by_name_and_the_server_lives_on(server, flows, approved, trouble: str) -> None:
    columns = columns_of(flows, approved)
    good = dict(columns)
    if trouble == "missing":
        del columns["duration"]
    elif trouble == "dtype":
        columns["duration"] = ["long"] * 40
    else:
        columns["duration"] = columns["duration"].copy()
        columns["duration"][3] = float("nan")
    with pytest.raises(grpc.RpcError) as caught:
        ask(server, columns)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "duration" in caught.value.details()
    assert ask(server, good).model_spec.version.value == 1


def test_rest_answers_the_same_rows(server, flows, approved) -> None:
    rows = [{name: row[name] for name in columns_of(flows, approved)} for row in flows.head(3).iter_rows(named=True)]
    request = urllib.request.Request(
        f"http://{server.rest_address}/v1/models/nids:predict", json.dumps({"instances": rows}).encode()
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        predictions = json.load(response)["predictions"]
    assert [set(each) for each in predictions] == [{"probabilities", "class_id", "label"}] * 3


def test_predict_scores_a_file_row_by_row(server, flows, tmp_path: Path) -> None:
    flows.write_csv(tmp_path / "flows.csv")
    out = tmp_path / "scores.parquet"
    done = nids(
        "predict", "--input", str(tmp_path / "flows.csv"), "--server", server.grpc_address, "--output", str(out)
    )
    assert done.returncode == 0, done.stderr
    scores = pl.read_parquet(out)
    assert scores.height == 40
    assert {"row", "label", "probability_benign", "probability_syn_flood"} <= set(scores.columns)


def test_the_client_needs_no_tensorflow() -> None:
    code = "import serving.client, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
