import numpy as np
import pytest

from nids.errors import InputError
from serving.signature import Signature, TensorSpec, batch_sizes, check_inputs, choose_outputs

_SIGNATURE = Signature(
    "serving_default",
    {
        "bytes": TensorSpec("bytes", "bytes:0", 9, (-1,)),
        "image": TensorSpec("image", "image:0", 1, (-1, 2)),
        "protocol": TensorSpec("protocol", "protocol:0", 7, None),
    },
    {name: TensorSpec(name, f"{name}:0", 1, (-1,)) for name in ("label", "scores")},
    {},
)


def _inputs(**changes):
    inputs = {"protocol": np.array([b"tcp"], object), "bytes": np.array([1]), "image": np.zeros((1, 2), np.float32)}
    return {name: array for name, array in (inputs | changes).items() if array is not None}


def test_arrays_come_in_the_order_of_the_signature():
    arrays = check_inputs(_SIGNATURE, _inputs())

    assert [array.dtype.kind for array in arrays] == ["i", "f", "O"]


def test_text_of_numpy_is_a_string_too():
    assert check_inputs(_SIGNATURE, _inputs(protocol=np.array([["tcp"]])))[2].tolist() == [["tcp"]]


def test_missing_and_extra_inputs_are_named_in_tensorflow_servings_words():
    inputs = _inputs(bytes=None, byts=np.array([1]), image=None)

    with pytest.raises(InputError) as caught:
        check_inputs(_SIGNATURE, inputs)

    assert str(caught.value) == (
        "input size does not match signature: 2!=3 len({byts,protocol}) != len({bytes,image,protocol}). "
        "Sent extra: {byts}. Missing but required: {bytes,image}."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bytes": np.array([1.0])}, 'Input "bytes": Expected int64 of shape [?]. Received: double of shape [1]'),
        ({"bytes": np.array([[1]])}, 'Input "bytes": Expected int64 of shape [?]. Received: int64 of shape [1,1]'),
        ({"bytes": np.array(1)}, 'Input "bytes": Expected int64 of shape [?]. Received: int64 of shape []'),
        ({"bytes": np.array(["1"])}, 'Input "bytes": Expected int64 of shape [?]. Received: string of shape [1]'),
        (
            {"image": np.zeros((4, 3), np.float32)},
            'Input "image": Expected float of shape [?,2]. Received: float of shape [4,3]',
        ),
        (
            {"protocol": np.array([6])},
            'Input "protocol": Expected string of shape any rank. Received: int64 of shape [1]',
        ),
        (
            {"bytes": np.array(["2020"], "datetime64[D]")},
            'Input "bytes": Expected int64 of shape [?]. Received: datetime64[D] of shape [1]',
        ),
    ],
)
def test_a_wrong_type_or_shape_names_the_input(changes, message):
    with pytest.raises(InputError) as caught:
        check_inputs(_SIGNATURE, _inputs(**changes))
    assert str(caught.value) == message


def test_a_default_fills_what_a_request_leaves_out():
    signature = Signature(_SIGNATURE.name, _SIGNATURE.inputs, _SIGNATURE.outputs, {"bytes": np.array([5])})

    assert check_inputs(signature, _inputs(bytes=None))[0].tolist() == [5]
    assert check_inputs(signature, _inputs())[0].tolist() == [1]


def test_outputs_are_all_unless_some_are_named():
    assert choose_outputs(_SIGNATURE, []) == ("label", "scores")
    assert choose_outputs(_SIGNATURE, ["scores"]) == ("scores",)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["lable"],
            "output tensor alias not found in signature: lable Outputs expected to be in the set {label,scores}.",
        ),
        (["label", "label"], "duplicate output tensor alias: label"),
    ],
)
def test_an_output_that_cannot_be_had_is_named(names, message):
    with pytest.raises(InputError) as caught:
        choose_outputs(_SIGNATURE, names)
    assert str(caught.value) == message


def test_batch_sizes_are_those_of_open_first_dimensions():
    arrays = check_inputs(_SIGNATURE, _inputs(bytes=np.arange(3)))

    assert batch_sizes(_SIGNATURE, arrays) == {"bytes": 3, "image": 1}
