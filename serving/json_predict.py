"""Predict requests and responses of TensorFlow Serving's REST API: rows (`instances`) or columns (`inputs`).

Rules and words are those of `util/json_tensor.cc`: NaN, Infinity and -Infinity are numbers, `{"b64": ...}` is a
string of bytes, what follows the document is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nids.errors import InputError
from serving.json_tensors import debug_text, is_base64, to_json, to_tensor
from serving.signature import Signature, TensorSpec
from serving.tensors import Array


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
        raise InputError(f"JSON Value: {debug_text(document)} Is not object")
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
            f"JSON Value: {debug_text(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    specs = signature_of(name).inputs
    if not specs:
        raise InputError(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    rows, columns = Form.ROWS.value in document, Form.COLUMNS.value in document
    if rows and columns:
        raise InputError(
            f"JSON Value: {debug_text(document)} Not formatted correctly expecting only"
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
        raise InputError(f"JSON Value: {debug_text(document)} Expecting 'instances' to be an list/array")
    if not instances:
        raise InputError(f"JSON Value: {debug_text(document)} No values in 'instances' array")
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
        f"Failed to process element: {item} of 'instances' list. JSON object: {debug_text(element)} "
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


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def format_response(outputs: Mapping[str, Array], form: Form) -> bytes:
    """The JSON body for outputs, named only where there are several.

    Raises:
        InputError: row form of outputs without equal first dimensions.
        UnsupportedError: a type that has no JSON form.
    """
    if form is Form.COLUMNS:
        columns = {alias: to_json(array, alias) for alias, array in outputs.items()}
        body: dict[str, Any] = {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    else:
        _check_batch(outputs)
        lists = {alias: to_json(array, alias) for alias, array in outputs.items()}
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
