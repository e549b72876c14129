"""Convolutions find local patterns among a flow's features, attention relates them, LSTMs sum the sequence up.

The encoded features of a flow are read as a sequence with one channel. Sizes in the shape comments: n flows, `width`
values per flow, `steps` = ceil(width / 8) after three poolings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nids.models.base import OUTPUT, Architecture, Hyperparameter
from nids.transform import InputLayout

if TYPE_CHECKING:
    import keras

FILTERS = (64, 128, 256)
KERNEL = 3
POOL = 2
ATTENTION_KEYS = 64

# Unrolled, a short LSTM is 1.5 times as fast on a CPU; the graph grows with each step.
_MAX_UNROLLED_STEPS = 16


def construct(layout: InputLayout, n_classes: int, hyperparameters: Mapping[str, Any]) -> keras.Model:
    """The compiled model; see `Architecture.construct`."""
    import keras
    from keras import layers

    from nids.models.inputs import compiled, encode

    inputs, x = encode(layout)  # (n, width)
    x = layers.Reshape((layout.width, 1), name="sequence")(x)  # (n, width, 1)
    for i, filters in enumerate(FILTERS, start=1):
        x = layers.Conv1D(filters, KERNEL, padding="same", activation="relu", name=f"conv{i}")(x)  # (n, ., filters)
        x = layers.MaxPooling1D(POOL, padding="same", name=f"pool{i}")(x)  # (n, ceil(. / 2), filters)
    x = layers.Dropout(hyperparameters["dropout"], name="dropout")(x)
    x = _attend(x)  # (n, steps, 256)
    unroll = x.shape[1] <= _MAX_UNROLLED_STEPS
    units = hyperparameters["lstm_units"]
    x = layers.LSTM(units, return_sequences=True, unroll=unroll, name="lstm1")(x)  # (n, steps, lstm_units)
    x = layers.LSTM(units, unroll=unroll, name="lstm2")(x)  # (n, lstm_units)
    x = layers.Dense(n_classes, activation="softmax", name=OUTPUT)(x)  # (n, n_classes)
    return compiled(keras.Model(inputs, x, name=ARCHITECTURE.name), hyperparameters["learning_rate"])


def _attend(x: keras.KerasTensor) -> keras.KerasTensor:
    """Scaled dot-product self-attention over the steps, with residual and layer norm; shape unchanged.

    Vaswani et al., Attention Is All You Need (2017), section 3.2.1, with one head and the steps themselves as values:
    with `MultiHeadAttention` of four heads the whole model trains 1.6 times as long on a CPU.
    """
    from keras import layers

    query = layers.Dense(ATTENTION_KEYS, name="query")(x)  # (n, steps, keys)
    query = layers.Rescaling(ATTENTION_KEYS**-0.5, name="scaled_query")(query)
    key = layers.Dense(ATTENTION_KEYS, name="key")(x)  # (n, steps, keys)
    context = layers.Attention(name="attention")([query, x, key])  # (n, steps, 256)
    return layers.LayerNormalization(name="attended")(layers.Add(name="residual")([x, context]))


ARCHITECTURE = Architecture(
    name="attention_cnn_lstm",
    hyperparameters={
        "learning_rate": Hyperparameter(0.001, (0.001, 0.0005), minimum=1e-7, maximum=1.0),
        "dropout": Hyperparameter(0.2, (0.2, 0.4), minimum=0.0, maximum=0.95),
        "lstm_units": Hyperparameter(64, (32, 64), minimum=1, maximum=1024),
        "batch_size": Hyperparameter(256, (256, 512), minimum=1, maximum=65536),
    },
    construct=construct,
)

build = ARCHITECTURE.build
