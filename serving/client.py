"""A client of the served model: TensorFlow Serving's or the embedded server, over gRPC. Needs no TensorFlow.

with Client("localhost:8500") as client:
    scores = client.predict({"duration": np.array([0.5], np.float32), ...})
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import polars as pl

from nids.errors import InputError, NidsError, StoreError
from serving import wire
from serving.signature import DEFAULT, Signature, TensorSpec, check_inputs, read_signature
from serving.status import Code, error_of
from serving.tensors import BY_NUMBER, STRING, Array, from_array, to_array
from serving.versions import State, VersionStatus

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_SIGNATURE_DEF = "signature_def"
DEFAULT_TIMEOUT = 30.0
"""Deadline of a call, in seconds."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of n flows.

    Attributes:
        labels: class name per flow, an object array of str of shape (n,).
        class_ids: int64 of shape (n,).
        probabilities: float32 of shape (n, n_classes), in class order.
        version: the version that answered.
    """

    labels: npt.NDArray[np.object_]
    class_ids: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    version: int


@dataclass(frozen=True, slots=True)
class Metadata:
    """A version's signatures by name."""

    version: int
    signatures: Mapping[str, Signature]

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Inputs of the default signature by name."""
        if DEFAULT not in self.signatures:
            raise InputError(f"Expected a model with the signature {DEFAULT}. Received: {sorted(self.signatures)}")
        return self.signatures[DEFAULT].inputs

    @property
    def dtypes(self) -> dict[str, str]:
        """Type names of the default signature's inputs: float, int64, string, ..."""
        return {alias: BY_NUMBER[spec.dtype].name for alias, spec in self.inputs.items()}


class Client:
    """One channel to one server. Every call has a deadline.

    Args:
        address: `host:port` of the server's gRPC port.
        model: name of the served model.
        timeout: deadline of a call, in seconds.

    Calls raise NotFoundError for an unknown model, InputError for a request the model cannot take, and StoreError,
    which names the address, where the server cannot be reached or does not answer in time.
    """

    def __init__(self, address: str, model: str = "nids", timeout: float = DEFAULT_TIMEOUT) -> None:
        if not address.rpartition(":")[0] or not address.rpartition(":")[2].isdecimal():
            raise InputError(f"Expected HOST:PORT as the server's address. Received: {address!r}")
        self.address = address
        self.model = model
        self.timeout = timeout
        self._channel = grpc.insecure_channel(address, options=_UNLIMITED)
        self._predict = _call(self._channel, wire.PREDICT, wire.PredictRequest, wire.PredictResponse)
        self._metadata_call = _call(
            self._channel, wire.GET_MODEL_METADATA, wire.GetModelMetadataRequest, wire.GetModelMetadataResponse
        )
        self._status = _call(
            self._channel, wire.GET_MODEL_STATUS, wire.GetModelStatusRequest, wire.GetModelStatusResponse
        )
        self._metadata: Metadata | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def status(self) -> list[VersionStatus]:
        """Status of the versions the server has seen, the newest first."""
        response = self._ask(self._status, wire.GetModelStatusRequest(model_spec=self._spec()))
        return [
            VersionStatus(item.version, State(item.state), Code(item.status.error_code), item.status.error_message)
            for item in response.model_version_status
        ]

    def metadata(self) -> Metadata:
        """The signatures of the latest version, asked for once."""
        if self._metadata is None:
            request = wire.GetModelMetadataRequest(model_spec=self._spec(), metadata_field=[_SIGNATURE_DEF])
            response = self._ask(self._metadata_call, request)
            definitions = wire.SignatureDefMap.FromString(response.metadata[_SIGNATURE_DEF].value).signature_def
            signatures = {name: read_signature(name, definition) for name, definition in definitions.items()}
            self._metadata = Metadata(response.model_spec.version.value, signatures)
        return self._metadata

    def predict(self, columns: Mapping[str, Array] | pl.DataFrame) -> Scores:
        """Score flows.

        Args:
            columns: one column of raw values per input of the model, each of n flows. Numbers are cast to the model's
                types where no value changes beyond rounding; strings as str or bytes.
        """
        signature = self._signature()
        if isinstance(columns, pl.DataFrame):
            columns = {name: columns[name].to_numpy() for name in columns.columns}
        inputs = {name: _cast(signature.inputs.get(name), values) for name, values in columns.items()}
        check_inputs(signature, inputs)
        outputs, version = self.run(inputs)
        for name in ("label", "class_id", "probabilities"):
            if name not in outputs:
                raise InputError(f"Expected a model with the output {name}. Received: {sorted(outputs)}")
        labels = np.empty(len(outputs["label"]), dtype=object)
        labels[:] = [label.decode() for label in outputs["label"]]
        return Scores(labels, outputs["class_id"], outputs["probabilities"], version)

    def run(
        self, inputs: Mapping[str, Array], signature_name: str = "", version: int | None = None
    ) -> tuple[dict[str, Array], int]:
        """Any signature's outputs by name, and the version that answered."""
        request = wire.PredictRequest(model_spec=self._spec(version))
        request.model_spec.signature_name = signature_name
        for name, array in inputs.items():
            from_array(np.asarray(array), request.inputs[name], content=True)
        response = self._ask(self._predict, request)
        outputs = {name: to_array(proto, name) for name, proto in response.outputs.items()}
        return outputs, response.model_spec.version.value

    def class_names(self, columns: Mapping[str, Array]) -> list[str] | None:
        """Class names in class order, as the model's own classify signature tells them; None where it has none.

        Args:
            columns: at least one flow: the names come with its scores.
        """
        for name, signature in self.metadata().signatures.items():
            if not {"classes", "scores"} <= signature.outputs.keys() or len(signature.inputs) != 1:
                continue
            (spec,) = signature.inputs.values()
            if BY_NUMBER.get(spec.dtype) is not STRING:
                continue
            example = _example(self._signature(), columns)
            outputs, _ = self.run({spec.alias: np.array([example], dtype=object)}, name)
            return [text.decode() for text in outputs["classes"][0]]
        return None

    def wait_until_available(self, timeout: float = 60.0, version: int | None = None) -> int:
        """Wait for a version, or any, to be served; its number.

        Raises:
            StoreError: it was not within `timeout` seconds; the message says why.
        """
        end = time.monotonic() + timeout
        reason = "no answer"
        while True:
            try:
                statuses = [s for s in self.status() if version in (None, s.version)]
                reason = ", ".join(f"version {s.version} is {s.state.name} {s.message}".strip() for s in statuses)
                available = [s.version for s in statuses if s.state is State.AVAILABLE]
                if available:
                    return max(available)
            except NidsError as error:
                reason = str(error)
            if time.monotonic() > end:
                raise StoreError(
                    f"Expected model {self.model} at {self.address} to be available within {timeout:g} s. "
                    f"Received: {reason}"
                )
            time.sleep(0.1)

    def _signature(self) -> Signature:
        metadata = self.metadata()
        _ = metadata.inputs
        return metadata.signatures[DEFAULT]

    def _spec(self, version: int | None = None) -> Any:
        return {"name": self.model} if version is None else {"name": self.model, "version": {"value": version}}

    def _ask(self, call: Any, request: Any) -> Any:
        try:
            return call(request, timeout=self.timeout)
        except grpc.RpcError as error:
            code = Code(error.code().value[0])
            raise error_of(code, self._sentence(code, error.details() or code.name)) from error

    def _sentence(self, code: Code, details: str) -> str:
        text = " ".join(details.split())
        if code is Code.UNAVAILABLE:
            return f"Expected a server at {self.address}. Received: {text}"
        if code is Code.DEADLINE_EXCEEDED:
            return f"Expected an answer from {self.address} within {self.timeout:g} s. Received: none"
        return f"{self.address} answers {code.name}: {text}"


def _call(channel: grpc.Channel, path: str, request: Any, response: Any) -> Any:
    return channel.unary_unary(
        path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
    )


def _cast(spec: TensorSpec | None, values: Array) -> Array:
    """Values in the type of an input; left as they are, for the check to name them, where that would change them."""
    array = np.asarray(values)
    kind = BY_NUMBER.get(spec.dtype) if spec else None
    if kind is None or array.dtype == kind.numpy:
        return array
    if kind is STRING or array.dtype.kind not in "iuf" or kind.numpy.kind not in "iuf":
        return array
    if array.dtype.kind == "f" and kind.numpy.kind != "f":
        return array
    cast = array.astype(kind.numpy)
    return cast if kind.numpy.kind == "f" or np.array_equal(cast, array) else array


def _example(signature: Signature, columns: Mapping[str, Array]) -> bytes:
    """The first flow as a serialized tf.Example."""
    example = wire.Example()
    for name in signature.inputs:
        feature = example.features.feature[name]
        value = np.asarray(columns[name]).ravel()[0]
        if isinstance(value, bytes | str):
            feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
        elif np.issubdtype(type(value), np.floating):
            feature.float_list.value.append(float(value))
        else:
            feature.int64_list.value.append(int(value))
    return bytes(example.SerializeToString(deterministic=True))
