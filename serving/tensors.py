"""TensorProto to numpy and back, without TensorFlow.

The functions take any message with the fields of `tensorflow/core/framework/tensor.proto`. Values are read and
written as TensorFlow does (`Tensor::FromProto`, `Tensor::AsProtoField`). Strings are object arrays of bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nids.errors import InputError
from serving.status import UnsupportedError

Array = npt.NDArray[Any]

_MAX_RANK = 32  # numpy's
_MAX_SIZE = 2**48
MAX_REPEATED = 2**26
"""Bytes that the values which short lists leave out may take, over all tensors of a request."""


@dataclass(frozen=True, slots=True)
class DType:
    """One tensor type.

    Attributes:
        number: its number in `tensorflow/core/framework/types.proto`.
        name: TensorFlow's name of it.
        numpy: its numpy type; object for strings.
        field: the list of a TensorProto that holds its values.
        bits: the integer type under which `field` holds its values, where they are not stored as such.
    """

    number: int
    name: str
    numpy: np.dtype[Any]
    field: str
    bits: np.dtype[Any] | None = None


def _types() -> tuple[DType, ...]:
    rows: tuple[tuple[int, str, Any, str], ...] = (
        (1, "float", np.float32, "float_val"),
        (2, "double", np.float64, "double_val"),
        (3, "int32", np.int32, "int_val"),
        (4, "uint8", np.uint8, "int_val"),
        (5, "int16", np.int16, "int_val"),
        (6, "int8", np.int8, "int_val"),
        (7, "string", np.object_, "string_val"),
        (8, "complex64", np.complex64, "scomplex_val"),
        (9, "int64", np.int64, "int64_val"),
        (10, "bool", np.bool_, "bool_val"),
        (17, "uint16", np.uint16, "int_val"),
        (18, "complex128", np.complex128, "dcomplex_val"),
        (22, "uint32", np.uint32, "uint32_val"),
        (23, "uint64", np.uint64, "uint64_val"),
    )
    bits: dict[int, np.dtype[Any]] = {8: np.dtype(np.float32), 18: np.dtype(np.float64)}
    half = DType(19, "half", np.dtype(np.float16), "half_val", np.dtype(np.uint16))
    return (*(DType(n, name, np.dtype(kind), field, bits.get(n)) for n, name, kind, field in rows), half)


BY_NUMBER: dict[int, DType] = {kind.number: kind for kind in _types()}
BY_NUMPY: dict[np.dtype[Any], DType] = {kind.numpy: kind for kind in BY_NUMBER.values()}
STRING = BY_NUMBER[7]


def dtype_name(number: int) -> str:
    """TensorFlow's name of a type number, for messages."""
    return BY_NUMBER[number].name if number in BY_NUMBER else f"type {number}"


def array_bytes(protos: Mapping[str, Any]) -> int:
    """Bytes that the arrays of a request will take, from the declared shapes alone. References count for strings.

    Raises:
        InputError: a few values would be repeated beyond `MAX_REPEATED`, or a shape is not one.
        UnsupportedError: a type without a counterpart in numpy.
    """
    total = repeated = 0
    for name, proto in protos.items():
        kind, shape = _kind(proto, name), _shape(proto, name)
        size = math.prod(shape)
        total += size * kind.numpy.itemsize
        if kind is STRING or not proto.tensor_content:
            repeated += max(0, size - len(getattr(proto, kind.field))) * kind.numpy.itemsize
        if repeated > MAX_REPEATED:
            raise InputError(
                f"tensor parsing error: {name}. Expected values that fill the shape, or less than {MAX_REPEATED >> 20} "
                f"MiB to be repeated in a request. Received: shape {list(shape)}"
            )
    return total


def to_arrays(protos: Mapping[str, Any]) -> dict[str, Array]:
    """The array of every TensorProto of a request. Raises as `array_bytes` and `to_array` do."""
    array_bytes(protos)
    return {name: to_array(proto, name) for name, proto in protos.items()}


def to_array(proto: Any, name: str = "") -> Array:
    """The array of a TensorProto; a view on its bytes where it has them.

    As in TensorFlow, a list shorter than the shape repeats its last value, and an empty one means zeros. Where the
    sender is not trusted, ask `array_bytes` before.

    Raises:
        InputError: the values do not fill the shape, or the shape is not one.
        UnsupportedError: a type without a counterpart in numpy.
    """
    kind, shape = _kind(proto, name), _shape(proto, name)
    size = math.prod(shape)
    content = proto.tensor_content
    if content and kind is not STRING:
        if len(content) != size * kind.numpy.itemsize:
            wanted = f"{size * kind.numpy.itemsize} bytes for shape {list(shape)}"
            raise InputError(f"tensor parsing error: {name}. Expected {wanted}. Received: {len(content)}")
        return np.frombuffer(content, dtype=kind.numpy).reshape(shape)
    return _from_values(kind, getattr(proto, kind.field), shape, size, name)


def _kind(proto: Any, name: str) -> DType:
    kind = BY_NUMBER.get(proto.dtype)
    if kind is None:
        raise UnsupportedError(f"tensor parsing error: {name}. Expected a supported dtype. Received: {proto.dtype}")
    return kind


def _shape(proto: Any, name: str) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if len(shape) > _MAX_RANK:
        raise InputError(
            f"tensor parsing error: {name}. Expected at most {_MAX_RANK} dimensions. Received: {len(shape)}"
        )
    # Without its zeros, so that no product overflows for an array of no values either.
    if (
        math.prod(size or 1 for size in shape) > _MAX_SIZE
        or proto.tensor_shape.unknown_rank
        or min(shape, default=0) < 0
    ):
        raise InputError(f"tensor parsing error: {name}. Expected a full shape. Received: {list(shape)}")
    return shape


def _from_values(kind: DType, values: Any, shape: tuple[int, ...], size: int, name: str) -> Array:
    flat = _flat(kind, values)
    if len(flat) > size:
        raise InputError(
            f"tensor parsing error: {name}. Expected {size} values for shape {list(shape)}. Received: {len(flat)}"
        )
    if len(flat) < size:
        if len(flat) == 0:
            flat = np.array([b"" if kind is STRING else 0], dtype=kind.numpy)
        flat = np.concatenate([flat, np.broadcast_to(flat[-1:], size - len(flat))])
    return flat.reshape(shape)


def _flat(kind: DType, values: Any) -> Array:
    if kind.bits is None:
        # Through a list: numpy would take thousands of bytes objects one `__getitem__` at a time.
        flat = np.empty(len(values), dtype=kind.numpy)
        flat[:] = list(values)
        return flat
    if kind.field == "half_val":
        return np.array(list(values), dtype=kind.bits).view(kind.numpy)
    return np.array(list(values), dtype=kind.bits)[: len(values) // 2 * 2].view(kind.numpy)


def from_array(array: Array, proto: Any, *, content: bool) -> None:
    """Fill a TensorProto.

    Args:
        array: any shape; strings as an object array of bytes or str.
        proto: an empty TensorProto.
        content: as raw bytes, which is quicker, instead of a list of values. Strings are always a list.

    Raises:
        InputError: a type that no tensor has.
    """
    kind = BY_NUMPY.get(array.dtype)
    if kind is None:
        if array.dtype.kind not in "SU":
            raise InputError(f"Expected an array of numbers, truth values or strings. Received: {array.dtype}")
        kind, array = STRING, array.astype(object)
    proto.dtype = kind.number
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if kind is STRING:
        proto.string_val.extend(_all_bytes(array.ravel().tolist()))
    elif content:
        proto.tensor_content = array.tobytes()
    else:
        flat = np.ascontiguousarray(array).ravel()
        getattr(proto, kind.field).extend((flat if kind.bits is None else flat.view(kind.bits)).tolist())


def _all_bytes(values: list[Any]) -> list[bytes]:
    try:
        return [value if isinstance(value, bytes) else value.encode() for value in values]
    except (AttributeError, UnicodeEncodeError) as error:
        row = next(row for row, value in enumerate(values, start=1) if not _is_text(value))
        raise InputError(f"Expected text. Received: {values[row - 1]!r} in row {row}") from error


def _is_text(value: Any) -> bool:
    try:
        if isinstance(value, str):
            value.encode()
        return isinstance(value, bytes | str)
    except UnicodeEncodeError:  # half of a pair, as broken decoders leave it
        return False
