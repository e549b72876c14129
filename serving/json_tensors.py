"""One tensor as JSON and back, by the rules and in the words of TensorFlow Serving's `util/json_tensor.cc`.

Lists become arrays column by column and not value by value; only an error is looked for value by value.
"""

from __future__ import annotations

import base64
import binascii
import json
from itertools import chain
from typing import Any

import numpy as np

from nids.errors import InputError
from serving.signature import TensorSpec
from serving.status import UnsupportedError
from serving.tensors import BY_NUMBER, STRING, Array, DType, dtype_name

_B64 = "b64"
_BYTES_SUFFIX = "_bytes"
_DEBUG_CHARACTERS = 256
_TYPES: dict[str, frozenset[type]] = {
    "f": frozenset({int, float}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "b": frozenset({bool}),
}


def to_tensor(value: Any, spec: TensorSpec) -> Array:
    """A JSON value, nested or not, as an array of the type of `spec`.

    Raises:
        InputError: ragged lists, or a value of another type.
        UnsupportedError: a type that has no JSON form.
    """
    kind = BY_NUMBER.get(spec.dtype)
    if kind is None or kind.numpy.kind == "c" or kind.name == "half":
        raise UnsupportedError(f"Conversion of JSON Value: {debug_text(value)} to type: {dtype_name(spec.dtype)}")
    shape, flat = _flatten(value)
    if kind is STRING:
        array = np.empty(len(flat), dtype=object)
        array[:] = [_to_bytes(leaf) for leaf in flat]
        return array.reshape(shape)
    if not set(map(type, flat)) <= _TYPES[kind.numpy.kind]:
        raise _type_error(next(leaf for leaf in flat if type(leaf) not in _TYPES[kind.numpy.kind]), kind)
    return _numbers(flat, kind).reshape(shape)


def _numbers(flat: list[Any], kind: DType) -> Array:
    try:
        if kind.numpy == np.float32:
            with np.errstate(over="ignore"):
                return np.array(flat, dtype=np.float64).astype(np.float32)
        return np.array(flat, dtype=kind.numpy)
    except OverflowError as error:
        raise _type_error(max(flat, key=abs), kind) from error


def _flatten(value: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and leaves of nested lists, level by level; the first element of each level says what is expected."""
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        size = len(level[0])
        for element in level:
            if not isinstance(element, list):
                raise InputError(
                    f"JSON Value: {debug_text(element)} found at incorrect level: {len(shape) + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape) + _depth(level[0])}"
                )
            if len(element) != size:
                raise InputError(
                    f"Encountered list at unexpected size: {len(element)} at level: {len(shape)} expected size: {size}"
                )
        shape.append(size)
        level = list(chain.from_iterable(level))
    if any(isinstance(leaf, list) for leaf in level):
        raise InputError(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return tuple(shape), level


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return depth


def _to_bytes(leaf: Any) -> bytes:
    if isinstance(leaf, str):
        try:
            return leaf.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise InputError("JSON Parse error: The surrogate pair in string is invalid.") from error
    if isinstance(leaf, dict):
        if not is_base64(leaf):
            raise InputError(f"JSON Value: {debug_text(leaf)} not formatted correctly for base64 data")
        try:
            return base64.b64decode(leaf[_B64] + "=" * (-len(leaf[_B64]) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("Unable to base64 decode") from error
    raise _type_error(leaf, STRING)


def _type_error(value: Any, kind: DType) -> InputError:
    names = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
    name = str(value) if isinstance(value, bool) else names[type(value)]
    return InputError(f"JSON Value: {debug_text(value)} Type: {name} is not of expected type: {kind.name}")


def is_base64(value: Any) -> bool:
    """Whether a JSON value is a string of bytes, `{\"b64\": text}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_B64), str)


def debug_text(value: Any) -> str:
    """The beginning of a value's JSON text."""
    pieces: list[str] = []
    for piece in json.JSONEncoder().iterencode(value):
        pieces.append(piece[:_DEBUG_CHARACTERS])
        if sum(map(len, pieces)) >= _DEBUG_CHARACTERS:
            break
    return "".join(pieces)[:_DEBUG_CHARACTERS]


def to_json(array: Array, alias: str) -> Any:
    """An array as nested lists; strings as bytes where the name of the output ends in `_bytes`.

    Raises:
        UnsupportedError: a type that has no JSON form.
    """
    if array.dtype == object:
        encode = _b64_object if alias.endswith(_BYTES_SUFFIX) else _text
        flat = np.empty(array.size, dtype=object)
        flat[:] = [encode(value) for value in array.ravel().tolist()]
        return flat.reshape(array.shape).tolist()
    if array.dtype.kind == "c" or array.dtype == np.float16:
        raise UnsupportedError(f"Failed to write JSON value for tensor type: {array.dtype}")
    if array.dtype == np.float32:
        # Through its shortest text: 0.2 and not 0.20000000298023224.
        return array.astype("U32").astype(np.float64).tolist()
    return array.tolist()


def _b64_object(value: bytes) -> dict[str, str]:
    return {_B64: base64.b64encode(value).decode()}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
