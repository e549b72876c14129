"""The two inputs that all architectures share, and what they compile with."""

from __future__ import annotations

import keras
from keras import ops

from nids.transform import InputLayout


def encode(layout: InputLayout) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor]:
    """The inputs of `layout` by name, and one float32 vector per flow of shape (n, layout.width).

    Numbers come first, then one one-hot block per category, each in layout order.
    """
    inputs: dict[str, keras.KerasTensor] = {}
    parts: list[keras.KerasTensor] = []
    if layout.numbers:
        inputs["numbers"] = keras.Input((len(layout.numbers),), name="numbers", dtype="float32")
        parts.append(inputs["numbers"])
    if layout.codes:
        inputs["codes"] = keras.Input((len(layout.codes),), name="codes", dtype="int32")
        parts += [ops.one_hot(inputs["codes"][:, i], slots) for i, slots in enumerate(layout.slots)]
    return inputs, ops.concatenate(parts, axis=-1)


def compiled(model: keras.Model, learning_rate: float) -> keras.Model:
    """`model`, to be trained with Adam on the cross-entropy of class indices."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        # On a CPU, XLA takes three times as long per epoch and half a minute to compile.
        jit_compile=False,
    )
    return model
