"""Checks inside the served graph: requests that make no sense end in INVALID_ARGUMENT, naming the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


def check_finite(block: Any, names: Sequence[str]) -> Any:
    """An op that fails, naming the columns of `block` [batch, len(names)] that hold NaN or infinity."""
    finite = tf.reduce_all(tf.math.is_finite(block), axis=0)
    message = "Expected finite numbers. Received NaN or infinity in: "
    return tf.cond(tf.reduce_all(finite), _accept, lambda: _refuse(message, names, ~finite))


def check_lengths(features: Mapping[str, Any]) -> Any:
    """An op that fails, naming the features that are not vectors of the first feature's length.

    Servers feed any shape, so nothing here may follow from the declared ones: TensorFlow folds ranks into constants.
    """
    names = list(features)
    # ShapeN takes tensors of one type, and one op per feature would cost more than the rest of the transform.
    shapes: dict[str, Any] = {}
    for dtype in dict.fromkeys(features[name].dtype for name in names):
        same = [name for name in names if features[name].dtype == dtype]
        shapes.update(zip(same, tf.raw_ops.ShapeN(input=[features[name] for name in same]), strict=True))
    sizes = tf.concat([shapes[name] for name in names], axis=0)

    def refuse() -> Any:
        texts = [tf.strings.reduce_join(tf.strings.as_string(shapes[name]), separator=", ") for name in names]
        bad = tf.not_equal(tf.stack(texts), tf.strings.as_string(sizes[0]))
        message = f"Expected shape [batch] and as many values as in feature {names[0]}. Received another shape in: "
        return _refuse(message, names, bad)

    # A matrix adds a dimension to `sizes`, hence to their sum, even where all of them are 1.
    vectors = tf.equal(tf.reduce_sum(sizes), len(names) * sizes[0])
    return tf.cond(tf.logical_and(vectors, tf.reduce_all(tf.equal(sizes, sizes[0]))), _accept, refuse)


def _accept() -> Any:
    return tf.constant(True)


def _refuse(message: str, names: Sequence[str], bad: Any) -> Any:
    """Fail with `message` and the names where the vector `bad` is true."""
    culprits = tf.strings.reduce_join(tf.boolean_mask(tf.constant(list(names)), bad), separator=", ")
    with tf.control_dependencies([tf.debugging.Assert(False, [tf.strings.join([message, culprits])])]):
        return tf.constant(False)
