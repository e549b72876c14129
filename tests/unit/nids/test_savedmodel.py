from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sample_models import dense_model, random_flows

from nids.artifacts import ModelFiles, load_split, load_transform
from nids.datasets import get_schema
from nids.errors import ArtifactError, InputError
from nids.files import tree_digest
from nids.models import get_architecture
from nids.models.fit import new_model
from nids.savedmodel import CLASSIFY, CLASSIFY_METHOD, PREDICT, SavedModelScorer, export_saved_model
from nids.transform import InputLayout, NumberScale, Transform

tf = pytest.importorskip("tensorflow")
SCHEMA = get_schema("nsl-kdd")


@pytest.fixture(scope="module")
def scorer(trained):
    return SavedModelScorer(ModelFiles(trained.root).saved_model)


@pytest.fixture(scope="module")
def flows(trained):
    return load_split(trained.test).flows


@pytest.fixture(scope="module")
def expected(trained, flows):
    """Probabilities of the Keras model on the flows transformed by numpy."""
    import keras

    transform = load_transform(trained.root)
    layout = InputLayout.of(transform.feature_names, transform)
    model = keras.models.load_model(ModelFiles(trained.root).keras)
    return model.predict(layout.arrays(transform.apply(flows)), verbose=0)


@pytest.fixture(scope="module")
def session(trained):
    """The SavedModel as TensorFlow Serving runs it: a graph and a feed by name, of whatever shape a client sends."""
    from tensorflow.core.protobuf.config_pb2 import CallableOptions

    opened = tf.compat.v1.Session(graph=tf.Graph())
    with opened.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(opened, ["serve"], str(ModelFiles(trained.root).saved_model))

    def run(signature, inputs):
        definition = loaded.signature_def[signature]
        feed = [definition.inputs[alias].name for alias in inputs]
        fetch = [info.name for info in definition.outputs.values()]
        step = opened._make_callable_from_options(CallableOptions(feed=feed, fetch=fetch))
        return dict(zip(definition.outputs, step(*inputs.values()), strict=True))

    run.signature_def = loaded.signature_def
    yield run
    opened.close()


def arrays(flows):
    names = SCHEMA.feature_names
    return {
        name: flows[name].to_numpy().astype(object) if flows[name].dtype == pl.String else flows[name].to_numpy()
        for name in names
    }


def examples(flows):
    """Serialized tf.Example records of the raw features."""

    def feature(value):
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))

    rows = flows.select(SCHEMA.feature_names).iter_rows(named=True)
    return [
        tf.train.Example(
            features=tf.train.Features(feature={name: feature(value) for name, value in row.items()})
        ).SerializeToString()
        for row in rows
    ]


def identity_export(path, transform, selected, input_name):
    """A SavedModel whose `probabilities` are the transformed features themselves."""
    import keras

    tensor = keras.Input((len(selected),), name=input_name, dtype="float32" if input_name == "numbers" else "int32")
    model = keras.Model({input_name: tensor}, keras.ops.cast(tensor, "float32"))
    export_saved_model(model, transform, selected, path)
    return SavedModelScorer(path)


def test_raw_flows_score_as_the_keras_model_on_transformed_ones(scorer, flows, expected):
    np.testing.assert_allclose(scorer.probabilities(flows, batch_size=128), expected, atol=1e-5)


def test_class_id_and_label_name_the_most_probable_class(scorer, flows, expected):
    answer = scorer.answer(scorer.request(flows))
    np.testing.assert_array_equal(answer["class_id"], expected.argmax(axis=1))
    assert answer["class_id"].dtype == np.int64
    assert [label.decode() for label in answer["label"]] == [SCHEMA.classes[i] for i in answer["class_id"]]


def test_inputs_are_named_and_typed_as_in_the_schema(session):
    inputs = session.signature_def[PREDICT].inputs
    types = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}
    assert {name: tf.as_dtype(info.dtype) for name, info in inputs.items()} == {
        column.name: types[column.kind.value] for column in SCHEMA.features
    }
    assert all([dim.size for dim in info.tensor_shape.dim] == [-1] for info in inputs.values())
    assert set(session.signature_def[PREDICT].outputs) == {"probabilities", "class_id", "label"}


def test_a_session_answers_as_the_python_loader_does(session, flows, expected):
    np.testing.assert_allclose(session(PREDICT, arrays(flows))["probabilities"], expected, atol=1e-5)


def test_classify_is_of_tensorflow_servings_kind_and_scores_examples(session, flows, expected):
    definition = session.signature_def[CLASSIFY]
    assert definition.method_name == CLASSIFY_METHOD
    assert (set(definition.inputs), set(definition.outputs)) == ({"inputs"}, {"classes", "scores"})
    answer = session(CLASSIFY, {"inputs": np.array(examples(flows), object)})
    np.testing.assert_allclose(answer["scores"], expected, atol=1e-5)
    assert answer["classes"].tolist() == [[name.encode() for name in SCHEMA.classes]] * flows.height


def test_classify_names_the_feature_an_example_lacks(session, flows):
    example = tf.train.Example.FromString(examples(flows[:1])[0])
    del example.features.feature["src_bytes"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="src_bytes"):
        session(CLASSIFY, {"inputs": np.array([example.SerializeToString()], object)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused_by_name(scorer, session, flows, value):
    bad = flows.with_columns(serror_rate=pl.lit(value, pl.Float32), rerror_rate=pl.lit(value, pl.Float32))
    expected = "Expected finite numbers. Received NaN or infinity in: serror_rate, rerror_rate"
    with pytest.raises(InputError) as refused:
        scorer.probabilities(bad)
    assert str(refused.value) == expected
    with pytest.raises(tf.errors.InvalidArgumentError, match=expected):
        session(PREDICT, arrays(bad))


@pytest.mark.parametrize(
    ("rows", "name", "change"),
    [
        (4, "serror_rate", lambda column: column[:3]),
        (4, "src_bytes", lambda column: column[:1]),
        (4, "service", lambda column: np.append(column, "http")),
        (4, "serror_rate", lambda column: column[:, None]),
        (1, "serror_rate", lambda column: column[:, None]),
        (4, "serror_rate", lambda column: column[:0]),
    ],
    ids=["shorter", "one", "longer", "matrix", "matrix of one", "empty"],
)
def test_a_column_of_another_shape_is_refused_by_name(session, flows, rows, name, change):
    inputs = arrays(flows[:rows])
    inputs[name] = change(inputs[name])
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"Received another shape in: {name}\]"):
        session(PREDICT, inputs)


def test_no_flows_give_no_answers(scorer, flows):
    assert scorer.probabilities(flows[:0]).shape == (0, len(SCHEMA.classes))


@pytest.mark.parametrize("selected", [("src_bytes", "serror_rate", "flag"), ("src_bytes",), ("flag", "service")])
def test_no_flows_give_no_answers_from_the_real_architecture_either(tmp_path, selected):
    """Its convolutions fail on a batch of none."""
    transform = Transform.fit(random_flows(SCHEMA, 50, seed=0), SCHEMA)
    layout = InputLayout.of(selected, transform)
    architecture = get_architecture("attention_cnn_lstm")
    model = new_model(architecture, layout, len(SCHEMA.classes), {"lstm_units": 2}, seed=7)
    export_saved_model(model, transform, selected, tmp_path / "saved")
    scorer = SavedModelScorer(tmp_path / "saved")
    flows = random_flows(SCHEMA, 3, seed=1)
    answer = scorer.answer(scorer.request(flows[:0]))
    assert {name: value.shape for name, value in answer.items()} == {
        "probabilities": (0, len(SCHEMA.classes)),
        "class_id": (0,),
        "label": (0,),
    }
    assert (answer["probabilities"].dtype, answer["class_id"].dtype) == (np.float32, np.int64)
    expected = model.predict(layout.arrays(transform.apply(flows)), verbose=0)
    for rows in (1, 3):
        np.testing.assert_allclose(scorer.probabilities(flows[:rows]), expected[:rows], atol=1e-5)


def test_no_examples_give_no_classes(session):
    answer = session(CLASSIFY, {"inputs": np.array([], object)})
    assert answer["classes"].shape == answer["scores"].shape == (0, len(SCHEMA.classes))


def test_a_missing_column_and_a_null_number_are_named(scorer, flows):
    with pytest.raises(InputError, match=r"Lacking: \['src_bytes'\]"):
        scorer.probabilities(flows.drop("src_bytes"))
    with pytest.raises(InputError, match=r"'src_bytes'.*null in 300 rows"):
        scorer.probabilities(flows.with_columns(src_bytes=pl.lit(None, pl.Int64)))


def test_numbers_are_scaled_as_numpy_scales_them_at_the_edges_too(tmp_path):
    scales = {
        "src_bytes": NumberScale(0.0, 1.3e9, log1p=True),
        "dst_bytes": NumberScale(7.0, 7.0, log1p=True),
        "duration": NumberScale(3.0, 42908.0, log1p=True),
        "land": NumberScale(0.0, 1.0, log1p=False),
        "urgent": NumberScale(2.0, 2.0, log1p=False),
        "serror_rate": NumberScale(0.0, 0.3, log1p=False),
        "rerror_rate": NumberScale(-5.0, 5.0, log1p=False),
        "same_srv_rate": NumberScale(1e-3, 9.5e-1, log1p=True),
    }
    transform = Transform("nsl-kdd", tuple(scales), scales, {})
    rng = np.random.default_rng(3)
    edges = np.array([-(2**40), -1, 0, 1, 2, 3, 7, 42908, 42909, 16_777_217, 1_300_000_000, 2**62])
    values = np.concatenate([edges, rng.lognormal(6, 4, 2000).astype(np.int64), rng.integers(0, 9, 500)])
    floats = np.concatenate([edges * 1.0, rng.normal(0, 2, 2500)]).astype(np.float32)
    integer = {column.name for column in SCHEMA.features if column.kind.value == "int64"}
    flows = pl.DataFrame({name: values if name in integer else floats for name in scales})
    # Another order than the schema's, with integers and floats mixed.
    selected = ["same_srv_rate", "src_bytes", "serror_rate", "dst_bytes", "land", "rerror_rate", "urgent", "duration"]
    served = identity_export(tmp_path / "saved", transform, selected, "numbers").probabilities(flows)
    np.testing.assert_allclose(served, transform.apply(flows).select(selected).to_numpy(), atol=1e-6)
    assert served.min() == 0
    assert served.max() == 1


def test_categories_become_their_codes_and_unknown_ones_the_first_slot(tmp_path):
    vocabularies = {"protocol_type": ("icmp", "tcp", "udp"), "service": ("", "héllo", "http", "http ")}
    transform = Transform("nsl-kdd", ("a", "b"), {}, vocabularies)
    flows = pl.DataFrame(
        {
            "protocol_type": ["tcp", "TCP", "udp", "", "icmp", "sctp"],
            "service": ["http", "http ", "", "héllo", "x" * 1000, "hello"],
        }
    )
    scorer = identity_export(tmp_path / "saved", transform, ["service", "protocol_type"], "codes")
    served = scorer.probabilities(flows)
    assert served.tolist() == [[3, 2], [4, 0], [1, 3], [2, 0], [0, 1], [0, 0]]
    expected = transform.apply(flows).select("service", "protocol_type").to_numpy()
    np.testing.assert_array_equal(served, expected)


@pytest.mark.parametrize("unroll", [True, False])
def test_a_recurrent_model_is_served_with_all_its_weights(tmp_path, unroll):
    import keras

    flows = random_flows(SCHEMA, 40, seed=0)
    transform = Transform.fit(flows, SCHEMA)
    selected = [column.name for column in SCHEMA.numeric][:8]
    numbers = keras.Input((8,), name="numbers")
    steps = keras.layers.Conv1D(6, 3, padding="same")(keras.layers.Reshape((8, 1))(numbers))
    last = keras.layers.LSTM(5, unroll=unroll)(keras.layers.MultiHeadAttention(2, 3)(steps, steps))
    model = keras.Model({"numbers": numbers}, keras.layers.Dense(len(SCHEMA.classes), activation="softmax")(last))
    export_saved_model(model, transform, selected, tmp_path / "saved")
    expected = model.predict(InputLayout.of(selected, transform).arrays(transform.apply(flows)), verbose=0)
    np.testing.assert_allclose(SavedModelScorer(tmp_path / "saved").probabilities(flows), expected, atol=1e-5)


def test_only_selected_features_are_asked_for(tmp_path):
    transform = Transform.fit(random_flows(SCHEMA, 50, seed=0), SCHEMA)
    selected = ["src_bytes", "flag"]
    model = dense_model(InputLayout.of(selected, transform), len(SCHEMA.classes))
    export_saved_model(model, transform, selected, tmp_path / "saved")
    assert SavedModelScorer(tmp_path / "saved").features == ["flag", "src_bytes"]


def test_two_versions_in_one_process_keep_their_own_vocabularies(tmp_path):
    first = Transform("nsl-kdd", ("a",), {}, {"flag": ("S0", "SF")})
    second = Transform("nsl-kdd", ("a",), {}, {"flag": ("SF", "S0")})
    scorers = [
        identity_export(tmp_path / "1", first, ["flag"], "codes"),
        identity_export(tmp_path / "2", second, ["flag"], "codes"),
        SavedModelScorer(tmp_path / "1"),
    ]
    flows = pl.DataFrame({"flag": ["SF", "S0", "REJ"]})
    assert [s.probabilities(flows)[:, 0].tolist() for s in scorers] == [[2, 1, 0], [1, 2, 0], [2, 1, 0]]
    del scorers[0]
    gc.collect()
    assert [s.probabilities(flows)[:, 0].tolist() for s in scorers] == [[1, 2, 0], [2, 1, 0]]


def test_neither_optimizer_nor_random_state_is_served(tmp_path):
    transform = Transform.fit(random_flows(SCHEMA, 50, seed=0), SCHEMA)
    layout = InputLayout.of(["src_bytes", "flag"], transform)
    model = dense_model(layout, len(SCHEMA.classes))
    model.compile("adam", "sparse_categorical_crossentropy")
    inputs = layout.arrays(transform.apply(random_flows(SCHEMA, 50, seed=0)))
    model.fit(inputs, np.zeros(50, np.int32), verbose=0)
    export_saved_model(model, transform, ["src_bytes", "flag"], tmp_path / "saved")
    stored = tf.train.list_variables(str(tmp_path / "saved" / "variables" / "variables"))
    weights = [tuple(shape) for name, shape in stored if name.endswith("VARIABLE_VALUE")]
    assert sorted(weights) == sorted(tuple(w.shape) for w in model.trainable_weights)


@pytest.mark.slow
def test_fresh_processes_export_the_same_bytes(tmp_path, request):
    script = (
        "import sys; from pathlib import Path; from sample_models import random_flows, write_model;"
        "from nids.datasets import get_schema;"
        "write_model(Path(sys.argv[1]), flows=random_flows(get_schema('nsl-kdd'), 60, seed=0))"
    )
    tests = request.config.rootpath / "tests"
    for name in ("first", "second"):
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tests)!r}); {script}"]
        subprocess.run([*command, str(tmp_path / name)], check=True, cwd=request.config.rootpath)
    first, second = (ModelFiles(tmp_path / name).saved_model for name in ("first", "second"))
    assert tree_digest(first) == tree_digest(second)


def test_a_model_of_other_inputs_or_classes_is_refused_and_leaves_no_folder(tmp_path):
    transform = Transform.fit(random_flows(SCHEMA, 50, seed=0), SCHEMA)
    one = dense_model(InputLayout.of(["src_bytes"], transform), len(SCHEMA.classes))
    with pytest.raises(InputError, match=r"'numbers': 2.*Received: \{'numbers': 1\}"):
        export_saved_model(one, transform, ["src_bytes", "dst_bytes"], tmp_path / "saved")
    few = dense_model(InputLayout.of(["src_bytes"], transform), 2)
    with pytest.raises(InputError, match="one output of 5 classes"):
        export_saved_model(few, transform, ["src_bytes"], tmp_path / "saved")
    with pytest.raises(InputError, match="colour"):
        export_saved_model(one, transform, ["colour"], tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_saved_model_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        SavedModelScorer(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=str(tmp_path)):
        SavedModelScorer(tmp_path)
