"""Columns of flows, as callers have them, as the inputs of a signature. Needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from nids.errors import InputError
from serving import wire
from serving.signature import Signature, TensorSpec
from serving.tensors import BY_NUMBER, STRING, Array


def as_inputs(signature: Signature, columns: Mapping[str, Array] | pl.DataFrame) -> dict[str, Array]:
    """Arrays of shape (n,) by name, in the types of the signature where no value changes beyond rounding.

    Of a frame, those columns that are inputs. What does not fit is left for `check_inputs` to name.

    Raises:
        InputError: a value is missing; the input and the row, from 1, are named.
    """
    if isinstance(columns, pl.DataFrame):
        names = [name for name in signature.inputs if name in columns.columns]
        columns = {name: _filled(columns[name]).to_numpy() for name in names}
    return {name: _cast(signature.inputs.get(name), values) for name, values in columns.items()}


def _filled(column: pl.Series) -> pl.Series:
    nulls = column.is_null().arg_true()
    if len(nulls):
        raise InputError(f'Input "{column.name}": Expected a value. Received: null in row {nulls[0] + 1}')
    return column


def _cast(spec: TensorSpec | None, values: Array) -> Array:
    """Values in the type of an input; left as they are, for the check to name them, where that would change them."""
    array = np.asarray(values)
    kind = BY_NUMBER.get(spec.dtype) if spec else None
    if spec and kind is not STRING and array.dtype == np.object_:
        array = _numbers(spec, array)
    if kind is None or array.dtype == kind.numpy:
        return array
    if kind is STRING or array.dtype.kind not in "iuf" or kind.numpy.kind not in "iuf":
        return array
    if array.dtype.kind == "f" and kind.numpy.kind != "f":
        return array
    cast = array.astype(kind.numpy)
    return cast if kind.numpy.kind == "f" or np.array_equal(cast, array) else array


def _numbers(spec: TensorSpec, array: Array) -> Array:
    """Python numbers as an array of numbers."""
    for row, value in enumerate(array.ravel().tolist(), start=1):
        if not isinstance(value, int | float):
            raise InputError(f'Input "{spec.alias}": Expected {spec.text}. Received: {value!r} in row {row}')
    return np.array(array.tolist())


def first_example(signature: Signature, columns: Mapping[str, Array]) -> bytes:
    """The first flow as a serialized tf.Example, of the inputs that `columns` has."""
    example = wire.Example()
    for name in (name for name in signature.inputs if name in columns):
        feature = example.features.feature[name]
        value = np.asarray(columns[name]).ravel()[0]
        if isinstance(value, bytes | str):
            feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
        elif np.issubdtype(type(value), np.floating):
            feature.float_list.value.append(float(value))
        else:
            feature.int64_list.value.append(int(value))
    return bytes(example.SerializeToString(deterministic=True))
