"""Run values: the pipeline's own defaults, then a preset, then what was set by hand."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from nids.errors import InputError

PRESETS = ("smoke", "default", "full")
_FOLDER = Path(__file__).parent / "params"

Value = str | int | float | bool


def defaults() -> dict[str, Value]:
    """Name and default of every parameter of the training pipeline, in signature order."""
    from pipelines.training import training_pipeline

    parameters = inspect.signature(training_pipeline.pipeline_func).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def load_preset(name: str) -> dict[str, Value]:
    """The values of one preset; it says only what differs from the defaults.

    Raises:
        InputError: no such preset, an unknown parameter in it, or a value of the wrong type.
    """
    if name not in PRESETS:
        raise InputError(f"Expected --preset to be one of {', '.join(PRESETS)}. Received: {name!r}")
    values = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text()) or {}
    return check(values, origin=f"preset {name}")


def parse_settings(settings: Iterable[str]) -> dict[str, Value]:
    """Values from `name=value` texts, as in `--set min_macro_f1=0.7`; the last of a name counts.

    Raises:
        InputError: not `name=value`, an unknown parameter, or a value of the wrong type.
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator or not name.strip():
            raise InputError(f"Expected --set name=value. Received: --set {setting}")
        values[name.strip()] = value.strip()
    return check(values, origin="--set")


def check_early(values: Mapping[str, Value]) -> None:
    """Refuse before the first step what a late step would refuse after hours.

    Raises:
        InputError: an unknown data set, architecture or baseline, a data set without its files, a grid, bound or
            model name that cannot be.
    """
    from components.evaluation.baselines import parse_names
    from components.evaluation_gate.decide import threshold_rules
    from nids.datasets import get_dataset
    from nids.model_store import ModelStore
    from nids.models import get_architecture
    from nids.models.grid import parse_grid

    dataset = get_dataset(str(values["dataset"]))
    if not values["data"] and dataset.simulate is None:
        raise InputError(f"Expected --data with the files of {values['dataset']}. Received: none")
    parse_grid(str(values["tuning_grid"]), get_architecture(str(values["architecture"])))
    parse_names(str(values["baselines"]))
    threshold_rules(**{name: float(values[name]) for name in inspect.signature(threshold_rules).parameters})
    # Asks nothing of the disk: only whether the name can be a folder of a store.
    ModelStore(Path("/nowhere")).versions(str(values["model_name"]))


def check(values: Mapping[str, Any], origin: str) -> dict[str, Value]:
    """The same values, each of its parameter's type; InputError names the one that is unknown or cannot be."""
    known = defaults()
    checked: dict[str, Value] = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(
                f"Expected the name of a pipeline parameter in {origin}: {', '.join(known)}. Received: {name!r}"
            )
        checked[name] = _convert(name, value, type(known[name]), origin)
    return checked


def _convert(name: str, value: Any, kind: type[Value], origin: str) -> Value:
    if isinstance(value, str) and kind is not str:
        text = value.lower()
        if kind is bool and text in ("true", "false"):
            return text == "true"
        try:
            return kind(value) if kind is not bool else _refuse(name, value, kind, origin)
        except ValueError:
            _refuse(name, value, kind, origin)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        _refuse(name, value, kind, origin)
    converted: Value = value
    return converted


def _refuse(name: str, value: object, kind: type, origin: str) -> Any:
    raise InputError(f"Expected {name} in {origin} to be of type {kind.__name__}. Received: {value!r}")
