from pathlib import Path

import pytest

from nids.errors import InputError
from pipelines import parameters


@pytest.mark.parametrize("preset", parameters.PRESETS)
def test_every_preset_names_only_parameters_of_the_pipeline(preset: str) -> None:
    values = parameters.load_preset(preset)
    assert set(values) <= set(parameters.defaults())


def test_the_default_preset_is_the_pipelines_own_defaults() -> None:
    assert parameters.load_preset("default") == {}


def test_an_unknown_preset_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"Expected --preset to be one of smoke, default, full. Received: 'big'"):
        parameters.load_preset("big")


def test_settings_take_the_type_of_their_parameter() -> None:
    values = parameters.parse_settings(["min_macro_f1=0.7", "epochs=3", "baselines=", "max_rejected_share=1"])
    assert values == {"min_macro_f1": 0.7, "epochs": 3, "baselines": "", "max_rejected_share": 1.0}
    assert isinstance(values["max_rejected_share"], float)


def test_a_setting_may_hold_further_equals_signs() -> None:
    assert parameters.parse_settings(["data=/a=b"]) == {"data": "/a=b"}


def test_the_last_of_two_settings_counts() -> None:
    assert parameters.parse_settings(["epochs=3", "epochs=4"]) == {"epochs": 4}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "Received: 'epoch'"),
        ("epochs", "Expected --set name=value. Received: --set epochs"),
        ("=3", "Expected --set name=value"),
        ("epochs=3.5", "Expected epochs in --set to be of type int. Received: '3.5'"),
        ("epochs=many", "Expected epochs in --set to be of type int. Received: 'many'"),
        ("min_mcc=high", "Expected min_mcc in --set to be of type float. Received: 'high'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parameters.parse_settings([setting])
    assert message in str(caught.value)


def test_a_preset_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(InputError, match="Expected epochs in preset x to be of type int"):
        parameters.check({"epochs": 2.5}, origin="preset x")


def test_every_parameter_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "parameters.md").read_text()
    assert [name for name in parameters.defaults() if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dataset", "kdd", "Expected --dataset to be one of"),
        ("dataset", "nsl-kdd", "Expected --data with the files of nsl-kdd"),
        ("model_name", "a/b", "a/b"),
        ("min_macro_f1", 7.0, "min_macro_f1"),
        ("baselines", "oracle", "oracle"),
        ("architecture", "transformer", "transformer"),
        ("tuning_grid", "{", "Expected grid to be a JSON object"),
        ("tuning_grid", '{"units": [1]}', "units"),
    ],
)
def test_what_a_late_step_would_refuse_is_refused_early(tmp_path: Path, name: str, value: object, message: str) -> None:
    values = parameters.defaults() | {"store": str(tmp_path)}
    parameters.check_early(values)
    with pytest.raises(InputError) as caught:
        parameters.check_early(values | {name: value})  # type: ignore[arg-type]
    assert message in str(caught.value)
