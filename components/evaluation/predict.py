"""The trained model's answers to a transformed split."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.artifacts import ModelFiles
from nids.errors import ArtifactError
from nids.transform import InputLayout, Transform

_BATCH = 1024


def predict(files: ModelFiles, transform: Transform, X: pl.DataFrame) -> npt.NDArray[np.float32]:
    """Probabilities of shape (n_flows, n_classes), by the Keras model of a model folder.

    Args:
        files: the model folder.
        transform: the one stored in it.
        X: transformed flows with at least the features of the model.

    Raises:
        ArtifactError: the folder holds no Keras model that can be loaded.
        InputError: a feature of the model is not in its transform.
    """
    import keras

    info = files.info()
    architecture = f"nids.models.{info.architecture}"
    if importlib.util.find_spec(architecture) is not None:
        importlib.import_module(architecture)  # registers the layers of its own
    try:
        model = keras.models.load_model(files.keras, compile=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"Expected a Keras model at {files.keras}. Received: {reason}") from error
    arrays: dict[str, Any] = InputLayout.of(info.features, transform).arrays(X)
    probabilities: npt.NDArray[np.float32] = model.predict(arrays, batch_size=_BATCH, verbose=0)
    return probabilities
