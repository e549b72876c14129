"""One table of errors and status codes, for both protocols and both directions.

The codes are gRPC's (google.rpc.Code); their HTTP statuses are those of TensorFlow Serving
(`model_servers/http_server.cc`, ToHTTPStatusCode).
"""

from __future__ import annotations

from enum import IntEnum

from nids.errors import ArtifactError, InputError, NidsError, NotFoundError, StoreError
from nids.graph_errors import reason


class Code(IntEnum):
    """Canonical status codes; the numbers are those on the wire and in `tf.errors`."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class PreconditionError(InputError):
    """The request cannot be answered by this model, whatever its values: FAILED_PRECONDITION."""


class UnsupportedError(InputError):
    """The server does not offer what was asked for: UNIMPLEMENTED."""


class BusyError(StoreError):
    """The server has too much to do now: RESOURCE_EXHAUSTED."""


# Most special class first: the first match counts.
_CODES: tuple[tuple[type[BaseException], Code], ...] = (
    (PreconditionError, Code.FAILED_PRECONDITION),
    (UnsupportedError, Code.UNIMPLEMENTED),
    (InputError, Code.INVALID_ARGUMENT),
    (NotFoundError, Code.NOT_FOUND),
    (ArtifactError, Code.DATA_LOSS),
    (BusyError, Code.RESOURCE_EXHAUSTED),
    (StoreError, Code.UNAVAILABLE),
    (MemoryError, Code.RESOURCE_EXHAUSTED),
    (TimeoutError, Code.DEADLINE_EXCEEDED),
)

HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

_REFUSED = {
    Code.INVALID_ARGUMENT: InputError,
    Code.OUT_OF_RANGE: InputError,
    Code.FAILED_PRECONDITION: PreconditionError,
    Code.UNIMPLEMENTED: UnsupportedError,
    Code.NOT_FOUND: NotFoundError,
    Code.RESOURCE_EXHAUSTED: BusyError,
}


def code_of(error: BaseException) -> Code:
    """The status code of an error. TensorFlow's own errors carry theirs as `error_code`."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    number = getattr(error, "error_code", Code.INTERNAL)
    return Code(number) if number in list(Code) else Code.UNKNOWN


def message_of(error: BaseException) -> str:
    """The text of an error for a client.

    TensorFlow's errors carry theirs as `message`, with the inside of the graph around it: left out here, as is what
    follows the sentence of a failed check. An InputError may have been made of one, and is treated alike.
    """
    text = str(getattr(error, "message", "")) or str(error)
    return reason(text) or type(error).__name__


def error_of(code: Code, message: str) -> NidsError:
    """The error a client raises for a status code: StoreError for whatever may be better at another time."""
    return _REFUSED.get(code, StoreError)(message)
