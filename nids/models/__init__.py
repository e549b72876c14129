"""The model architectures by name. Each module beside this one named here declares one `ARCHITECTURE`.

Light: neither Keras nor TensorFlow is imported before a model is built.
"""

from __future__ import annotations

import importlib

from nids.errors import InputError
from nids.models.base import Architecture

_MODULES = {
    "attention_cnn_lstm": "nids.models.attention_cnn_lstm",
}

NAMES = tuple(_MODULES)


def get_architecture(name: str) -> Architecture:
    """The architecture called `name`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in _MODULES:
        raise InputError(f"Expected architecture to be one of {', '.join(NAMES)}. Received: {name!r}")
    architecture: Architecture = importlib.import_module(_MODULES[name]).ARCHITECTURE
    return architecture
