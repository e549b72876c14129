"""The text of a search grid, as pipeline parameters carry it."""

from __future__ import annotations

import json

from nids.errors import InputError
from nids.models.base import Architecture, Number


def parse_grid(text: str, architecture: Architecture) -> dict[str, list[Number]]:
    """The grid of a JSON object: hyperparameter name to list of values. `{}` is the one point of all defaults.

    Raises:
        InputError: no such JSON, an unknown name, an empty list, a value out of place or given twice.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InputError(f"Expected grid to be a JSON object. Received: {text!r} ({error})") from error
    if not isinstance(given, dict):
        raise InputError(f"Expected grid to be a JSON object of names and lists of values. Received: {text!r}")
    return {name: _checked_values(name, values, architecture) for name, values in given.items()}


def _checked_values(name: str, values: object, architecture: Architecture) -> list[Number]:
    if not isinstance(values, list) or not values:
        raise InputError(f"Expected grid[{name!r}] to be a list of at least one value. Received: {values!r}")
    checked = [architecture.check(name, value) for value in values]
    if len(set(checked)) != len(checked):
        raise InputError(f"Expected each value in grid[{name!r}] once. Received: {values!r}")
    return checked
