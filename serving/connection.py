"""One gRPC channel to a server of TensorFlow Serving's API: deadlines, and its errors as ours. Needs no TensorFlow."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from nids.errors import InputError
from serving import wire
from serving.signature import DEFAULT, Signature, TensorSpec, read_signature
from serving.status import Code, error_of
from serving.tensors import BY_NUMBER, Array, from_array, to_array
from serving.versions import State, VersionStatus

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_SIGNATURE_DEF = "signature_def"


@dataclass(frozen=True, slots=True)
class Metadata:
    """A version's signatures by name."""

    version: int
    signatures: Mapping[str, Signature]

    @property
    def default(self) -> Signature:
        """The signature that is meant where none is named. Raises InputError where the model has none."""
        if DEFAULT not in self.signatures:
            raise InputError(f"Expected a model with the signature {DEFAULT}. Received: {sorted(self.signatures)}")
        return self.signatures[DEFAULT]

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Inputs of the default signature by name."""
        return self.default.inputs

    @property
    def dtypes(self) -> dict[str, str]:
        """Type names of the default signature's inputs: float, int64, string, ..."""
        return {alias: BY_NUMBER[spec.dtype].name for alias, spec in self.inputs.items()}


def is_loopback(host: str) -> bool:
    """Whether a host, an IPv6 address in brackets or not, is this machine under an address only it can reach."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:  # a name
        return False


class Connection:
    """Calls to one model on one server; safe to share between threads.

    Args:
        address: `HOST:PORT` of the gRPC port.
        model: name of the served model.
        timeout: deadline of every call, in seconds.

    Calls raise NotFoundError for an unknown model, InputError for a request that the model cannot take, and
    StoreError, which names the address, where the server cannot be reached or does not answer in time.
    """

    def __init__(self, address: str, model: str, timeout: float) -> None:
        host, _, port = address.rpartition(":")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise InputError(f"Expected HOST:PORT with an IPv6 host as in [::1]:8500. Received: {address!r}")
        if not host or not port.isdecimal():
            raise InputError(f"Expected HOST:PORT as the server's address. Received: {address!r}")
        self.address = address
        self.model = model
        self.timeout = timeout
        # gRPC obeys http_proxy, which no proxy can do for this machine's own addresses.
        direct = [("grpc.enable_http_proxy", 0)] if is_loopback(host) else []
        self._channel = grpc.insecure_channel(address, options=[*_UNLIMITED, *direct])
        self._predict = self._method(wire.PREDICT, wire.PredictRequest, wire.PredictResponse)
        self._metadata = self._method(
            wire.GET_MODEL_METADATA, wire.GetModelMetadataRequest, wire.GetModelMetadataResponse
        )
        self._status = self._method(wire.GET_MODEL_STATUS, wire.GetModelStatusRequest, wire.GetModelStatusResponse)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def status(self, timeout: float | None = None) -> list[VersionStatus]:
        """Status of the versions the server has seen, the newest first; within `timeout` seconds, if that is less."""
        response = self._ask(self._status, wire.GetModelStatusRequest(model_spec=self._spec()), timeout)
        return [
            VersionStatus(item.version, State(item.state), Code(item.status.error_code), item.status.error_message)
            for item in response.model_version_status
        ]

    def metadata(self, version: int | None = None) -> Metadata:
        """The signatures of a version, of the latest where none is named."""
        request = wire.GetModelMetadataRequest(model_spec=self._spec(version), metadata_field=[_SIGNATURE_DEF])
        response = self._ask(self._metadata, request)
        definitions = wire.SignatureDefMap.FromString(response.metadata[_SIGNATURE_DEF].value).signature_def
        signatures = {name: read_signature(name, definition) for name, definition in definitions.items()}
        return Metadata(response.model_spec.version.value, signatures)

    def predict(
        self, inputs: Mapping[str, Array], signature_name: str = "", version: int | None = None
    ) -> tuple[dict[str, Array], int]:
        """A signature's outputs by name, and the version that answered."""
        request = wire.PredictRequest(model_spec=self._spec(version))
        request.model_spec.signature_name = signature_name
        for name, array in inputs.items():
            try:
                from_array(np.asarray(array), request.inputs[name], content=True)
            except InputError as error:
                raise InputError(f'Input "{name}": {error}') from error
        response = self._ask(self._predict, request)
        outputs = {name: to_array(proto, name) for name, proto in response.outputs.items()}
        return outputs, response.model_spec.version.value

    def _method(self, path: str, request: Any, response: Any) -> Any:
        return self._channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )

    def _spec(self, version: int | None = None) -> dict[str, Any]:
        return {"name": self.model} if version is None else {"name": self.model, "version": {"value": version}}

    def _ask(self, call: Any, request: Any, timeout: float | None = None) -> Any:
        seconds = self.timeout if timeout is None else min(timeout, self.timeout)
        try:
            return call(request, timeout=seconds)
        except grpc.RpcError as error:
            code = Code(error.code().value[0])
            raise error_of(code, self._sentence(code, error.details() or code.name, seconds)) from error

    def _sentence(self, code: Code, details: str, seconds: float) -> str:
        text = " ".join(details.split())
        if code is Code.UNAVAILABLE:
            return f"Expected a server at {self.address}. Received: {text}"
        if code is Code.DEADLINE_EXCEEDED:
            return f"Expected an answer from {self.address} within {seconds:.3g} s. Received: none"
        return f"{self.address} answers {code.name}: {text}"
