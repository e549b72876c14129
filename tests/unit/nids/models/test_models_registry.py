import subprocess
import sys

import pytest

from nids.errors import InputError
from nids.models import NAMES, get_architecture
from nids.models.base import Hyperparameter


def test_an_unknown_architecture_is_refused_with_the_known_names():
    with pytest.raises(InputError, match=r"attention_cnn_lstm.*Received: 'transformer'"):
        get_architecture("transformer")


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_bears_its_name_and_is_its_module(name):
    architecture = get_architecture(name)
    assert architecture.name == name
    assert architecture.construct.__module__ == f"nids.models.{name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_has_a_batch_size_and_a_default_grid_that_it_accepts(name):
    architecture = get_architecture(name)
    assert {"batch_size", "learning_rate"} <= set(architecture.defaults)
    assert set(architecture.grid) == set(architecture.defaults)
    for hyperparameter, values in architecture.grid.items():
        assert architecture.defaults[hyperparameter] in values
        assert [architecture.check(hyperparameter, value) for value in values] == values


def test_asking_for_an_architecture_imports_no_tensorflow():
    code = (
        "import sys; from nids.models import get_architecture as g; g('attention_cnn_lstm').defaults; "
        "print('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_given_hyperparameters_complete_the_defaults():
    architecture = get_architecture("attention_cnn_lstm")
    assert architecture.complete({"dropout": 0.4}) == architecture.defaults | {"dropout": 0.4}


def test_an_unknown_hyperparameter_is_refused_with_the_known_names():
    with pytest.raises(InputError, match=r"learning_rate, dropout, lstm_units, batch_size\. Received: 'momentum'"):
        get_architecture("attention_cnn_lstm").complete({"momentum": 0.9})


WHOLE = Hyperparameter(32, (32, 64), minimum=1, maximum=64)
REAL = Hyperparameter(0.2, (0.2,), minimum=0.0, maximum=0.9)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [(WHOLE, 32, 32), (WHOLE, 32.0, 32), (WHOLE, 1, 1), (WHOLE, 64, 64), (REAL, 0, 0.0), (REAL, 0.9, 0.9)],
)
def test_a_value_takes_the_type_of_the_default(kind, given, expected):
    value = kind.checked("x", given)
    assert value == expected
    assert type(value) is type(kind.default)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (WHOLE, 32.5),
        (WHOLE, 0),
        (WHOLE, 65),
        (WHOLE, "32"),
        (WHOLE, None),
        (WHOLE, True),
        (WHOLE, [32]),
        (REAL, -0.1),
        (REAL, 0.91),
        (REAL, float("nan")),
        (REAL, float("inf")),
    ],
)
def test_a_value_out_of_place_is_refused_by_name(kind, given):
    with pytest.raises(InputError, match="hyperparameter x to be a"):
        kind.checked("x", given)
