"""The REST API of the embedded server, over a socket, as `g3doc/api_rest.md` of TensorFlow Serving describes it."""

import http.client
import json
import socket

import numpy as np
import pytest

_MODEL = "/v1/models/nids"
_ROW = {"duration": 1.0, "bytes": 1, "protocol": "tcp"}


@pytest.fixture
def ask(server):
    host, port = server.rest.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def ask(path, body=None, method=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method or ("GET" if body is None else "POST"), path, data)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None

    yield ask
    connection.close()


def test_status_has_the_documented_form(ask):
    assert ask(_MODEL) == (
        200,
        {
            "model_version_status": [
                {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
    )
    assert ask(f"{_MODEL}/versions/7") == ask(_MODEL)


@pytest.mark.parametrize("path", [f"{_MODEL}/metadata", f"{_MODEL}/versions/7/metadata", "/V1/MODELS/nids/METADATA"])
def test_metadata_has_the_documented_form(ask, path):
    status, body = ask(path)

    assert status == 200
    assert body["model_spec"] == {"name": "nids", "signature_name": "", "version": "7"}
    default = body["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["inputs"]["bytes"] == {
        "dtype": "DT_INT64",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "serving_default_bytes:0",
    }


def test_rows_are_answered_by_rows_and_columns_by_columns(ask):
    rows = ask(f"{_MODEL}:predict", {"instances": [_ROW, _ROW | {"bytes": 100}]})
    columns = ask(
        f"{_MODEL}/versions/7:predict",
        {"inputs": {"duration": [1.0, 1.0], "bytes": [1, 100], "protocol": ["tcp", {"b64": "dGNw"}]}},
    )

    assert (rows[0], columns[0]) == (200, 200)
    assert [row["label"] for row in rows[1]["predictions"]] == columns[1]["outputs"]["label"] == ["normal", "attack"]
    assert [row["class_id"] for row in rows[1]["predictions"]] == columns[1]["outputs"]["class_id"] == [0, 1]
    np.testing.assert_allclose(
        columns[1]["outputs"]["probabilities"][0], [1 - 1 / (1 + np.exp(7)), 1 / (1 + np.exp(7))]
    )


def test_a_single_output_has_no_name(ask):
    assert ask(f"{_MODEL}:predict", {"signature_name": "half", "instances": [1.0, 3]}) == (
        200,
        {"predictions": [0.5, 1.5]},
    )
    assert ask(f"{_MODEL}:predict", {"signature_name": "half", "inputs": {"x": [1]}}) == (200, {"outputs": [0.5]})


def test_nan_and_infinity_pass_both_ways(ask):
    status, body = ask(f"{_MODEL}:predict", b'{"signature_name": "half", "instances": [NaN, Infinity, -Infinity]}')

    assert status == 200
    np.testing.assert_array_equal(body["predictions"], [np.nan, np.inf, -np.inf])


def test_a_body_of_megabytes_is_no_special_case(ask):
    n = 400_000
    status, body = ask(f"{_MODEL}:predict", {"signature_name": "half", "instances": [0.25] * n})

    assert status == 200
    assert body["predictions"] == [0.125] * n


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/models/half:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(half)"),
        (f"{_MODEL}/versions/3:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(nids, 3)"),
        (f"{_MODEL}/labels/stable:predict", {"instances": [1]}, 400, "Unrecognized servable version label: stable"),
        (f"{_MODEL}/versions/{2**63}:predict", {"instances": [1]}, 400, "Failed to convert version"),
        (f"{_MODEL}/versions/3", None, 404, "Could not find version 3 of model nids"),
        ("/v1/models/no", None, 404, "Could not find any versions of model no"),
        ("/v1/models/no/metadata", None, 404, "Servable not found for request: Latest(no)"),
        ("/v1/models/a%20b/metadata", None, 404, "Servable not found for request: Latest(a b)"),
        ("/v1/models", None, 400, "Missing model name in request."),
        ("/v1/nonsense", None, 400, "Malformed request: GET /v1/nonsense"),
        (f"{_MODEL}:explain", {"instances": [1]}, 400, "Malformed request: POST /v1/models/nids:explain"),
        (f"{_MODEL}:classify", {"examples": [1]}, 501, "classify is not supported"),
        (f"{_MODEL}:predict", b"", 400, "JSON Parse error: The document is empty"),
        (f"{_MODEL}:predict", b"\xff\x00", 400, "JSON Parse error"),
        (
            f"{_MODEL}:predict",
            {"instances": [[1], [2, 3]], "signature_name": "half"},
            400,
            "Expecting shape [1] but got: [2]",
        ),
        (f"{_MODEL}:predict", {"signature_name": "no"}, 400, 'Serving signature name: "no" not found in signature def'),
        (f"{_MODEL}:predict", {"instances": [_ROW | {"bytes": "1"}]}, 400, "key: bytes of 'instances' list"),
        (f"{_MODEL}:predict", {"instances": [{"bytes": 1}]}, 400, "keys must be equal to: bytes,duration,protocol"),
        (f"{_MODEL}:predict", {"instances": [_ROW | {"x": 1}]}, 400, "does not have named input: x"),
        (f"{_MODEL}:predict", {"instances": [[5.0]], "signature_name": "half"}, 400, 'Input "x": Expected float'),
        (f"{_MODEL}:predict", {"instances": [5.0], "signature_name": "picky"}, 400, "x is too large"),
    ],
)
def test_an_error_is_one_json_object_with_tensorflow_servings_status(ask, path, body, status, words):
    answered, answer = ask(path, body)

    assert answered == status
    assert list(answer) == ["error"]
    assert words in answer["error"]


def test_other_methods_are_malformed_and_other_paths_are_not_found(ask):
    assert ask(_MODEL, method="DELETE")[0] == 400
    assert ask(f"{_MODEL}:predict", method="GET")[0] == 400
    assert ask("/", method="GET") == (404, None)


def test_a_body_cut_off_and_noise_do_not_end_the_server(server, ask):
    host, port = server.rest.rsplit(":", 1)
    for noise in (b"POST /v1/models/nids:predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{", b"\x00\xff" * 100):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(noise)

    assert ask(_MODEL)[0] == 200
