"""The one decorator of all components, and the images they run in.

A component module must not say `from __future__ import annotations`: KFP reads the annotations as objects.
"""

import functools
import os

from kfp import dsl

_REGISTRY = os.environ.get("NIDS_REGISTRY", "").rstrip("/")
_TAG = os.environ.get("NIDS_TAG", "latest")


def _image(name: str) -> str:
    return f"{_REGISTRY}/{name}:{_TAG}" if _REGISTRY else f"{name}:{_TAG}"


DATA_IMAGE = _image("nids-data")
TENSORFLOW_IMAGE = _image("nids-tensorflow")

# kfp is in the image, so a step starts without installing anything, and locally runs in this environment.
component = functools.partial(dsl.component, install_kfp_package=False)
