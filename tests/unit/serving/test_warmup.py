from __future__ import annotations

import numpy as np
import pytest

from nids.errors import ArtifactError, InputError
from serving.warmup import MAX_RECORDS, WARMUP_FILE, has_warmup, read_warmup, warmup_records, write_warmup

tf = pytest.importorskip("tensorflow")
prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def request(rows):
    return {
        "count": np.arange(rows, dtype=np.int64),
        "rate": np.linspace(0, 1, rows, dtype=np.float32),
        "service": tf.constant(["http"] * rows),
    }


def logs(folder):
    records = tf.data.TFRecordDataset(str(folder / WARMUP_FILE)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def test_requests_lie_where_tensorflow_serving_reads_them_in_its_format(tmp_path):
    file = write_warmup(tmp_path, "nids", [request(1), request(5)])
    assert file == tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    sent = [log.predict_log.request for log in logs(tmp_path)]
    assert [(r.model_spec.name, r.model_spec.signature_name) for r in sent] == [("nids", "serving_default")] * 2
    types = {name: tf.as_dtype(proto.dtype) for name, proto in sent[1].inputs.items()}
    assert types == {"count": tf.int64, "rate": tf.float32, "service": tf.string}
    assert [[dim.size for dim in r.inputs["service"].tensor_shape.dim] for r in sent] == [[1], [5]]


def test_what_was_written_is_read_back(tmp_path):
    write_warmup(tmp_path, "nids", [request(1), request(5)])
    read = list(read_warmup(tmp_path))
    assert [inputs["count"].tolist() for inputs in read] == [[0], [0, 1, 2, 3, 4]]
    assert read[1]["service"].tolist() == [b"http"] * 5
    np.testing.assert_array_equal(read[1]["rate"], np.linspace(0, 1, 5, dtype=np.float32))


def test_the_same_requests_make_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_warmup(tmp_path / name, "nids", [dict(sorted(request(3).items(), reverse=name == "first"))])
    assert (tmp_path / "first" / WARMUP_FILE).read_bytes() == (tmp_path / "second" / WARMUP_FILE).read_bytes()


@pytest.mark.parametrize("count", [0, MAX_RECORDS + 1])
def test_a_number_of_requests_that_a_server_refuses_is_not_written(tmp_path, count):
    with pytest.raises(InputError, match=f"1 to 1000.*Received: {count}"):
        write_warmup(tmp_path, "nids", [request(1)] * count)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_a_truncated_and_a_foreign_file_are_named(tmp_path):
    with pytest.raises(ArtifactError, match="tf_serving_warmup_requests"):
        list(read_warmup(tmp_path))
    file = write_warmup(tmp_path, "nids", [request(3)])
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(ArtifactError, match="tf_serving_warmup_requests"):
        list(read_warmup(tmp_path))
    for record in (b"\xff\xff no protobuf", prediction_log_pb2.PredictionLog().SerializeToString()):
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(record)
        with pytest.raises(ArtifactError, match="tf_serving_warmup_requests"):
            list(read_warmup(tmp_path))


def test_more_requests_than_a_server_takes_are_refused_on_reading(tmp_path):
    file = write_warmup(tmp_path, "nids", [request(1)])
    (record,) = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for _ in range(MAX_RECORDS + 1):
            writer.write(record)
    with pytest.raises(ArtifactError, match=f"at most {MAX_RECORDS} warm-up requests in .*tf_serving_warmup_requests"):
        list(warmup_records(tmp_path))


def test_whether_there_are_requests_can_be_asked(tmp_path):
    assert not has_warmup(tmp_path)
    write_warmup(tmp_path, "nids", [request(1)])
    assert has_warmup(tmp_path)
