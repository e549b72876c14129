"""The trained model's answers to a transformed split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from nids.artifacts import ModelFiles
from nids.transform import InputLayout, Transform


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
    from nids.models.keras_file import answers, load_keras

    layout = InputLayout.of(files.info().features, transform)
    return answers(load_keras(files.keras), layout.arrays(X))
