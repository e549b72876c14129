"""What a model's signature asks of a request, and the check of a request against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nids.errors import InputError
from serving.tensors import BY_NUMBER, BY_NUMPY, STRING, Array, DType, dtype_name, to_array

DEFAULT = "serving_default"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        alias: its name for clients.
        tensor: its name in the graph.
        dtype: type number.
        shape: sizes with -1 for any size; None for any rank.
    """

    alias: str
    tensor: str
    dtype: int
    shape: tuple[int, ...] | None

    @property
    def text(self) -> str:
        return f"{dtype_name(self.dtype)} of shape {shape_text(self.shape)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs by alias, each in the order of its names; `defaults` fill inputs a request leaves out."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, Array]


def read_signature(name: str, definition: Any) -> Signature:
    """A Signature from TensorFlow's SignatureDef."""
    return Signature(
        name=name,
        inputs={alias: _spec(alias, definition.inputs[alias]) for alias in sorted(definition.inputs)},
        outputs={alias: _spec(alias, definition.outputs[alias]) for alias in sorted(definition.outputs)},
        defaults={alias: to_array(value, alias) for alias, value in definition.defaults.items()},
    )


def _spec(alias: str, info: Any) -> TensorSpec:
    shape = None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(alias, info.name, info.dtype, shape)


def check_inputs(signature: Signature, inputs: Mapping[str, Array]) -> list[Array]:
    """The arrays to feed, in the order of `signature.inputs`.

    Raises:
        InputError: an input is missing, is not in the signature, or has another type or shape; it is named.
    """
    if inputs.keys() != signature.inputs.keys():
        inputs = _fill_defaults(signature, inputs)
    return [_check_input(spec, inputs[alias]) for alias, spec in signature.inputs.items()]


def _fill_defaults(signature: Signature, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    filled = {**signature.defaults, **inputs}
    sent, expected = set(inputs), set(signature.inputs)
    extra, missing = sent - expected, expected - set(filled)
    if extra or missing:
        # TensorFlow Serving's words (servables/tensorflow/predict_util.cc).
        raise InputError(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braces(sent)}) != len({_braces(expected)}). "
            f"Sent extra: {_braces(extra)}. Missing but required: {_braces(missing)}."
        )
    return filled


def _check_input(spec: TensorSpec, array: Array) -> Array:
    kind = BY_NUMBER.get(spec.dtype)
    if array.dtype.kind in "SU" and kind is STRING:
        array = array.astype(object)
    if kind is None or array.dtype != kind.numpy or not _fits(array.shape, spec.shape):
        received = BY_NUMPY.get(array.dtype, STRING if array.dtype.kind in "SU" else None)
        name = received.name if isinstance(received, DType) else str(array.dtype)
        raise InputError(
            f'Input "{spec.alias}": Expected {spec.text}. Received: {name} of shape {shape_text(array.shape)}'
        )
    return array


def _fits(shape: Sequence[int], wanted: Sequence[int] | None) -> bool:
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(w in (-1, s) for s, w in zip(shape, wanted, strict=True))


def choose_outputs(signature: Signature, output_filter: Sequence[str]) -> tuple[str, ...]:
    """Aliases of the outputs to compute: those named, else all.

    Raises:
        InputError: an output that the signature lacks, or one named twice.
    """
    for position, alias in enumerate(output_filter):
        if alias not in signature.outputs:
            raise InputError(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braces(signature.outputs)}."
            )
        if alias in output_filter[:position]:
            raise InputError(f"duplicate output tensor alias: {alias}")
    return tuple(output_filter) or tuple(signature.outputs)


def batch_sizes(signature: Signature, arrays: Iterable[Array]) -> dict[str, int]:
    """First dimension by input, of the inputs whose first dimension is open."""
    return {
        alias: array.shape[0]
        for (alias, spec), array in zip(signature.inputs.items(), arrays, strict=True)
        if spec.shape and spec.shape[0] == -1 and np.ndim(array)
    }


def shape_text(shape: Sequence[int] | None) -> str:
    """A shape for people: `[?,3]`, or `any rank`."""
    return "any rank" if shape is None else f"[{','.join('?' if size < 0 else str(size) for size in shape)}]"


def _braces(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
