"""The served model: raw flow features in, probabilities, class ids and labels out, with the transform inside its graph.

Signatures:
    serving_default   one input of shape [batch] per selected feature, by name: float32, int64 or string as in the
                      schema. Outputs `probabilities` float32 [batch, n_classes], `class_id` int64 [batch] and
                      `label` string [batch].
    classify          TensorFlow Serving's classify kind: `inputs` string [batch], serialized tf.Example whose
                      features have the names and types above. Outputs `classes` string and `scores` float32, both
                      [batch, n_classes], in class order.

Both fail with INVALID_ARGUMENT, naming the features, for NaN, infinity and columns of different lengths. A category
that training did not see goes through the unknown slot. An empty batch gives empty outputs.

What is reproducible: the weights, and, from the same steps in a fresh process, every other byte. `saved_model.pb`
carries function names that count what the process traced before, so another history gives another name there.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import polars as pl
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from nids._graph_checks import check_finite, check_lengths
from nids.datasets import get_schema
from nids.errors import ArtifactError, InputError
from nids.files import new_folder
from nids.graph_errors import reason
from nids.schema import Column, Kind
from nids.transform import UNKNOWN, InputLayout, NumberScale, Transform

PREDICT = "serving_default"
CLASSIFY = "classify"
CLASSIFY_METHOD = "tensorflow/serving/classify"

_Tensors = dict[str, Any]
_DTYPES = {Kind.FLOAT: tf.float32, Kind.INTEGER: tf.int64, Kind.CATEGORY: tf.string}


def export_saved_model(model: keras.Model, transform: Transform, selected: Sequence[str], path: Path) -> None:
    """Write the served model of `model` to the folder `path`, whole or not at all.

    Args:
        model: inputs `numbers` and `codes` as in `InputLayout.of(selected, transform)`; output of shape
            (n, n_classes), probabilities.
        transform: the transform that made the model's training data.
        selected: raw features the model uses, in its input order.
        path: folder of the SavedModel; replaced where it exists.

    Raises:
        InputError: a feature that the transform lacks, or a model whose inputs or classes are others.
    """
    layout = InputLayout.of(selected, transform)
    _check_model(model, layout, len(transform.classes))
    module = _ServedModel(model, transform, layout)
    schema = get_schema(transform.schema)
    columns = [schema.feature(name) for name in selected]
    signatures = {PREDICT: module.predict_function(columns), CLASSIFY: module.classify_function(columns)}
    module.weights = _captured_weights(model, signatures.values())
    with new_folder(path) as folder:
        tf.saved_model.save(module, str(folder), signatures=signatures)
        _finish(folder)


class SavedModelScorer:
    """Asks the default signature of a served model, flow records in and numbers out.

    Args:
        path: folder of the SavedModel.

    Raises:
        ArtifactError: there is no SavedModel with that signature.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            self._model = tf.saved_model.load(str(path))
            self._predict = self._model.signatures[PREDICT]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            reason = str(error).partition("\n")[0]
            raise ArtifactError(
                f"Expected a SavedModel with signature {PREDICT} at {path}. Received: {reason}"
            ) from error
        self._specs = self._predict.structured_input_signature[1]

    @property
    def features(self) -> list[str]:
        """Names of the raw features a request must hold, sorted."""
        return sorted(self._specs)

    def request(self, flows: pl.DataFrame) -> dict[str, Any]:
        """The signature's inputs: one tensor of shape (n_flows,) per feature. A null category becomes "".

        Raises:
            InputError: a feature is missing, or a number is null.
        """
        missing = [name for name in self.features if name not in flows.columns]
        if missing:
            raise InputError(f"Expected flows with the columns {self.features}. Lacking: {missing}")
        return {name: _tensor(flows[name], spec.dtype) for name, spec in self._specs.items()}

    def answer(self, request: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """`probabilities`, `class_id` and `label` for one request.

        Raises:
            InputError: the graph refuses it: a number is not finite, or columns differ in length.
        """
        try:
            return {name: tensor.numpy() for name, tensor in self._predict(**request).items()}
        except tf.errors.InvalidArgumentError as error:
            raise InputError(" ".join(reason(error.message).split())) from error

    def probabilities(self, flows: pl.DataFrame, batch_size: int = 1024) -> npt.NDArray[np.float32]:
        """float32 array of shape (n_flows, n_classes), for raw flows with at least the columns `features`."""
        batches = flows.iter_slices(batch_size) if flows.height else [flows]
        return np.concatenate([self.answer(self.request(batch))["probabilities"] for batch in batches])


def _tensor(column: pl.Series, dtype: Any) -> Any:
    if dtype == tf.string:
        return tf.constant(column.fill_null("").to_list(), tf.string, shape=[len(column)])
    if column.null_count():
        raise InputError(f"Expected numbers in column {column.name!r}. Received null in {column.null_count()} rows")
    return tf.constant(column.to_numpy().astype(dtype.as_numpy_dtype))


class _ServedModel(tf.Module):  # type: ignore[misc]
    """The transform and the model as one graph."""

    def __init__(self, model: keras.Model, transform: Transform, layout: InputLayout) -> None:
        super().__init__(name="nids")
        # Behind a partial: an attribute would be tracked, and saved with its optimizer.
        self._call: Any = functools.partial(model, training=False)
        self._classes = transform.classes
        self._layout = layout
        self._scales = [transform.numbers[name] for name in layout.numbers]
        self._tables = [_Vocabulary.table(name, transform.vocabularies[name]) for name in layout.codes]
        self.weights: list[tf.Variable] = []

    def predict_function(self, columns: Sequence[Column]) -> Any:
        def predict(features: _Tensors) -> _Tensors:
            probabilities = self._probabilities(features)
            class_id = tf.argmax(probabilities, axis=1, output_type=tf.int64)
            return {
                "probabilities": probabilities,
                "class_id": class_id,
                "label": tf.gather(tf.constant(self._classes), class_id),
            }

        specs = {c.name: tf.TensorSpec([None], _DTYPES[c.kind], name=c.name) for c in columns}
        return tf.function(predict, autograph=False).get_concrete_function(specs)

    def classify_function(self, columns: Sequence[Column]) -> Any:
        features = {c.name: tf.io.FixedLenFeature([], _DTYPES[c.kind]) for c in columns}

        def classify(inputs: Any) -> _Tensors:
            scores = self._probabilities(tf.io.parse_example(inputs, features))
            classes = tf.broadcast_to(tf.constant(self._classes), tf.shape(scores))
            return {"classes": classes, "scores": scores}

        spec = tf.TensorSpec([None], tf.string, name="inputs")
        return tf.function(classify, autograph=False).get_concrete_function(spec)

    def _probabilities(self, features: _Tensors) -> Any:
        inputs: _Tensors = {}
        with tf.control_dependencies([check_lengths(features)]):
            if self._layout.numbers:
                inputs["numbers"] = self._numbers(features)
            if self._layout.codes:
                inputs["codes"] = self._codes(features)
        return tf.cast(_answers(self._call, inputs), tf.float32)

    def _numbers(self, features: _Tensors) -> Any:
        """float32 [batch, n_numbers]: `NumberScale.apply` over all columns at once."""
        names = self._layout.numbers
        floats = [name for name in names if features[name].dtype == tf.float32]
        integers = [name for name in names if features[name].dtype != tf.float32]
        blocks = []
        if floats:
            block = tf.stack([features[name] for name in floats], axis=1)
            with tf.control_dependencies([check_finite(block, floats)]):
                blocks.append(tf.identity(block))
        if integers:
            blocks.append(tf.cast(tf.stack([features[name] for name in integers], axis=1), tf.float32))
        raw = tf.concat(blocks, axis=1)
        order = [(*floats, *integers).index(name) for name in names]
        if order != sorted(order):
            raw = tf.gather(raw, order, axis=1)
        return _scaled(raw, self._scales)

    def _codes(self, features: _Tensors) -> Any:
        """int32 [batch, n_codes]."""
        pairs = zip(self._tables, self._layout.codes, strict=True)
        return tf.stack([table.lookup(features[name]) for table, name in pairs], axis=1)


def _answers(call: Any, inputs: _Tensors) -> Any:
    """`call(inputs)`, of a batch of at least one: convolutions fail on none, so a row of zeros stands in for it."""
    rows = tf.shape(next(iter(inputs.values())))[0]
    lacking = tf.cast(tf.equal(rows, 0), tf.int32)
    return call({name: tf.pad(block, [[0, lacking], [0, 0]]) for name, block in inputs.items()})[:rows]


class _Vocabulary(tf.lookup.KeyValueTensorInitializer):  # type: ignore[misc]
    """Constant content of a vocabulary table, under a name that is a digest of it.

    Tables of one name are one resource in a process. TensorFlow's own names are small counters, so that two versions
    loaded by one server could share a table; with these names only equal tables can.
    """

    def __init__(self, feature: str, values: Sequence[str]) -> None:
        super().__init__(tf.constant(list(values), tf.string), tf.range(1, len(values) + 1, dtype=tf.int32))
        content = json.dumps(list(values)).encode()
        self._name = f"vocabulary_{feature}_{hashlib.sha256(content).hexdigest()}"

    @property
    def _shared_name(self) -> str:
        return self._name

    @classmethod
    def table(cls, feature: str, values: Sequence[str]) -> tf.lookup.StaticHashTable:
        return tf.lookup.StaticHashTable(cls(feature, values), default_value=UNKNOWN)


def _scaled(raw: Any, scales: Sequence[NumberScale]) -> Any:
    """`NumberScale.apply` column by column: the bounds are computed by numpy, once, as that does."""
    low = np.array([scale.minimum for scale in scales], np.float32)
    high = np.array([scale.maximum for scale in scales], np.float32)
    logged = np.array([scale.log1p for scale in scales])
    x = tf.minimum(tf.maximum(raw, low), high)
    if logged.any():
        x = tf.where(logged, tf.math.log1p(tf.where(logged, x, 0.0)), x)
    low[logged], high[logged] = np.log1p(low[logged]), np.log1p(high[logged])
    span = high - low
    factor = np.divide(np.float32(1), span, out=np.zeros_like(span), where=span > 0)
    return tf.clip_by_value((x - low) * factor, 0.0, 1.0)


def _check_model(model: keras.Model, layout: InputLayout, n_classes: int) -> None:
    expected = {
        name: len(columns) for name, columns in (("numbers", layout.numbers), ("codes", layout.codes)) if columns
    }
    received = {tensor.name: tensor.shape[-1] for tensor in model.inputs}
    if received != expected:
        raise InputError(f"Expected a model with the inputs and widths {expected}. Received: {received}")
    if len(model.outputs) != 1 or model.outputs[0].shape[-1] != n_classes:
        shapes = [tuple(tensor.shape) for tensor in model.outputs]
        raise InputError(f"Expected a model with one output of {n_classes} classes. Received: {shapes}")


def _captured_weights(model: keras.Model, functions: Iterable[Any]) -> list[Any]:
    """The variables that inference reads, in the model's order: no optimizer state, no random seeds."""
    captured = {id(variable) for function in functions for variable in function.graph.variables}
    return [variable.value for variable in model.variables if id(variable.value) in captured]


def _finish(folder: Path) -> None:
    """Give `classify` its method name, which `tf.saved_model.save` cannot, and drop what differs in every export."""
    file = folder / "saved_model.pb"
    proto = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in proto.meta_graphs:
        graph.signature_def[CLASSIFY].method_name = CLASSIFY_METHOD
    file.write_bytes(proto.SerializeToString(deterministic=True))
    # It holds a random id and a checksum of the file just changed; servers and loaders do without.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
