"""Tensors in the JSON of TensorFlow Serving's REST API: rows (`instances`) or columns (`inputs`).

Rules and words are those of `util/json_tensor.cc`: NaN, Infinity and -Infinity are numbers, `{"b64": ...}` is a
string of bytes, what follows the document is not looked at. Lists become arrays column by column and not value by
value; only an error is looked for value by value.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any

import numpy as np

from nids.errors import InputError
from serving.signature import Signature, TensorSpec
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


class Form(Enum):
    """How the tensors of a request lie, and so those of its response."""

    ROWS = "instances"
    COLUMNS = "inputs"


@dataclass(frozen=True, slots=True)
class JsonRequest:
    """A predict request: arrays by alias."""

    inputs: dict[str, Array]
    form: Form
    signature_name: str


def parse_document(body: bytes) -> dict[str, Any]:
    """The JSON object a body begins with.

    Raises:
        InputError: there is none.
    """
    # Bytes that are no UTF-8 pass through strings unharmed, as they do in TensorFlow Serving.
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n\ufeff")
    if not text:
        raise InputError("JSON Parse error: The document is empty")
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        raise InputError(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except RecursionError as error:
        raise InputError("JSON Parse error: Expected less deeply nested values") from error
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"JSON Value: {_debug(document)} Is not object")
    return document


def parse_request(body: bytes, signature_of: Callable[[str], Signature]) -> JsonRequest:
    """A predict request.

    Args:
        body: what was posted.
        signature_of: the signature by name; the empty name means the default one.

    Raises:
        InputError: not JSON, not a predict request, or values that do not fit the signature.
    """
    document = parse_document(body)
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise InputError(
            f"JSON Value: {_debug(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    specs = signature_of(name).inputs
    if not specs:
        raise InputError(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    rows, columns = Form.ROWS.value in document, Form.COLUMNS.value in document
    if rows and columns:
        raise InputError(
            f"JSON Value: {_debug(document)} Not formatted correctly expecting only"
            " one of 'inputs' or 'instances' keys to exist "
        )
    if rows:
        return JsonRequest(_from_instances(document, specs), Form.ROWS, name)
    if columns:
        return JsonRequest(_from_inputs(document[Form.COLUMNS.value], specs), Form.COLUMNS, name)
    raise InputError("Missing 'inputs' or 'instances' key")


def _from_instances(document: dict[str, Any], specs: Mapping[str, TensorSpec]) -> dict[str, Array]:
    instances = document[Form.ROWS.value]
    if not isinstance(instances, list):
        raise InputError(f"JSON Value: {_debug(document)} Expecting 'instances' to be an list/array")
    if not instances:
        raise InputError(f"JSON Value: {_debug(document)} No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(specs) > 1:
        raise InputError(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    objects = _is_object(instances[0])
    for item, element in enumerate(instances):
        if _is_object(element) != objects:
            wanted = "object but got list" if objects else "value/list but got object"
            raise InputError(f"Expecting {wanted} at item {item} of input list")
    if not objects:
        (spec,) = specs.values()
        return {spec.alias: _rows(instances, spec)}
    for item, element in enumerate(instances):
        if element.keys() != specs.keys():
            raise _wrong_keys(item, element, specs)
    return {alias: _rows([element[alias] for element in instances], spec) for alias, spec in specs.items()}


def _wrong_keys(item: int, element: dict[str, Any], specs: Mapping[str, TensorSpec]) -> InputError:
    for key in element:
        if key not in specs:
            return _bad_element(item, key, f"JSON object: does not have named input: {key}")
    return InputError(
        f"Failed to process element: {item} of 'instances' list. JSON object: {_debug(element)} "
        f"keys must be equal to: {','.join(sorted(specs))}"
    )


def _bad_element(item: int, key: str, cause: str) -> InputError:
    return InputError(
        f"Failed to process element: {item} key: {key} of 'instances' list. Error: INVALID_ARGUMENT: {cause}"
    )


def _rows(values: list[Any], spec: TensorSpec) -> Array:
    try:
        return to_tensor(values, spec)
    except InputError as error:
        raise _first_bad_row(values, spec, error) from error


def _first_bad_row(values: list[Any], spec: TensorSpec, error: InputError) -> InputError:
    shape: tuple[int, ...] | None = None
    for item, value in enumerate(values):
        try:
            found = to_tensor(value, spec).shape
        except InputError as cause:
            return _bad_element(item, spec.alias, str(cause))
        if shape is not None and found != shape:
            return _bad_element(item, spec.alias, f"Expecting shape {list(shape)} but got: {list(found)}")
        shape = found
    return error


def _from_inputs(value: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Array]:
    if not _is_object(value):
        if len(specs) > 1:
            raise InputError(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        (spec,) = specs.values()
        return {spec.alias: _column(value, spec)}
    for alias in specs:
        if alias not in value:
            raise InputError(f"Missing named input: {alias} in 'inputs' object.")
    return {alias: _column(value[alias], spec) for alias, spec in specs.items()}


def _column(value: Any, spec: TensorSpec) -> Array:
    try:
        return to_tensor(value, spec)
    except InputError as error:
        raise InputError(f"Failed to process key: {spec.alias} of 'inputs' object. Error: {error}") from error


def to_tensor(value: Any, spec: TensorSpec) -> Array:
    """A JSON value, nested or not, as an array of the type of `spec`.

    Raises:
        InputError: ragged lists, or a value of another type.
        UnsupportedError: a type that has no JSON form.
    """
    kind = BY_NUMBER.get(spec.dtype)
    if kind is None or kind.numpy.kind == "c" or kind.name == "half":
        raise UnsupportedError(f"Conversion of JSON Value: {_debug(value)} to type: {dtype_name(spec.dtype)}")
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
                    f"JSON Value: {_debug(element)} found at incorrect level: {len(shape) + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape) + 1 + _depth(level[0][:1])}"
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
        if not _is_b64(leaf):
            raise InputError(f"JSON Value: {_debug(leaf)} not formatted correctly for base64 data")
        try:
            return base64.b64decode(leaf[_B64] + "=" * (-len(leaf[_B64]) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("Unable to base64 decode") from error
    raise _type_error(leaf, STRING)


def _type_error(value: Any, kind: DType) -> InputError:
    names = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
    name = str(value) if isinstance(value, bool) else names[type(value)]
    return InputError(f"JSON Value: {_debug(value)} Type: {name} is not of expected type: {kind.name}")


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_B64), str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_b64(value)


def _debug(value: Any) -> str:
    """The beginning of a value's JSON text."""
    pieces: list[str] = []
    for piece in json.JSONEncoder().iterencode(value):
        pieces.append(piece[:_DEBUG_CHARACTERS])
        if sum(map(len, pieces)) >= _DEBUG_CHARACTERS:
            break
    return "".join(pieces)[:_DEBUG_CHARACTERS]


def format_response(outputs: Mapping[str, Array], form: Form) -> bytes:
    """The JSON body for outputs, named only where there are several.

    Raises:
        InputError: row form of outputs without equal first dimensions.
        UnsupportedError: a type that has no JSON form.
    """
    if form is Form.COLUMNS:
        columns = {alias: _to_json(array, alias) for alias, array in outputs.items()}
        body: dict[str, Any] = {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    else:
        _check_batch(outputs)
        lists = {alias: _to_json(array, alias) for alias, array in outputs.items()}
        body = {"predictions": _to_rows(lists)}
    return json.dumps(body, ensure_ascii=False, separators=(", ", ": ")).encode("utf-8", "surrogateescape")


def _check_batch(outputs: Mapping[str, Array]) -> None:
    size: int | None = None
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise InputError(f"Tensor name: {alias} has no shape information ")
        if size is not None and len(array) != size:
            raise InputError(f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)


def _to_rows(lists: dict[str, list[Any]]) -> list[Any]:
    if len(lists) == 1:
        return next(iter(lists.values()))
    names: Iterable[str] = list(lists)
    return [dict(zip(names, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _to_json(array: Array, alias: str) -> Any:
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
