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


_NODE = "\n\t [[{{function_node __inference_predict_81}}{{node assert_less/Assert}}]]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"assertion failed: [Expected finite numbers in: a, b]{_NODE}", "Expected finite numbers in: a, b"),
        (f"assertion failed: [x is too large] [Condition x < y] [x (x:0) = ] [3]{_NODE}", "x is too large"),
        (f"Incompatible shapes: [2] vs. [3]{_NODE}", "Incompatible shapes: [2] vs. [3]"),
        ("{{function_node __wrapped__Cast}} Cast failed {{node Cast}}", "Cast failed"),
        ("Bad.\n\nOriginal stack trace for 'a':\n  File x", "Bad."),
        ("Expected shape [?] and not [2]", "Expected shape [?] and not [2]"),
    ],
)
def test_the_inside_of_the_graph_is_no_part_of_a_message(text, expected):
    import tensorflow as tf

    assert message_of(tf.errors.InvalidArgumentError(None, None, text)) == expected
    assert message_of(InputError(text)) == expected
