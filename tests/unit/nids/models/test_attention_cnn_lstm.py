import numpy as np
import pytest

from nids.errors import InputError
from nids.models import get_architecture
from nids.models.fit import new_model
from nids.transform import InputLayout

ARCHITECTURE = get_architecture("attention_cnn_lstm")
BOTH = InputLayout(("a", "b", "c"), ("proto", "service"), (4, 6))


def model_of(layout, n_classes=3, seed=7, **hyperparameters):
    return new_model(ARCHITECTURE, layout, n_classes, {"lstm_units": 4, **hyperparameters}, seed)


def rows_of(layout, n=5):
    rng = np.random.default_rng(0)
    arrays = {"numbers": rng.random((n, len(layout.numbers)), np.float32)}
    codes = [rng.integers(0, slots, n, dtype=np.int32) for slots in layout.slots]
    if codes:
        arrays["codes"] = np.stack(codes, axis=1)
    return {name: array for name, array in arrays.items() if array.shape[1]}


def test_the_blocks_are_those_of_the_paper():
    model = model_of(BOTH)
    convolutions = [model.get_layer(f"conv{i}") for i in (1, 2, 3)]
    assert [layer.filters for layer in convolutions] == [64, 128, 256]
    assert [layer.kernel_size for layer in convolutions] == [(3,)] * 3
    assert [model.get_layer(f"pool{i}").pool_size for i in (1, 2, 3)] == [(2,)] * 3
    assert model.get_layer("dropout").rate == 0.2
    assert [layer.units for layer in model.layers if layer.name.startswith("lstm")] == [4, 4]
    order = [layer.name for layer in model.layers]
    assert order.index("pool3") < order.index("attention") < order.index("lstm1") < order.index("lstm2")


def test_it_learns_with_adam_at_one_in_a_thousand_by_default():
    model = model_of(BOTH)
    assert type(model.optimizer).__name__ == "Adam"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)


def test_hyperparameters_reach_the_model():
    model = model_of(BOTH, dropout=0.4, learning_rate=0.01, lstm_units=6)
    assert model.get_layer("dropout").rate == 0.4
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert model.get_layer("lstm2").units == 6


@pytest.mark.parametrize(
    "layout",
    [
        BOTH,
        InputLayout(("a",), (), ()),
        InputLayout((), ("proto",), (2,)),
        InputLayout(tuple(f"n{i}" for i in range(9)), (), ()),
        InputLayout((), ("a", "b"), (60, 80)),
    ],
    ids=["numbers and codes", "one number", "one code", "numbers", "more than 16 steps"],
)
def test_any_layout_gives_probabilities(layout):
    model = model_of(layout)
    assert {each.name: tuple(each.shape) for each in model.inputs} == {
        name: (None, array.shape[1]) for name, array in rows_of(layout).items()
    }
    probabilities = model.predict(rows_of(layout), verbose=0)
    assert probabilities.shape == (5, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_code_is_one_hot_and_never_a_number():
    import keras

    from nids.models.inputs import encode

    inputs, vector = encode(BOTH)
    encoded = keras.Model(inputs, vector).predict(
        {"numbers": np.full((2, 3), 0.5, np.float32), "codes": np.array([[0, 5], [3, 1]], np.int32)}, verbose=0
    )
    numbers = [0.5, 0.5, 0.5]
    assert encoded.tolist() == [
        [*numbers, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [*numbers, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0],
    ]


def test_the_attention_lets_every_step_see_every_other():
    """Through convolutions alone, the first step of a long sequence cannot depend on the last value."""
    import keras

    layout = InputLayout(tuple(f"n{i}" for i in range(100)), (), ())
    model = model_of(layout)
    attended = keras.Model(model.inputs, model.get_layer("attended").output)
    pooled = keras.Model(model.inputs, model.get_layer("pool3").output)
    rows = np.random.default_rng(0).random((2, 100), np.float32)
    rows[1] = rows[0]
    rows[1, -1] += 0.5
    first = {probe: probe.predict({"numbers": rows}, verbose=0)[:, 0] for probe in (attended, pooled)}
    assert (first[pooled][0] == first[pooled][1]).all()
    assert not np.allclose(first[attended][0], first[attended][1])


def test_short_sequences_are_unrolled_and_long_ones_are_not():
    short, long = InputLayout((), ("a",), (128,)), InputLayout((), ("a",), (129,))
    assert model_of(short).get_layer("lstm1").unroll is True
    assert model_of(long).get_layer("lstm1").unroll is False


def test_the_seed_makes_the_weights():
    one, same, other = (model_of(BOTH, seed=seed).get_weights() for seed in (7, 7, 8))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_an_unknown_hyperparameter_is_refused():
    with pytest.raises(InputError, match="'units'"):
        ARCHITECTURE.build(BOTH, 3, {"units": 4})
