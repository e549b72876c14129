"""TensorFlow Serving's PredictionService and ModelService over the core."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from nids.errors import InputError
from serving.core import LARGE, Core, ModelRef, Prediction
from serving.status import Code, UnsupportedError, code_of, message_of
from serving.tensors import array_bytes, from_array, to_arrays
from serving.versions import VersionStatus

log = logging.getLogger(__name__)

_GRPC = {code: status for status in grpc.StatusCode for code in [Code(status.value[0])]}
_MAX_MESSAGE = 4000  # bytes; a status travels in a header, which may hold 8 KiB
_SIGNATURE_DEF = "signature_def"

Answer = Callable[..., Awaitable[Any]]


def add_services(server: grpc.aio.Server, core: Core) -> None:
    """Register both services with a gRPC server."""
    for name, service in (("PredictionService", PredictionService(core)), ("ModelService", ModelService(core))):
        methods = {method: _handler(getattr(service, method), kind) for method, kind in service.requests.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", methods),))


def _handler(method: Answer, request: Any) -> Any:
    # An undecodable request is answered like any other bad one, not by a failure in the middle of gRPC.
    def decode(data: bytes) -> Any:
        try:
            return request.FromString(data)
        except DecodeError as error:
            return error

    return grpc.unary_unary_rpc_method_handler(
        method, request_deserializer=decode, response_serializer=lambda response: response.SerializeToString()
    )


def _answering(method: Answer) -> Answer:
    """Answer an error with its status; what is no caller's fault is logged as well."""

    @functools.wraps(method)
    async def answer(self: Any, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if isinstance(request, DecodeError):
            return await context.abort(grpc.StatusCode.INTERNAL, "The request could not be decoded.")
        try:
            return await method(self, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            code = code_of(error)
            if code is Code.INTERNAL:
                log.exception("%s failed", method.__name__)
            return await context.abort(_GRPC[code], _header_text(message_of(error)))

    return answer


def _header_text(message: str) -> str:
    """As much of a message as a header holds, where gRPC writes all but plain characters as `%XX`, byte by byte."""
    data = message.encode("utf-8", "backslashreplace")
    size = 0
    for end, byte in enumerate(data):
        size += 1 if 0x20 <= byte <= 0x7E and byte != ord("%") else 3
        if size > _MAX_MESSAGE:
            return data[:end].decode("utf-8", "ignore")
    return data.decode()


class PredictionService:
    """`tensorflow.serving.PredictionService`; `requests` names its methods and what they take."""

    requests: Mapping[str, Any] = {
        "Predict": predict_pb2.PredictRequest,
        "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
        "Classify": classification_pb2.ClassificationRequest,
        "Regress": regression_pb2.RegressionRequest,
        "MultiInference": inference_pb2.MultiInferenceRequest,
    }

    def __init__(self, core: Core) -> None:
        self._core = core

    @_answering
    async def Predict(self, request: Any) -> Any:  # noqa: N802
        ref = _ref(request)
        large = max(array_bytes(request.inputs), request.ByteSize()) > LARGE
        inputs = await asyncio.to_thread(to_arrays, request.inputs) if large else to_arrays(request.inputs)
        prediction = await self._core.predict(ref, inputs, request.model_spec.signature_name, request.output_filter)
        if large:
            return await asyncio.to_thread(_predict_message, ref, prediction)
        return _predict_message(ref, prediction)

    @_answering
    async def GetModelMetadata(self, request: Any) -> Any:  # noqa: N802
        ref = _ref(request)
        if not request.metadata_field:
            raise InputError("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != _SIGNATURE_DEF:
                raise InputError(f"Metadata field {name} is not supported")
        return metadata_message(self._core, ref)

    @_answering
    async def Classify(self, request: Any) -> Any:  # noqa: N802, ARG002
        raise UnsupportedError("Classify is not supported. Use Predict with the same signature.")

    @_answering
    async def Regress(self, request: Any) -> Any:  # noqa: N802, ARG002
        raise UnsupportedError("Regress is not supported. Use Predict with the same signature.")

    @_answering
    async def MultiInference(self, request: Any) -> Any:  # noqa: N802, ARG002
        raise UnsupportedError("MultiInference is not supported. Use Predict with the same signature.")


class ModelService:
    """`tensorflow.serving.ModelService`; `requests` names its methods and what they take."""

    requests: Mapping[str, Any] = {
        "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
        "HandleReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
    }

    def __init__(self, core: Core) -> None:
        self._core = core

    @_answering
    async def GetModelStatus(self, request: Any) -> Any:  # noqa: N802
        return status_message(self._core.statuses(_ref(request)))

    @_answering
    async def HandleReloadConfigRequest(self, request: Any) -> Any:  # noqa: N802, ARG002
        raise UnsupportedError("HandleReloadConfigRequest is not supported.")


def _predict_message(ref: ModelRef, prediction: Prediction) -> Any:
    response = predict_pb2.PredictResponse()
    response.model_spec.name = ref.name
    response.model_spec.version.value = prediction.version
    response.model_spec.signature_name = prediction.signature
    for alias, array in prediction.outputs.items():
        # As values: some clients read `float_val` themselves, and TensorFlow Serving's default is this.
        from_array(array, response.outputs[alias], content=False)
    return response


def status_message(statuses: list[VersionStatus]) -> Any:
    """A GetModelStatusResponse."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in statuses:
        item = response.model_version_status.add(version=status.version, state=int(status.state))
        item.status.error_code = int(status.code)
        item.status.error_message = status.message
    return response


def metadata_message(core: Core, ref: ModelRef) -> Any:
    """A GetModelMetadataResponse with the signatures of a version."""
    version, definitions = core.metadata(ref)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in definitions.items():
        signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = ref.name
    response.model_spec.version.value = version
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response


def _ref(request: Any) -> ModelRef:
    if not request.HasField("model_spec"):
        raise InputError("Missing ModelSpec")
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    return ModelRef(spec.name, version, spec.version_label)
