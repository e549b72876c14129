"""Warm-up requests that lie beside a SavedModel; TensorFlow Serving runs them before a version takes traffic.

File format: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from nids.errors import ArtifactError, InputError

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS = 1000
"""TensorFlow Serving refuses a version with more."""


def write_warmup(
    saved_model: Path,
    model_name: str,
    requests: Sequence[Mapping[str, Any]],
    signature: str = "serving_default",
) -> Path:
    """Write one predict request per entry of `requests`, which maps input names to tensors or arrays.

    Returns:
        The file written, below the folder `saved_model`.

    Raises:
        InputError: there is no request, or more than `MAX_RECORDS`.
    """
    if not 0 < len(requests) <= MAX_RECORDS:
        raise InputError(f"Expected 1 to {MAX_RECORDS} warm-up requests. Received: {len(requests)}")
    file = saved_model / WARMUP_FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for inputs in requests:
            log = PredictionLog(predict_log=PredictLog(request=_predict_request(model_name, signature, inputs)))
            writer.write(log.SerializeToString(deterministic=True))
    return file


def has_warmup(saved_model: Path) -> bool:
    """Whether warm-up requests lie beside a SavedModel."""
    return (saved_model / WARMUP_FILE).exists()


def warmup_records(saved_model: Path) -> Iterator[Any]:
    """The PredictionLog of every warm-up request.

    Raises:
        ArtifactError: the file is missing or damaged, or holds more records than TensorFlow Serving accepts.
    """
    file = saved_model / WARMUP_FILE
    try:
        with tf.device("cpu"):
            records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        for count, record in enumerate(records):
            if count >= MAX_RECORDS:
                raise ArtifactError(f"Expected at most {MAX_RECORDS} warm-up requests in {file}. Received: more")
            yield PredictionLog.FromString(record)
    except (tf.errors.OpError, DecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise ArtifactError(f"Expected warm-up requests in {file}. Received: {reason}") from error


def read_warmup(saved_model: Path) -> Iterator[dict[str, Any]]:
    """The inputs of every warm-up request, as arrays by name.

    Raises:
        ArtifactError: as `warmup_records`, or there is something else than predict requests.
    """
    for log in warmup_records(saved_model):
        if not log.HasField("predict_log"):
            received = log.WhichOneof("log_type")
            raise ArtifactError(f"Expected predict requests in {saved_model / WARMUP_FILE}. Received: {received}")
        yield {name: tf.make_ndarray(proto) for name, proto in log.predict_log.request.inputs.items()}


def _predict_request(model_name: str, signature: str, inputs: Mapping[str, Any]) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request
