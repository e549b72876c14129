"""Our messages are TensorFlow Serving's, byte for byte."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import wire

_SPEC = {"name": "nids", "version": {"value": 3}, "signature_name": "classify"}
_SHAPE = {"dim": [{"size": -1, "name": "batch"}, {"size": 4}]}
_TENSOR = {
    "dtype": 1,
    "tensor_shape": _SHAPE,
    "tensor_content": b"\x00\x01",
    "float_val": [1.5, 2],
    "double_val": [0.1],
    "int_val": [-7, 300],
    "string_val": [b"tcp", b""],
    "scomplex_val": [1, 2],
    "int64_val": [-(2**60)],
    "bool_val": [True, False],
    "dcomplex_val": [3, 4],
    "half_val": [15360],
    "uint32_val": [2**32 - 1],
    "uint64_val": [2**64 - 1],
}
_SIGNATURE = {
    "inputs": {"x": {"name": "x:0", "dtype": 1, "tensor_shape": _SHAPE}},
    "outputs": {"y": {"name": "y:0", "dtype": 7, "tensor_shape": {"unknown_rank": True}}},
    "method_name": "tensorflow/serving/predict",
    "defaults": {"x": _TENSOR},
}
_ANY = {"type_url": "type.googleapis.com/a.B", "value": b"\x08\x01"}
_STATUS = {"version": 2, "state": 30, "status": {"error_code": 3, "error_message": "no"}}

_PAIRS = [
    (
        wire.PredictRequest,
        predict_pb2.PredictRequest,
        {"model_spec": _SPEC, "inputs": {"x": _TENSOR}, "output_filter": ["label"]},
    ),
    (wire.PredictResponse, predict_pb2.PredictResponse, {"model_spec": _SPEC, "outputs": {"y": _TENSOR}}),
    (
        wire.GetModelMetadataRequest,
        get_model_metadata_pb2.GetModelMetadataRequest,
        {"model_spec": _SPEC, "metadata_field": ["signature_def"]},
    ),
    (
        wire.GetModelMetadataResponse,
        get_model_metadata_pb2.GetModelMetadataResponse,
        {"model_spec": _SPEC, "metadata": {"signature_def": _ANY}},
    ),
    (
        wire.SignatureDefMap,
        get_model_metadata_pb2.SignatureDefMap,
        {"signature_def": {"serving_default": _SIGNATURE}},
    ),
    (
        wire.GetModelStatusRequest,
        get_model_status_pb2.GetModelStatusRequest,
        {"model_spec": {"name": "nids", "version_label": "stable"}},
    ),
    (
        wire.GetModelStatusResponse,
        get_model_status_pb2.GetModelStatusResponse,
        {"model_version_status": [_STATUS]},
    ),
    (
        wire.Example,
        tf.train.Example,
        {
            "features": {
                "feature": {
                    "a": {"bytes_list": {"value": [b"x", b"y"]}},
                    "b": {"float_list": {"value": [0.5]}},
                    "c": {"int64_list": {"value": [-1]}},
                }
            }
        },
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "fields"), _PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_the_bytes_are_the_same_in_both_directions(ours, theirs, fields):
    mine, stock = ours(**fields), theirs(**fields)
    data = stock.SerializeToString(deterministic=True)

    assert mine.SerializeToString(deterministic=True) == data
    assert ours.FromString(data) == mine
    assert theirs.FromString(mine.SerializeToString()) == stock


def test_the_method_paths_are_those_of_the_stock_stubs():
    paths = []

    class Channel:
        def unary_unary(self, path, *_, **__):
            paths.append(path)

        stream_stream = unary_unary

    from tensorflow_serving.apis import model_service_pb2_grpc

    prediction_service_pb2_grpc.PredictionServiceStub(Channel())
    model_service_pb2_grpc.ModelServiceStub(Channel())

    assert {wire.PREDICT, wire.GET_MODEL_METADATA, wire.GET_MODEL_STATUS} <= set(paths)


def test_the_client_does_not_import_tensorflow():
    import subprocess
    import sys

    code = "import serving.client, serving.server, sys; sys.exit('tensorflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_half_precision_is_the_same_number_on_both_sides():
    proto = tf.make_tensor_proto(np.array([1.0], np.float16))

    assert wire.TensorProto.FromString(proto.SerializeToString()).half_val[0] == np.float16(1).view(np.uint16)
