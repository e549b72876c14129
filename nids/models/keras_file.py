"""Keras' own file of a model: written so that the same model makes the same bytes, loaded, and asked.

It is written without the time and without memory addresses.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from nids.errors import ArtifactError

_BATCH = 1024
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_METADATA = "metadata.json"
_CONFIG = "config.json"
_SHARED = "shared_object_id"


def save_keras(model: keras.Model, path: Path) -> None:
    """Write `model` to `path`, a name ending in `.keras`, for `keras.models.load_model`."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        stamped = Path(folder) / path.name
        model.save(stamped)
        with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(path, "w") as target:
            for name in source.namelist():
                target.writestr(zipfile.ZipInfo(name, _LONG_AGO), _reproducible(name, source.read(name)))


def load_keras(path: Path) -> keras.Model:
    """The model in a file of `save_keras`, to be asked and not to be trained on.

    Raises:
        ArtifactError: there is no such file, or it holds no model.
    """
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"Expected a Keras model at {path}. Received: {reason}") from error


def answers(model: keras.Model, arrays: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Probabilities of shape (n, n_classes), for the model's inputs by name as `InputLayout.arrays` makes them."""
    probabilities: npt.NDArray[np.float32] = model.predict(dict(arrays), batch_size=_BATCH, verbose=0)
    return probabilities


def _reproducible(name: str, content: bytes) -> bytes:
    if name == _METADATA:
        metadata = json.loads(content)
        metadata.pop("date_saved", None)
        return json.dumps(metadata).encode()
    if name == _CONFIG:
        return json.dumps(_renumbered(json.loads(content), {})).encode()
    return content


def _renumbered(value: Any, numbers: dict[int, int]) -> Any:
    """`value` with its shared object ids, which are addresses, counted in order of appearance."""
    if isinstance(value, dict):
        return {
            key: numbers.setdefault(item, len(numbers)) if key == _SHARED else _renumbered(item, numbers)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renumbered(item, numbers) for item in value]
    return value
