"""What an architecture module declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nids.errors import InputError
from nids.transform import InputLayout

if TYPE_CHECKING:
    import keras

Number = int | float

OUTPUT = "probabilities"
"""Name of every architecture's last layer: a Dense layer with a softmax over the classes."""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One setting of a model or of its training.

    Attributes:
        default: value where none is given; its type, int or float, is the type of every value.
        grid: values worth trying.
        minimum, maximum: inclusive bounds.
    """

    default: Number
    grid: tuple[Number, ...]
    minimum: Number
    maximum: Number

    def checked(self, name: str, value: Any) -> Number:
        """`value` in the type of the default: 32.0 becomes 32 where whole numbers are expected.

        Raises:
            InputError: no number, or one out of bounds, or a fraction where a whole number is expected.
        """
        whole = isinstance(self.default, int)
        # True is an int to Python, and no number to anybody else.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.minimum <= value <= self.maximum or (whole and value % 1):
            kind = "a whole number" if whole else "a number"
            raise InputError(
                f"Expected hyperparameter {name} to be {kind} from {self.minimum} to {self.maximum}. "
                f"Received: {value!r}"
            )
        return int(value) if whole else float(value)


@dataclass(frozen=True)
class Architecture:
    """A way to build a classifier.

    Attributes:
        name: registry name.
        hyperparameters: by name. `batch_size` is among them in every architecture.
        construct: (layout, n_classes, complete hyperparameters) to a compiled Keras model: inputs `numbers` and
            `codes` as in `InputLayout`, output of shape (n, n_classes), probabilities.
    """

    name: str
    hyperparameters: Mapping[str, Hyperparameter]
    construct: Callable[[InputLayout, int, Mapping[str, Any]], keras.Model]

    @property
    def defaults(self) -> dict[str, Number]:
        return {name: each.default for name, each in self.hyperparameters.items()}

    @property
    def grid(self) -> dict[str, list[Number]]:
        """The search grid where nobody asks for another."""
        return {name: list(each.grid) for name, each in self.hyperparameters.items()}

    def check(self, name: str, value: Any) -> Number:
        """One checked hyperparameter value; InputError for an unknown name or a value out of place."""
        if name not in self.hyperparameters:
            known = ", ".join(self.hyperparameters)
            raise InputError(f"Expected hyperparameters of {self.name} among {known}. Received: {name!r}")
        return self.hyperparameters[name].checked(name, value)

    def complete(self, given: Mapping[str, object]) -> dict[str, Number]:
        """All hyperparameters: those given, checked, and the defaults of the others. InputError as in `check`."""
        return self.defaults | {name: self.check(name, value) for name, value in given.items()}

    def build(self, layout: InputLayout, n_classes: int, hyperparameters: Mapping[str, object]) -> keras.Model:
        """A compiled model with new weights, drawn from Keras' global random state.

        Raises:
            InputError: an unknown hyperparameter or a value out of place.
        """
        return self.construct(layout, n_classes, self.complete(hyperparameters))
