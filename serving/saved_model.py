"""Any SavedModel, loaded and run as TensorFlow Serving does it: a session, and one compiled step per signature."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from nids.errors import InputError
from serving.signature import DEFAULT, Signature, batch_sizes, read_signature
from serving.status import Code, PreconditionError, code_of
from serving.tensors import Array

_TAG = "serve"
_MAX_STEPS = 64


def find_devices() -> None:
    """Let TensorFlow look for GPUs now, which it otherwise does, and talks about, at the first session."""
    tf.config.list_physical_devices()


class SavedModel:
    """One loaded version. `run` may be called from many threads at once.

    Attributes:
        signature_defs: TensorFlow's SignatureDef by name, as stored.
        signatures: the same, ready to check requests against.
    """

    def __init__(self, path: str | Path, *, intra_op_threads: int = 0, inter_op_threads: int = 0) -> None:
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=intra_op_threads, inter_op_parallelism_threads=inter_op_threads
        )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        self._steps: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        try:
            with self._session.graph.as_default():
                loader = tf.compat.v1.saved_model.loader
                graph = _quietly(loader.load, self._session, [_TAG], str(path))
            self.signature_defs: Mapping[str, Any] = dict(graph.signature_def)
            self.signatures = {name: read_signature(name, d) for name, d in self.signature_defs.items()}
        except BaseException:
            self.close()
            raise

    def signature(self, name: str = "") -> Signature:
        """The signature called `name`, the default one for an empty name.

        Raises:
            PreconditionError: there is none.
        """
        found = self.signatures.get(name or DEFAULT)
        if found is None:
            raise PreconditionError(f'Serving signature key "{name or DEFAULT}" not found.')
        return found

    def run(self, signature: Signature, arrays: Sequence[Array], outputs: tuple[str, ...]) -> dict[str, Array]:
        """Outputs by alias, for checked arrays in the order of `signature.inputs`.

        Raises:
            InputError: arrays of different batch sizes that the graph refuses.
            tf.errors.OpError: what the graph itself reports.
        """
        step = self._step(signature, outputs)
        try:
            values = step(*arrays)
        except (
            UnicodeDecodeError
        ) as error:  # TensorFlow's message quotes bytes of the request, and its binding stumbles
            raise InputError(error.object.decode("utf-8", "backslashreplace")) from error
        except tf.errors.OpError as error:
            sizes = batch_sizes(signature, arrays)
            if code_of(error) is Code.INVALID_ARGUMENT and len(set(sizes.values())) > 1:
                raise InputError(
                    f"Expected inputs with equal first dimensions. Received: {sizes}. {error.message}"
                ) from error
            raise
        return dict(zip(outputs, values, strict=True))

    def _step(self, signature: Signature, outputs: tuple[str, ...]) -> Any:
        # A compiled step costs a seventh of Session.run: no feed and fetch lists are built per call.
        key = (signature.name, outputs)
        step = self._steps.get(key)
        if step is None:
            options = config_pb2.CallableOptions(
                feed=[spec.tensor for spec in signature.inputs.values()],
                fetch=[signature.outputs[alias].tensor for alias in outputs],
            )
            with self._lock:
                if len(self._steps) >= _MAX_STEPS:
                    self._steps.clear()
                step = self._steps[key] = self._session._make_callable_from_options(options)
        return step

    def close(self) -> None:
        """Free the graph and its variables; no `run` may be under way."""
        self._steps.clear()
        self._session.close()


def _quietly(function: Any, *args: Any) -> Any:
    """Call without TensorFlow's advice to use `tf.saved_model.load`, which is several times slower to call."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        return function(*args)
    finally:
        logger.setLevel(level)
