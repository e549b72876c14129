import json

import numpy as np
import pytest

from nids.errors import InputError
from serving.json_predict import Form, format_response, parse_request
from serving.signature import Signature, TensorSpec


def _signature(*inputs):
    kinds = {"duration": 1, "bytes": 9, "protocol": 7}
    return Signature("s", {name: TensorSpec(name, f"{name}:0", kinds[name], (-1,)) for name in inputs}, {}, {})


_ONE = _signature("duration")
_TWO = _signature("bytes", "protocol")


def _parse(body, signature=_TWO):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_request(data, lambda _: signature)


def test_rows_and_columns_say_the_same():
    rows = _parse({"instances": [{"bytes": 1, "protocol": "tcp"}, {"protocol": "udp", "bytes": 2}]})
    columns = _parse({"inputs": {"bytes": [1, 2], "protocol": ["tcp", "udp"]}, "signature_name": "other"})

    assert (rows.form, columns.form) == (Form.ROWS, Form.COLUMNS)
    assert (rows.signature_name, columns.signature_name) == ("", "other")
    for request in (rows, columns):
        assert request.inputs["bytes"].tolist() == [1, 2]
        assert request.inputs["protocol"].tolist() == [b"tcp", b"udp"]


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [1, 2]},
        {"inputs": [1, 2]},
        {"inputs": {"duration": [1, 2]}},
        {"instances": [{"duration": 1}, {"duration": 2}]},
    ],
)
def test_a_single_input_needs_no_name(body):
    np.testing.assert_array_equal(_parse(body, _ONE).inputs["duration"], np.array([1, 2], np.float32))


def test_base64_objects_are_values_and_not_rows():
    signature = _signature("protocol")

    assert _parse({"instances": [{"b64": "dGNw"}]}, signature).inputs["protocol"].tolist() == [b"tcp"]
    assert _parse({"inputs": {"b64": "dGNw"}}, signature).inputs["protocol"].tolist() == b"tcp"


def test_nan_is_a_number_and_what_follows_the_document_is_not_read():
    request = _parse(b'\n{"instances": [NaN, -Infinity]} }]', _ONE)

    np.testing.assert_array_equal(request.inputs["duration"], [np.nan, -np.inf])


def test_bytes_that_are_no_utf8_arrive_as_they_are():
    request = _parse(b'{"instances": ["\xff\xfe"]}', _signature("protocol"))

    assert request.inputs["protocol"].tolist() == [b"\xff\xfe"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"  ", "JSON Parse error: The document is empty"),
        (b'{"instances": [1,', "JSON Parse error"),
        (b"\x00\xff", "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b'{"instances": [' + b"1" * 5000 + b"]}", "JSON Parse error"),
        ([1], "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, "expecting only one of 'inputs' or 'instances'"),
        ({"instances": {"bytes": 1}}, "Expecting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [1]}, "instances is a plain list, but expecting list of objects"),
        ({"inputs": [1]}, "inputs is a plain value/list, but expecting an object"),
        ({"inputs": {"bytes": [1]}}, "Missing named input: protocol in 'inputs' object."),
        ({"inputs": {"bytes": ["a"], "protocol": ["b"]}}, "key: bytes"),
        ({"instances": [{"bytes": 1, "protocol": "tcp"}, 5]}, "Expecting object but got list at item 1"),
        ({"instances": [{"bytes": 1}]}, "element: 0 of 'instances' list. JSON object: {"),
        ({"instances": [{"bytes": 1, "protocol": "a", "x": 1}]}, "does not have named input: x"),
        (
            {"instances": [{"bytes": 1, "protocol": "a"}, {"bytes": "b", "protocol": "a"}]},
            "Failed to process element: 1 key: bytes of 'instances' list",
        ),
        (
            {"instances": [{"bytes": [1], "protocol": "a"}, {"bytes": [1, 2], "protocol": "a"}]},
            "Expecting shape [1] but got: [2]",
        ),
        ({"instances": [1], "signature_name": 5}, "'signature_name' key must be a string value."),
    ],
)
def test_a_request_that_cannot_be_read_says_why(body, words):
    with pytest.raises(InputError) as caught:
        _parse(body)
    assert words in str(caught.value)


def test_an_object_among_values_is_named():
    with pytest.raises(InputError, match="Expecting value/list but got object at item 1"):
        _parse({"instances": [1, {"duration": 1}]}, _ONE)


def test_a_signature_without_inputs_cannot_be_asked():
    with pytest.raises(InputError, match="Failed to get input map for signature: DEFAULT"):
        _parse({"instances": [1]}, _signature())


_OUTPUTS = {"label": np.array([b"a", b"b"], object), "scores": np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)}


def test_several_outputs_are_named_and_one_is_not():
    rows = json.loads(format_response(_OUTPUTS, Form.ROWS))
    columns = json.loads(format_response(_OUTPUTS, Form.COLUMNS))

    assert rows == {"predictions": [{"label": "a", "scores": [0.1, 0.9]}, {"label": "b", "scores": [0.5, 0.5]}]}
    assert columns == {"outputs": {"label": ["a", "b"], "scores": [[0.1, 0.9], [0.5, 0.5]]}}
    assert json.loads(format_response({"y": np.array([1, 2])}, Form.ROWS)) == {"predictions": [1, 2]}
    assert json.loads(format_response({"y": np.array(1.0)}, Form.COLUMNS)) == {"outputs": 1.0}


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"a": np.zeros(2), "b": np.zeros(3)}, "Tensor name: b has inconsistent batch size: 3 expecting: 2"),
        ({"a": np.array(1.0)}, "Tensor name: a has no shape information"),
    ],
)
def test_outputs_without_rows_cannot_be_written_as_rows(outputs, words):
    with pytest.raises(InputError, match=words):
        format_response(outputs, Form.ROWS)
