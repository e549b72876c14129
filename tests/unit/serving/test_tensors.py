import numpy as np
import pytest
import tensorflow as tf

from nids.errors import InputError
from serving import wire
from serving.status import UnsupportedError
from serving.tensors import BY_NUMBER, MAX_REPEATED, STRING, array_bytes, from_array, to_array, to_arrays

_NUMBERS = [kind for kind in BY_NUMBER.values() if kind is not STRING]


def _sample(kind):
    values = np.array([[0, 1, 2], [3, 100, 7]])
    if kind.numpy.kind == "c":
        return (values + 1j * values[::-1]).astype(kind.numpy)
    return values.astype(kind.numpy)


@pytest.mark.parametrize("kind", _NUMBERS, ids=lambda kind: kind.name)
def test_numbers_are_read_as_tensorflow_writes_them(kind):
    array = _sample(kind)

    as_content = to_array(tf.make_tensor_proto(array))
    as_values = wire.TensorProto()
    from_array(array, as_values, content=False)

    np.testing.assert_array_equal(as_content, array)
    assert as_content.dtype == array.dtype
    np.testing.assert_array_equal(to_array(as_values), array)


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("kind", _NUMBERS, ids=lambda kind: kind.name)
def test_tensorflow_reads_what_is_written(kind, content):
    proto = tf.make_tensor_proto(0)
    proto.Clear()
    from_array(_sample(kind), proto, content=content)

    read = tf.make_ndarray(proto)

    np.testing.assert_array_equal(read, _sample(kind))
    assert proto.dtype == tf.as_dtype(kind.numpy).as_datatype_enum == kind.number
    assert bool(proto.tensor_content) is content


@pytest.mark.parametrize("array", [np.array(["tcp", "ü"]), np.array([b"tcp", "ü".encode()], object)])
def test_strings_travel_as_bytes(array):
    proto = wire.TensorProto()
    from_array(array, proto, content=True)

    assert to_array(proto).tolist() == [b"tcp", "ü".encode()]


def test_bytes_of_a_tensor_are_not_copied():
    proto = tf.make_tensor_proto(np.arange(1000.0))

    assert not to_array(proto).flags.owndata


@pytest.mark.parametrize(
    ("values", "expected"), [([], [0, 0, 0]), ([5], [5, 5, 5]), ([5, 6], [5, 6, 6]), ([5, 6, 7], [5, 6, 7])]
)
def test_a_short_list_repeats_its_last_value(values, expected):
    proto = tf.make_tensor_proto(np.zeros(3, np.int64))
    proto.tensor_content = b""
    proto.int64_val.extend(values)

    np.testing.assert_array_equal(to_array(proto), expected)
    np.testing.assert_array_equal(tf.make_ndarray(proto), expected)


def test_an_empty_list_of_strings_is_empty_strings():
    proto = wire.TensorProto(dtype=7, tensor_shape={"dim": [{"size": 2}]})

    assert to_array(proto).tolist() == [b"", b""]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dtype": 1, "tensor_shape": {"dim": [{"size": 1}]}, "float_val": [1, 2]}, "1 values"),
        ({"dtype": 1, "tensor_shape": {"dim": [{"size": 2}]}, "tensor_content": b"abc"}, "8 bytes"),
        ({"dtype": 1, "tensor_shape": {"dim": [{"size": -1}]}}, "full shape"),
        ({"dtype": 1, "tensor_shape": {"unknown_rank": True}}, "full shape"),
        ({"dtype": 1, "tensor_shape": {"dim": [{"size": 0}, {"size": 2**62}]}}, "full shape"),
        ({"dtype": 1, "tensor_shape": {"dim": [{"size": 1}] * 33}, "float_val": [1]}, "32 dimensions"),
    ],
)
def test_a_tensor_that_does_not_add_up_is_refused_by_name(fields, words):
    with pytest.raises(InputError, match=words) as caught:
        to_array(wire.TensorProto(**fields), "duration")
    assert "duration" in str(caught.value)


def _one_value(*shape, dtype=1, field="float_val"):
    value = b"tcp" if dtype == 7 else 1
    return wire.TensorProto(dtype=dtype, tensor_shape={"dim": [{"size": n} for n in shape]}, **{field: [value]})


@pytest.mark.parametrize(
    "protos",
    [
        {"duration": _one_value(2**27)},
        {"duration": _one_value(2**12, 2**13)},
        {"duration": _one_value(2**24, dtype=7, field="string_val")},
        {name: _one_value(2**23) for name in ("bytes", "packets", "duration")},
    ],
)
def test_a_small_request_that_would_take_much_memory_is_refused_before_it_does(protos):
    with pytest.raises(InputError, match=r"duration\. Expected .* 64 MiB to be repeated"):
        to_arrays(protos)


def test_what_is_repeated_and_what_is_sent_count_towards_the_size_but_only_the_first_is_capped():
    sent = wire.TensorProto()
    from_array(np.zeros(MAX_REPEATED // 4 + 1, np.float32), sent, content=True)

    assert array_bytes({"sent": sent, "repeated": _one_value(1000)}) == MAX_REPEATED + 4 + 4000
    assert to_arrays({"repeated": _one_value(1000)})["repeated"].tolist() == [1.0] * 1000


def test_a_type_without_a_counterpart_is_unsupported():
    with pytest.raises(UnsupportedError, match="duration"):
        to_array(wire.TensorProto(dtype=20), "duration")


@pytest.mark.parametrize("array", [np.array(["2020-01-01"], "datetime64[D]"), np.array([1.5, None], object)])
def test_an_array_that_is_no_tensor_is_refused(array):
    with pytest.raises(InputError, match="Expected"):
        from_array(array, wire.TensorProto(), content=True)
