import grpc
import pytest

from nids.errors import InputError, NotFoundError, StoreError
from serving.status import (
    HTTP_STATUS,
    BusyError,
    Code,
    PreconditionError,
    UnsupportedError,
    code_of,
    error_of,
    message_of,
)


def test_the_codes_are_those_of_grpc_and_each_has_an_http_status():
    assert {code.name: code.value for code in Code} == {status.name: status.value[0] for status in grpc.StatusCode}
    assert set(HTTP_STATUS) == set(Code)


@pytest.mark.parametrize(
    "kind", [InputError, NotFoundError, PreconditionError, UnsupportedError, StoreError, BusyError]
)
def test_an_error_comes_back_from_the_wire_as_what_it_was(kind):
    error = error_of(code_of(kind("why")), "why")

    assert type(error) is kind
    assert str(error) == "why"


@pytest.mark.parametrize("code", [Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.INTERNAL, Code.UNKNOWN])
def test_what_may_pass_is_a_store_error(code):
    assert isinstance(error_of(code, ""), StoreError)


def test_tensorflow_errors_carry_their_code_and_message():
    import tensorflow as tf

    error = tf.errors.InvalidArgumentError(None, None, "no such shape")

    assert code_of(error) is Code.INVALID_ARGUMENT
    assert message_of(error) == "no such shape"
    assert code_of(tf.errors.DataLossError(None, None, "cut off")) is Code.DATA_LOSS


def test_a_defect_of_ours_is_internal_and_never_nameless():
    assert code_of(KeyError("x")) is Code.INTERNAL
    assert message_of(ValueError()) == "ValueError"
