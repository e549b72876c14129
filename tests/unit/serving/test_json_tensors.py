import json

import numpy as np
import pytest

from nids.errors import InputError
from serving.json_tensors import to_json, to_tensor
from serving.signature import TensorSpec
from serving.status import UnsupportedError

_NUMBERS = {"float": 1, "double": 2, "int32": 3, "uint8": 4, "string": 7, "int64": 9, "bool": 10, "uint64": 23}


def _spec(kind):
    return TensorSpec("x", "x:0", _NUMBERS[kind], None)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1, "float", np.float32(1)),
        ([1, 2.5], "float", np.array([1, 2.5], np.float32)),
        ([[1], [2]], "int64", np.array([[1], [2]])),
        ([], "int64", np.zeros(0, np.int64)),
        ([[], []], "float", np.zeros((2, 0), np.float32)),
        ([True, False], "bool", np.array([True, False])),
        ([2**64 - 1], "uint64", np.array([2**64 - 1], np.uint64)),
        ([float("nan"), float("inf"), float("-inf")], "float", np.array([np.nan, np.inf, -np.inf], np.float32)),
        ([1e300], "float", np.array([np.inf], np.float32)),
    ],
)
def test_numbers_become_arrays_of_the_inputs_type(value, kind, expected):
    array = to_tensor(value, _spec(kind))

    np.testing.assert_array_equal(array, expected)
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape


def test_strings_may_be_text_or_base64():
    array = to_tensor(["ü", {"b64": "AP8="}, {"b64": "AP8"}, {"b64": ""}], _spec("string"))

    assert array.tolist() == ["ü".encode(), b"\x00\xff", b"\x00\xff", b""]


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (["1"], "float", '"1" Type: String is not of expected type: float'),
        ([1, True], "float", "true Type: True is not of expected type: float"),
        ([1, None], "int64", "null Type: Null is not of expected type: int64"),
        ([1.0], "int64", "1.0 Type: Number is not of expected type: int64"),
        ([2**63], "int64", "9223372036854775808 Type: Number is not of expected type: int64"),
        ([-1], "uint64", "-1 Type: Number is not of expected type: uint64"),
        ([300], "uint8", "300 Type: Number is not of expected type: uint8"),
        ([0, 1], "bool", "0 Type: Number is not of expected type: bool"),
        ([5], "string", "5 Type: Number is not of expected type: string"),
        ([{"b64": "AP8="}], "float", "Type: Object is not of expected type: float"),
        ([{"b65": "x"}], "string", "not formatted correctly for base64 data"),
        ([{"b64": "?"}], "string", "Unable to base64 decode"),
        (["\ud800"], "string", "surrogate"),
        ([[1, 2], [3]], "float", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        ([[1], 2], "float", "found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ([1, [2]], "float", "Encountered list at unexpected level: 1 expected < 1"),
    ],
)
def test_a_value_that_does_not_fit_is_shown(value, kind, words):
    with pytest.raises(InputError) as caught:
        to_tensor(value, _spec(kind))
    assert words in str(caught.value)


def test_a_huge_value_is_shown_in_part():
    with pytest.raises(InputError) as caught:
        to_tensor(["x" * 10_000_000], _spec("float"))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("number", [8, 19, 20])
def test_a_type_without_a_json_form_is_unsupported(number):
    with pytest.raises(UnsupportedError):
        to_tensor([1], TensorSpec("x", "x:0", number, None))


def test_floats_are_written_as_short_as_they_are():
    assert json.dumps(to_json(np.array([0.2, 1, 1e-7, np.nan, np.inf], np.float32), "x")) == (
        "[0.2, 1.0, 1e-07, NaN, Infinity]"
    )


def test_every_float_survives_the_way_through_json():
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    floats = bits.view(np.float32)
    floats = floats[np.isfinite(floats)]

    read = np.array(json.loads(json.dumps(to_json(floats, "x"))), np.float32)

    np.testing.assert_array_equal(read, floats)


def test_strings_are_bytes_where_the_name_says_so():
    array = np.array([[b"\x00\xff"]], object)

    assert to_json(array, "image_bytes") == [[{"b64": "AP8="}]]
    assert to_json(array, "image")[0][0].encode("utf-8", "surrogateescape") == b"\x00\xff"
    assert to_json(np.array(b"x", object), "scalar") == "x"


def test_a_complex_output_is_unsupported():
    with pytest.raises(UnsupportedError):
        to_json(np.zeros(1, np.complex64), "x")
