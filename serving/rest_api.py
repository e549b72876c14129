"""TensorFlow Serving's REST API over the core: status, metadata and predict below `/v1/models/`."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from urllib.parse import unquote

from aiohttp import web
from google.protobuf.json_format import MessageToDict, MessageToJson
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from nids.errors import InputError
from serving.core import LARGE, Core, ModelRef
from serving.grpc_service import metadata_message, status_message
from serving.json_predict import JsonRequest, format_response, parse_request
from serving.signature import DEFAULT, Signature
from serving.status import HTTP_STATUS, Code, PreconditionError, UnsupportedError, code_of, message_of

log = logging.getLogger(__name__)

# The patterns of model_servers/http_rest_api_util.cc.
_SPEC = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_PREDICTION = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_SPEC}:(?P<method>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_MODEL = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_SPEC}(?:/(?P<what>metadata))?", re.IGNORECASE | re.ASCII)

_MAX_VERSION = 2**63 - 1
_MAX_BODY = 2**31 - 1  # as for gRPC messages


def make_app(core: Core) -> web.Application:
    """The aiohttp application."""
    api = RestApi(core)
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/{path:.*}", api.answer)
    return app


class RestApi:
    """Requests to the core, and its answers and errors back, as JSON."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request; an error is `{"error": message}` with TensorFlow Serving's HTTP status."""
        path = request.rel_url.raw_path
        if not path.lower().startswith("/v1/"):
            return web.Response(status=404)
        try:
            body = await self._dispatch(request, path)
            return web.Response(body=body, content_type="application/json")
        except (asyncio.CancelledError, web.HTTPException):
            raise
        except Exception as error:
            code = code_of(error)
            if code is Code.INTERNAL:
                log.exception("%s %s failed", request.method, path)
            body = json.dumps({"error": message_of(error)}).encode()
            return web.Response(status=HTTP_STATUS[code], body=body, content_type="application/json")

    async def _dispatch(self, request: web.Request, path: str) -> bytes:
        if request.method == "POST" and (match := _PREDICTION.fullmatch(path)):
            method = match["method"].lower()
            if method != "predict":
                raise UnsupportedError(f"{method} is not supported. Use predict with the same signature.")
            return await self._predict(_ref(match), await request.read())
        if request.method == "GET" and (match := _MODEL.fullmatch(path)):
            if not match["name"]:
                raise InputError("Missing model name in request.")
            return self._metadata(_ref(match)) if match["what"] else self._status(_ref(match))
        raise InputError(f"Malformed request: {request.method} {path}")

    async def _predict(self, ref: ModelRef, body: bytes) -> bytes:
        request = await self._parse(ref, body)
        prediction = await self._core.predict(ref, request.inputs, request.signature_name)
        if len(body) > LARGE:
            return await asyncio.to_thread(format_response, prediction.outputs, request.form)
        return format_response(prediction.outputs, request.form)

    async def _parse(self, ref: ModelRef, body: bytes) -> JsonRequest:
        def signature_of(name: str) -> Signature:
            try:
                return self._core.signature(ref, name)
            except PreconditionError as error:
                # REST has its own words and code for it (http_rest_api_handler.cc, GetInfoMap).
                message = f'Serving signature name: "{name or DEFAULT}" not found in signature def'
                raise InputError(message) from error

        if len(body) <= LARGE:
            return parse_request(body, signature_of)
        # The core belongs to this event loop: from the thread, it is asked through the loop.
        loop = asyncio.get_running_loop()

        async def ask(name: str) -> Signature:
            return signature_of(name)

        return await asyncio.to_thread(
            parse_request, body, lambda name: asyncio.run_coroutine_threadsafe(ask(name), loop).result()
        )

    def _status(self, ref: ModelRef) -> bytes:
        message = status_message(self._core.statuses(ref))
        return MessageToJson(message, always_print_fields_with_no_presence=True, indent=1).encode()

    def _metadata(self, ref: ModelRef) -> bytes:
        message = metadata_message(self._core, ref)
        signatures = SignatureDefMap()
        message.metadata["signature_def"].Unpack(signatures)
        to_dict = functools.partial(
            MessageToDict, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        body = {
            "model_spec": to_dict(message.model_spec),
            "metadata": {"signature_def": to_dict(signatures)},
        }
        return json.dumps(body, indent=1).encode()


def _ref(match: re.Match[str]) -> ModelRef:
    version = int(match["version"]) if match["version"] else None
    if version is not None and version > _MAX_VERSION:
        raise InputError(f"Failed to convert version: {match['version']} to numeric.")
    return ModelRef(unquote(match["name"]), version, unquote(match["label"] or ""))
