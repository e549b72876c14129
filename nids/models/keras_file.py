"""Keras' own file of a model, without the time it was written and without memory addresses: same model, same bytes."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

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
