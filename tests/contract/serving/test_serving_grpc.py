"""TensorFlow Serving's own stubs against the embedded server, over a socket."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

_FLOWS = {
    "duration": np.array([1.0, 2.0], np.float32),
    "bytes": np.array([1, 100]),
    "protocol": np.array([b"tcp", b"udp"], object),
}


@pytest.fixture(scope="module")
def channel(server):
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.grpc, options=unlimited) as channel:
        yield channel


@pytest.fixture(scope="module")
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def _request(inputs=_FLOWS, name="nids", version=None, signature="", **fields):
    request = predict_pb2.PredictRequest(**fields)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for alias, array in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(array))
    return request


def _refused(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=20)
    return caught.value.code(), caught.value.details()


def test_predict_answers_named_outputs_version_and_signature(prediction):
    response = prediction.Predict(_request(), timeout=20)

    assert (response.model_spec.name, response.model_spec.version.value) == ("nids", 7)
    assert response.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(response.outputs["label"]).tolist() == [b"normal", b"attack"]
    assert tf.make_ndarray(response.outputs["class_id"]).tolist() == [0, 1]
    probabilities = tf.make_ndarray(response.outputs["probabilities"])
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[:, 1], [1 / (1 + np.exp(7)), 1.0], rtol=1e-5)


def test_outputs_lie_in_the_value_fields_where_clients_look(prediction):
    outputs = prediction.Predict(_request(), timeout=20).outputs

    assert len(outputs["probabilities"].float_val) == 4
    assert list(outputs["class_id"].int64_val) == [0, 1]
    assert list(outputs["label"].string_val) == [b"normal", b"attack"]


def test_the_answer_equals_the_model_called_in_process(prediction, small_model):
    rng = np.random.default_rng(0)
    flows = {
        "duration": rng.uniform(0, 20, 500).astype(np.float32),
        "bytes": rng.integers(0, 20, 500),
        "protocol": rng.choice([b"tcp", b"udp", b"sctp"], 500).astype(object),
    }
    direct = tf.saved_model.load(str(small_model)).signatures["serving_default"](
        **{name: tf.constant(values) for name, values in flows.items()}
    )

    response = prediction.Predict(_request(flows), timeout=20)

    for name, expected in direct.items():
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs[name]), expected.numpy())


def test_a_filter_returns_only_what_it_names(prediction):
    assert set(prediction.Predict(_request(output_filter=["label"]), timeout=20).outputs) == {"label"}


def test_another_signature_and_an_explicit_version_can_be_asked(prediction):
    response = prediction.Predict(_request({"x": np.float32([3])}, signature="half", version=7), timeout=20)

    assert tf.make_ndarray(response.outputs["y"]).tolist() == [1.5]


def test_an_unknown_category_is_scored_through_the_unknown_slot(prediction):
    response = prediction.Predict(_request(_FLOWS | {"protocol": np.array([b"new", b""], object)}), timeout=20)

    assert tf.make_ndarray(response.outputs["label"]).tolist() == [b"normal", b"attack"]


def test_an_empty_batch_is_answered_by_an_empty_batch(prediction):
    response = prediction.Predict(_request({name: values[:0] for name, values in _FLOWS.items()}), timeout=20)

    assert tf.make_ndarray(response.outputs["probabilities"]).shape == (0, 2)


def test_a_batch_of_many_megabytes_is_no_special_case(prediction):
    n = 600_000
    response = prediction.Predict(_request({"x": np.ones(n * 4, np.float32)}, signature="half"), timeout=60)

    assert len(response.outputs["y"].float_val) == n * 4


_INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (_request(name="other"), grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(other)"),
        (_request(version=3), grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(nids, 3)"),
        (_request(signature="no"), grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "no" not found.'),
        (predict_pb2.PredictRequest(), _INVALID, "Missing ModelSpec"),
        (_request(name=""), _INVALID, "ModelSpec has no name specified."),
        (_request({k: v for k, v in _FLOWS.items() if k != "bytes"}), _INVALID, "Missing but required: {bytes}"),
        (_request(_FLOWS | {"extra": np.array([1])}), _INVALID, "Sent extra: {extra}"),
        (
            _request(_FLOWS | {"duration": np.array(["1", "2"])}),
            _INVALID,
            'Input "duration": Expected float of shape [?]. Received: string of shape [2]',
        ),
        (_request(_FLOWS | {"duration": np.array([1.0, 2.0])}), _INVALID, "Received: double of shape [2]"),
        (_request(_FLOWS | {"bytes": np.array([[1], [2]])}), _INVALID, 'Input "bytes": Expected int64 of shape [?]'),
        (_request(_FLOWS | {"bytes": np.array([1, 2, 3])}), _INVALID, "'bytes': 3, 'duration': 2, 'protocol': 2"),
        (_request(output_filter=["no"]), _INVALID, "output tensor alias not found in signature: no"),
        (_request({"x": np.float32([5])}, signature="picky"), _INVALID, "x is too large"),
        (_request({"inputs": np.array([b"no example"])}, signature="classify"), _INVALID, "Could not parse"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why_and_the_server_lives_on(prediction, request_, code, words):
    refused, details = _refused(prediction.Predict, request_)

    assert refused is code
    assert words in details
    assert prediction.Predict(_request(), timeout=20).model_spec.version.value == 7


def test_a_label_is_not_known_yet(prediction):
    request = _request()
    request.model_spec.version_label = "stable"

    assert _refused(prediction.Predict, request) == (_INVALID, "Unrecognized servable version label: stable")


def test_bytes_that_are_no_request_do_not_end_the_server(channel, prediction):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    code, _ = _refused(call, b"\xff" * 100)

    assert code is grpc.StatusCode.INTERNAL
    assert prediction.Predict(_request(), timeout=20).model_spec.version.value == 7


def test_an_error_longer_than_a_header_may_be_still_arrives(prediction):
    inputs = {f"feature-with-a-long-name-{i}": np.array([1]) for i in range(2000)}

    code, details = _refused(prediction.Predict, _request(inputs))

    assert code is _INVALID
    assert details.startswith("input size does not match signature: 2000!=3")


@pytest.mark.parametrize("name", ["日" * 3000, "%" * 3000, "\n" * 3000, "ü" * 3000])
def test_an_error_whose_characters_grow_in_a_header_still_arrives(prediction, name):
    code, details = _refused(prediction.Predict, _request({**_FLOWS, name: np.array([1])}))

    assert code is _INVALID
    assert details.startswith("input size does not match signature: 4!=3")
    assert name[:100] in details


def test_a_failed_check_of_the_graph_is_answered_by_its_sentence_alone(prediction):
    request = _request({"x": np.array([3], np.float32)}, signature="picky")

    assert _refused(prediction.Predict, request) == (_INVALID, "x is too large")


def test_bytes_that_are_no_text_are_refused_though_tensorflow_quotes_them(prediction):
    code, details = _refused(
        prediction.Predict, _request({"inputs": np.array([b"\xff"], object)}, signature="classify")
    )

    assert code is _INVALID
    assert details == r"Could not parse example input, value: '\xff'"


def test_a_few_bytes_that_declare_a_huge_shape_are_refused_and_not_expanded(prediction):
    request = _request()
    request.inputs["duration"].tensor_content = b""
    request.inputs["duration"].float_val.append(1)
    request.inputs["duration"].tensor_shape.dim[0].size = 2**27

    code, details = _refused(prediction.Predict, request)

    assert code is _INVALID
    assert details.startswith("tensor parsing error: duration. Expected values that fill the shape")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Classify", classification_pb2.ClassificationRequest()),
        ("Regress", regression_pb2.RegressionRequest()),
        ("MultiInference", inference_pb2.MultiInferenceRequest()),
    ],
)
def test_what_is_not_offered_is_unimplemented_by_name(prediction, method, request_):
    code, details = _refused(getattr(prediction, method), request_)

    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert details.startswith(f"{method} is not supported")


def test_reloading_the_configuration_is_unimplemented(models):
    code, _ = _refused(models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest())

    assert code is grpc.StatusCode.UNIMPLEMENTED


def test_metadata_is_the_signature_map_of_the_version(prediction, small_model):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "nids"

    response = prediction.GetModelMetadata(request, timeout=20)

    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 7
    assert {"serving_default", "classify", "half"} <= set(signatures.signature_def)
    default = signatures.signature_def["serving_default"]
    assert {alias: info.dtype for alias, info in default.inputs.items()} == {
        "duration": tf.float32.as_datatype_enum,
        "bytes": tf.int64.as_datatype_enum,
        "protocol": tf.string.as_datatype_enum,
    }
    assert set(default.outputs) == {"probabilities", "class_id", "label"}


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({}, _INVALID, "Missing ModelSpec"),
        ({"model_spec": {"name": "nids"}}, _INVALID, "must specify at least one metadata_field"),
        ({"model_spec": {"name": "nids"}, "metadata_field": ["x"]}, _INVALID, "Metadata field x is not supported"),
        (
            {"model_spec": {"name": "no"}, "metadata_field": ["signature_def"]},
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(no)",
        ),
    ],
)
def test_metadata_that_cannot_be_had_says_why(prediction, fields, code, words):
    refused, details = _refused(prediction.GetModelMetadata, get_model_metadata_pb2.GetModelMetadataRequest(**fields))

    assert refused is code
    assert words in details


def test_status_lists_the_versions_seen(models):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "nids"

    (status,) = models.GetModelStatus(request, timeout=20).model_version_status

    assert status.version == 7
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        (None, _INVALID, "Missing ModelSpec"),
        ({"name": "no"}, grpc.StatusCode.NOT_FOUND, "Could not find any versions of model no"),
        ({"name": "no", "version": {"value": 1}}, grpc.StatusCode.NOT_FOUND, "Could not find version 1 of model no"),
        (
            {"name": "nids", "version": {"value": 1}},
            grpc.StatusCode.NOT_FOUND,
            "Could not find version 1 of model nids",
        ),
    ],
)
def test_status_that_cannot_be_had_says_why(models, spec, code, words):
    request = get_model_status_pb2.GetModelStatusRequest(**({} if spec is None else {"model_spec": spec}))

    assert _refused(models.GetModelStatus, request) == (code, words)
