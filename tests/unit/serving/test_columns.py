"""Columns as callers have them: what is cast, and what is refused by input and row."""

import numpy as np
import polars as pl
import pytest

from nids.errors import InputError
from serving import wire
from serving.columns import as_inputs, first_example
from serving.signature import Signature, TensorSpec
from serving.tensors import from_array

_SIGNATURE = Signature(
    "serving_default",
    {
        "bytes": TensorSpec("bytes", "bytes:0", 9, (-1,)),
        "duration": TensorSpec("duration", "duration:0", 1, (-1,)),
        "protocol": TensorSpec("protocol", "protocol:0", 7, (-1,)),
    },
    {},
    {},
)


def test_a_frame_gives_the_inputs_in_their_types_and_nothing_else():
    frame = pl.DataFrame(
        {"protocol": pl.Series(["tcp"], dtype=pl.Categorical), "bytes": [1.0], "duration": [2], "label": ["x"]}
    ).with_columns(pl.col("bytes").cast(pl.Int32))

    inputs = as_inputs(_SIGNATURE, frame)

    assert set(inputs) == {"bytes", "duration", "protocol"}
    assert (inputs["bytes"].dtype, inputs["duration"].dtype) == (np.int64, np.float32)
    assert inputs["protocol"].tolist() == ["tcp"]


@pytest.mark.parametrize("name", ["bytes", "duration", "protocol"])
def test_a_null_of_a_frame_is_named_by_input_and_row(name):
    frame = pl.DataFrame({"bytes": [1, 2], "duration": [1.0, 2.0], "protocol": ["tcp", "udp"]})
    frame = frame.with_columns(pl.Series(name, [frame[name][0], None], dtype=frame[name].dtype))

    with pytest.raises(InputError, match=f'^Input "{name}": Expected a value. Received: null in row 2$'):
        as_inputs(_SIGNATURE, frame)


@pytest.mark.parametrize("name", ["bytes", "duration"])
def test_a_none_among_numbers_is_named_by_input_and_row(name):
    with pytest.raises(InputError, match=rf'^Input "{name}": Expected \w+ of shape \[\?\]. Received: None in row 2$'):
        as_inputs(_SIGNATURE, {name: np.array([1, None], object)})


def test_python_numbers_are_numbers():
    inputs = as_inputs(_SIGNATURE, {"bytes": np.array([1, 2], object), "duration": np.array([1, 2.5], object)})

    assert (inputs["bytes"].dtype, inputs["duration"].tolist()) == (np.int64, [1.0, 2.5])


@pytest.mark.parametrize("value", [None, "\ud800", 3])
def test_what_is_no_text_is_named_by_row(value):
    with pytest.raises(InputError, match=r"^Expected text\. Received: .* in row 2$"):
        from_array(np.array(["tcp", value], object), wire.TensorProto(), content=True)


def test_the_first_flow_becomes_an_example():
    columns = {"bytes": np.array([5, 6]), "duration": np.array([0.5, 1]), "protocol": np.array(["tcp", "udp"], object)}

    features = wire.Example.FromString(first_example(_SIGNATURE, columns)).features.feature

    assert list(features["bytes"].int64_list.value) == [5]
    assert list(features["duration"].float_list.value) == [0.5]
    assert list(features["protocol"].bytes_list.value) == [b"tcp"]
